"""Reverse: bring what an invoice delivered to what its refunds and disputes leave of its payment.

The writes go into the transaction that changes the invoice, so that money and units never say different things.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.books.billing.model import Invoice, Standing, TakenBack
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.catalog import store as catalog
from chalicelib.books.catalog.model import Coupon
from chalicelib.books.catalog.operations import change
from chalicelib.books.ledger import queries as ledger_queries
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.entries import grant_entry_id
from chalicelib.books.ledger.model import Balance, Entry, Holder
from chalicelib.books.ledger.reversal import Reversal, reversal
from chalicelib.books.ledger.rows import read_balance
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.course import due_step
from chalicelib.books.subscriptions.cycle import fated, is_period_over, unplanned
from chalicelib.books.subscriptions.model import Fate, Financing, Holding, Subscription
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.writes import Write
from chalicelib.flows.context import Context, SpentPolicy
from chalicelib.flows.fulfillment.consequences import plan_fate, units_target
from chalicelib.flows.fulfillment.delivery import Delivery
from chalicelib.flows.fulfillment.plan import fulfillment
from chalicelib.flows.fulfillment.rewards import are_revoked, rewards


@dataclass(frozen=True, slots=True)
class Reversed:
    """The invoice with what was taken back of it so far, the writes, what this step took back, and the marks that it
    leaves on the customer's reputation or takes off it. `due`: the plan, where a worker must follow it now.
    """

    invoice: Invoice
    writes: tuple[Write, ...]
    marks: Mapping[str, Standing | None]
    taken_back: tuple[TakenBack, ...]
    due: Key | None = None


def reverse(context: Context, stored: StoredInvoice, changed: Invoice, *, restores: bool = True) -> Reversed:
    """What follows for units, plan and rewards from the refunds and disputes that `changed` has.

    `restores` False: another purchase has the plan since, so one that ended stays so, and one that was to end goes on
    without the plan that it had planned. The writes raise ledger.Moved, HoldingMoved and ChangedMeanwhile where
    something moved since it was read here, PlanAlreadyBought and PlanAlreadyFinanced where a plan that would live again
    was bought anew.
    """
    delivery = Delivery.model_validate_json(stored.delivery)
    holding_key = _holding_key(changed)
    held = None if holding_key is None else _holding(changed, context.table.get(holding_key))
    grants = _grant_keys(context, changed, delivery, held)
    earned = [catalog.key_of(coupon) for coupon in rewards(changed, delivery)]
    rows = context.table.get_many([*grants, *earned])
    is_over = held is not None and is_period_over(held[0], changed.id)
    fate = plan_fate(changed, is_over=is_over)
    if held is not None and not restores and held[0].held_back is not None and held[0].held_back.fate is Fate.ENDED:
        fate = Fate.ENDED
    after = None if held is None else fated(held[0], changed.id, fate, context.now)
    if after is not None and not restores:
        after = unplanned(after)
    writes = _reward_writes(changed, [rows[key] for key in earned if key in rows])
    found = {grants[key]: load(Entry, row) for key, row in rows.items() if key in grants}
    reversals = _reversals(context, changed, found, fate=fate, after=after, is_over=is_over)
    reopened = any(lot.before is None and lot.after is not None for _, one in reversals for lot in one.lots)
    if after is not None and reopened:
        after = after.model_copy(update={"lots_until": None})  # the access may have moved while they were closed
    due = None
    if held is not None and after is not None and after != held[0]:
        due = holding_key if due_step(after, context.now) is not None else None
        # One that has ended can be bought again.
        writes += [subscriptions.changed_holding(after, version=held[1]), *subscriptions.claims_moved(held[0], after)]
    of_page: dict[tuple[Holder, str, int], list[Reversal]] = {}
    for holder, one in reversals:
        of_page.setdefault((holder, one.balance.unit.name, one.balance.page), []).append(one)
    for (holder, _, _), of_one in of_page.items():
        cause = f"invoice:{changed.id}"
        writes += ledger.reversal_writes(holder, of_one, cause=cause, version=stored.version, now=context.now)
    reversed_units = {one.grant.id: one.taken + one.owed.units for _, one in reversals}
    invoice = changed.model_copy(update={"reversed_units": {**changed.reversed_units, **reversed_units}})
    return Reversed(
        invoice=invoice,
        writes=tuple(writes),
        marks=_marks(context, changed, [one for _, one in reversals]),
        taken_back=tuple(_taken_back(one for _, one in reversals)),
        due=due,
    )


def _reward_writes(invoice: Invoice, rows: Iterable[Row]) -> list[Write]:
    """Rewards that can be used no more, or again. A use that was taken stays: what it bought is another purchase."""
    revoked = are_revoked(invoice)
    writes: list[Write] = []
    for row in rows:
        coupon = load(Coupon, row)
        if coupon.revoked is not revoked:
            writes += change(coupon, coupon.model_copy(update={"revoked": revoked}), version=row.version)
    return writes


def _grant_keys(
    context: Context, invoice: Invoice, delivery: Delivery, held: tuple[Holding, int] | None
) -> dict[Key, tuple[Holder, str]]:
    """The keys of the entries that granted what was bought, where it was delivered: at once, and as it came again.

    To a pool it comes again also where the plan that was bought has none, and was changed to one that does.
    """
    done = fulfillment(invoice, delivery, invoice.paid_at or invoice.created_at)
    named = [(granting.holder, grant_entry_id(granting.grants)) for granting in done.grantings]
    if delivery.units is None:
        holders = [Holder.person(invoice.buyer.user_id)]
        if _is_pooled(delivery) or (held is not None and any(item.pooled for item in held[0].terms.items)):
            holders.append(Holder.team(invoice.subscription_id or invoice.financing_id or invoice.id))
        named += [
            (holder, entry_id)
            for holder in holders
            for entry_id in ledger_queries.entries_paid_by(context.table, holder, invoice.id)
        ]
    return {ledger.entry_key(holder, entry_id): (holder, entry_id) for holder, entry_id in named}


def _is_pooled(delivery: Delivery) -> bool:
    if delivery.renewal is not None:
        return delivery.renewal.pooled
    if delivery.change is not None:
        return delivery.change.pooled
    return delivery.plan is not None and any(item.pooled for item in delivery.plan.terms.items)


def _matters(context: Context, invoice: Invoice, entry: Entry, balance: Balance) -> bool:
    """Whether there can be anything of a grant to be taken back, or given back: units that ended are nobody's."""
    if entry.id in invoice.reversed_units:
        return True
    now_end = {lot.id: lot.expires_at for lot in balance.lots}  # which may be later than what it was granted with
    ends = [portion.expires_at for portion in entry.portions]
    ends += [now_end.get(portion.lot_id, portion.expires_at) for portion in entry.portions]
    return any(end is None or end > context.now for end in ends)


def _reversals(
    context: Context,
    invoice: Invoice,
    grants: Mapping[tuple[Holder, str], Entry],
    *,
    fate: Fate,
    after: Holding | None,
    is_over: bool,
) -> list[tuple[Holder, Reversal]]:
    pages = {
        (holder, entry_id): ledger.balance_key(holder, entry.unit, entry.portions[0].page)
        for (holder, entry_id), entry in grants.items()
    }
    rows = context.table.get_many(pages.values())
    ended_at = after.held_back.since if after is not None and after.held_back is not None else None
    came_again = len({entry.at for entry in grants.values()}) > 1
    found: list[tuple[Holder, Reversal]] = []
    for (holder, entry_id), entry in grants.items():
        balance = read_balance(holder, rows[pages[holder, entry_id]])
        if came_again and not _matters(context, invoice, entry, balance):
            continue
        target = units_target(
            invoice,
            entry,
            fate=fate,
            ended_at=None if ended_at is None else ended_at.replace(microsecond=0),
            collect=context.limits.spent_policy is SpentPolicy.DEBT,
            is_over=is_over,
        )
        one = reversal(
            entry,
            balance,
            target,
            invoice_id=invoice.id,
            reversed_before=invoice.reversed_units.get(entry_id, 0),
        )
        found.append((holder, one))
    return found


def _holding_key(invoice: Invoice) -> Key | None:
    user_id = invoice.buyer.user_id
    if invoice.subscription_id is not None:
        return subscriptions.subscription_key(user_id, invoice.subscription_id)
    if invoice.financing_id is not None:
        return subscriptions.financing_key(user_id, invoice.financing_id)
    return None


def _holding(invoice: Invoice, row: Row | None) -> tuple[Holding, int] | None:
    if row is None:
        return None
    kind: type[Subscription] | type[Financing] = Subscription if invoice.subscription_id is not None else Financing
    return load(kind, row), row.version


def _marks(context: Context, invoice: Invoice, reversals: list[Reversal]) -> dict[str, Standing | None]:
    """Where units that were spent and refunded block their owner: until the refund fails, or an operator says so."""
    if context.limits.spent_policy is not SpentPolicy.BLOCK:
        return {}
    cause = f"invoice_{invoice.id}"
    if any(one.owed.units for one in reversals):
        return {cause: Standing.BAD}
    return {cause: None} if any(one.owed_before for one in reversals) else {}


def _taken_back(reversals: Iterable[Reversal]) -> list[TakenBack]:
    by_service: dict[str, TakenBack] = {}
    for one in reversals:
        ended = any(lot.before is not None and lot.after is None for lot in one.lots if lot.portion.unlimited)
        moved, spent = max(0, one.moved), max(0, one.owed.units - one.owed_before)
        if not (moved or spent or ended):
            continue
        slug = one.grant.unit.service_slug
        known = by_service.get(slug, TakenBack(service=slug, how_many=0, spent=0))
        unlimited = ended or known.how_many < 0
        by_service[slug] = TakenBack(
            service=slug, how_many=-1 if unlimited else known.how_many + moved, spent=known.spent + spent
        )
    return list(by_service.values())
