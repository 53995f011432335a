"""Change: another plan, or another period, for a subscription. An upgrade is paid now, a downgrade is planned.

The invoice of a change is written down, on the subscription too, before the processor is asked, so that one change is
being paid at most; it is delivered only while the subscription is as it was then, and else its money goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import Buyer, Invoice, InvoiceKind, InvoiceStatus, Whence
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed
from chalicelib.books.ledger import store as ledger
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.cycle import arrived
from chalicelib.books.subscriptions.model import Subscription
from chalicelib.books.subscriptions.queries import Held
from chalicelib.books.teams.store import TeamMoved
from chalicelib.books.timeline import store as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.books.waiting.store import PlacesMoved
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.checkout.begin import Purchase, begin, begun_free, invoice_of
from chalicelib.flows.checkout.charge import charge, resume
from chalicelib.flows.checkout.pay import kept_at_once
from chalicelib.flows.checkout.take_over import take_over, with_another_card
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import ChangeDelivery, Delivery
from chalicelib.flows.fulfillment.fulfill import NotDeliverable, fulfill
from chalicelib.flows.fulfillment.renew import (
    Places,
    changed_writes,
    grant_writes,
    places_now,
    pool_writes,
    with_arrivals,
)
from chalicelib.flows.fulfillment.renewal import digest
from chalicelib.flows.fulfillment.settle import Outcome, Refused, Settled, Waiting
from chalicelib.flows.recurring.alter import held_by
from chalicelib.flows.recurring.collect import closed
from chalicelib.flows.recurring.proposal import (
    FinancingCannotBeChanged,
    Kept,
    Proposal,
    Wish,
    find,
    is_of,
    open_renewal,
    propose,
    subscription_of,
)
from chalicelib.flows.recurring.proration import When
from chalicelib.flows.waiting.room import room_writes
from chalicelib.kernel.errors import Defect, DomainError, Kind
from chalicelib.kernel.ids import derived
from chalicelib.kernel.quotes import Priced

TRIES_MAX = 10
PAGES_TRIED_MAX = 5
MOVED = (
    subscriptions.HoldingMoved,
    billing.AttemptsMoved,
    billing.InvoiceMoved,
    PlacesMoved,
    TeamMoved,
    NotDeliverable,
    ledger.Moved,
)


class ChangedMeanwhile(DomainError):
    kind = Kind.CONFLICT
    slug = "subscription-changed-meanwhile"
    detail = "The subscription changed while this was being paid. What was charged for it goes back."


@dataclass(frozen=True, slots=True)
class Changed:
    """The subscription as it is now: under other terms, which an invoice paid for, or with them planned."""

    subscription: Subscription
    invoice: Invoice | None = None


def preview(context: Context, user_id: int, wish: Wish) -> Proposal:
    """What the change would be at this instant. Raises as `propose`, SubscriptionNotFound, FinancingCannotBeChanged."""
    return propose(context, find(context, user_id, wish.subscription_id), wish)


def change(
    context: Context, buyer: Buyer, wish: Wish, whence: Whence | None = None, keyed: Keyed | None = None
) -> Changed | Waiting | Refused:
    """Change the plan, reckoned anew at this instant. To what it is already: that takes back what was planned.

    `keyed`: a key that is new. Its record is opened with the change, or with its payment, whose answer is kept with it.

    Raises as `preview`, ChangedMeanwhile, BadReputation, CardRequired, TooManyAttempts, PlanAtCapacity,
    PurchaseInFlight, TrialAlreadyTaken, and what the processor refuses (never a decline: that is an outcome).
    """
    for attempt in range(TRIES_MAX):
        try:
            held = find(context, buyer.user_id, wish.subscription_id)
            outcome = _paid_before(context, held, wish, keyed)
            if outcome is None:
                outcome = _changed(context, buyer, propose(context, held, wish), whence, keyed)
        except MOVED:
            backoff.wait(attempt)
            continue
        if outcome is not None:
            return outcome
    raise billing.PurchaseInFlight


def change_financing(context: Context, key: Key) -> NoReturn:
    """All instalments of a financing were agreed on. Raises FinancingNotFound, FinancingCannotBeChanged."""
    held_by(context, key)
    raise FinancingCannotBeChanged


def _paid_before(context: Context, held: Held, wish: Wish, keyed: Keyed | None) -> Changed | Waiting | Refused | None:
    """Take up the change that is being paid, where it is this one; else it is given up, and this one begins.

    Whoever wishes for the plan that they have does not ask for the further seats that are being paid.
    """
    holding = subscription_of(held)
    if holding.change_invoice_id is None:
        return None
    stored = billing_queries.invoice(context.table, holding.user_id, holding.change_invoice_id)
    if stored.invoice.status is not InvoiceStatus.PENDING:
        return None
    delivery = Delivery.model_validate_json(stored.delivery).change
    if delivery is None:
        raise Defect(f"invoice {stored.invoice.id} is no change")
    if is_of(delivery.terms, wish, holding) and not is_of(holding.terms, wish, holding):
        outcome = resume(context, stored)
        account = context.gateway.account
        customer = billing_queries.customer(context.table, holding.user_id, account, context.now).customer
        if not with_another_card(customer, outcome):
            if keyed is not None:
                raise billing.PurchaseInFlight  # it was begun without this key, or under another
            return told(context, holding, outcome)
        stored = billing_queries.invoice(context.table, holding.user_id, stored.invoice.id)
    take_over(context, stored)
    raise subscriptions.HoldingMoved  # by that it is another one


def _changed(
    context: Context, buyer: Buyer, proposal: Proposal, whence: Whence | None, keyed: Keyed | None
) -> Changed | Waiting | Refused | None:
    """Do what is proposed; None where it is to be looked at again."""
    holding = proposal.subscription
    if proposal.kind is Kept.SAME:
        return _planned(context, proposal, keyed) if holding.planned is not None else unchanged(context, holding, keyed)
    following = open_renewal(holding, proposal.rows)
    if following is not None and not following.invoice.is_paid and closed(context, following) is not None:
        return None
    if proposal.kind is When.AT_END:
        return _planned(context, proposal, keyed, buyer)
    if proposal.kind is Kept.TRIAL:
        return _tried(context, proposal, keyed, buyer)
    return told(context, holding, _bought(context, buyer, proposal, whence, keyed))


def unchanged(context: Context, holding: Subscription, keyed: Keyed | None) -> Changed:
    """It is as it is wished for, and was when the key was used first."""
    if keyed is not None:
        commit(context.table, _opened(context, keyed))
    return Changed(holding)


def _opened(context: Context, keyed: Keyed | None) -> list[Write]:
    """What makes a key known with a change that no invoice is of."""
    return [] if keyed is None else [idempotency.opened(keyed, subject=None, now=context.now)]


def told(context: Context, holding: Subscription, outcome: Outcome) -> Changed | Waiting | Refused:
    """The subscription once its change is paid. Raises ChangedMeanwhile where it could not be made any more."""
    if not isinstance(outcome, Settled):
        return outcome
    if outcome.invoice.undelivered:
        raise ChangedMeanwhile
    return Changed(subscription_of(find(context, holding.user_id, holding.id)), outcome.invoice)


def _planned(context: Context, proposal: Proposal, keyed: Keyed | None, buyer: Buyer | None = None) -> Changed:
    """Plan it for the end of what is paid, instead of what was planned; or plan nothing."""
    after = proposal.subscription.model_copy(
        update={"planned": None if proposal.kind is Kept.SAME else proposal.terms, "open_invoice_id": None}
    )
    what = "change-withdrawn" if after.planned is None else "change-planned"
    beside = [*_room(context, proposal, buyer), _activity(context, proposal, what), *_opened(context, keyed)]
    commit(context.table, [*changed_writes(proposal.held, after), *beside, *proposal.beside])
    return Changed(after)


def _tried(context: Context, proposal: Proposal, keyed: Keyed | None, buyer: Buyer) -> Changed:
    """A trial goes on with another plan: its units come, and nothing is paid."""
    holding = proposal.subscription
    at = context.now.replace(microsecond=0)
    arriving = arrived(holding.model_copy(update={"planned": None}), proposal.terms, at)
    after, grantings = with_arrivals(holding, arriving, at, holding.id)
    claims = [subscriptions.claim_trial(key, invoice_id=holding.id) for key in proposal.trial_claims]
    places: Places = {}
    for _ in range(PAGES_TRIED_MAX):
        writes = [
            *changed_writes(proposal.held, after),
            *pool_writes(context, holding, after),
            *claims,
            *_room(context, proposal, buyer),
            *grant_writes(grantings, places, invoice_id=holding.id, cause=f"invoice:{holding.id}", now=at),
            _activity(context, proposal, "changed"),
            *_opened(context, keyed),
            *proposal.beside,
        ]
        try:
            commit(context.table, writes)
        except (ledger.PageFull, ledger.OwesUnits):
            places = places_now(context, grantings)
        else:
            context.queue.nudge_holdings([subscriptions.holding_key(after)])
            return Changed(subscription_of(Held(after, proposal.held.version + 1)))
    raise Defect(f"no balance page has room for the change of {holding.id}")


def _bought(context: Context, buyer: Buyer, proposal: Proposal, whence: Whence | None, keyed: Keyed | None) -> Outcome:
    """Pay for the change now, or just make it where nothing is to be paid."""
    held, holding = proposal.held, proposal.subscription
    billing_queries.check_standing(proposal.rows.get(billing.reputation_key(holding.user_id)))
    purchase = _purchase(buyer, proposal, whence)
    rows, room = proposal.rows, [*_room(context, proposal, buyer), *proposal.beside]
    if purchase.amount == 0:
        invoice = _of(holding, invoice_of(context, purchase, None))
        begun = begun_free(context, invoice, purchase.delivery, rows=rows, beside=room)
        stored = StoredInvoice(invoice, purchase.delivery.model_dump_json(), 0)
        return Settled(fulfill(context, stored, None, begun=begun, beside=kept_at_once(context, keyed, invoice)))
    invoice = _of(holding, invoice_of(context, purchase, proposal.customer))
    paying = holding.model_copy(
        update={"change_invoice_id": invoice.id, "changes": holding.changes + 1, "open_invoice_id": None}
    )
    beside: list[Write] = [subscriptions.changed_holding(paying, version=held.version), *room]
    stored = begin(context, invoice, purchase.delivery, rows=rows, keyed=keyed, beside=beside)
    return charge(context, stored, keyed=keyed)


def _purchase(buyer: Buyer, proposal: Proposal, whence: Whence | None) -> Purchase:
    holding, terms, reckoned = proposal.subscription, proposal.terms, proposal.reckoned
    if holding.paid_until is None:
        raise Defect(f"subscription {holding.id} has no end to be prorated to")
    delivery = ChangeDelivery(
        holding_id=holding.id,
        number=holding.changes,
        terms=terms,
        at=proposal.applies_at,
        replaces=digest(holding.terms),
        paid_until=holding.paid_until,
        restarts=proposal.kind is When.RESTART,
        prorated=reckoned.prorated,
        credit=reckoned.credit,
        credited=reckoned.credited,
        pooled=any(item.pooled for item in terms.items),
    )
    return Purchase(
        id=proposal.invoice_id,
        kind=InvoiceKind.CHANGE,
        academy_id=terms.academy_id,
        buyer=buyer,
        bag_id=proposal.invoice_id,
        priced=Priced(lines=reckoned.lines, currency=terms.currency),
        amount=reckoned.amount,
        coupons=(),
        country=terms.country,
        plan_slug=terms.plan_slug,
        delivery=Delivery(change=delivery),
        whence=whence,
    )


def _of(holding: Subscription, invoice: Invoice) -> Invoice:
    return invoice.model_copy(update={"subscription_id": holding.id})


def _room(context: Context, proposal: Proposal, buyer: Buyer | None) -> list[Write]:
    """A place of the other plan, where it has only so many and none is taken for this subscription yet."""
    planned = proposal.subscription.planned
    if proposal.plan is None or buyer is None or (planned is not None and planned.plan_id == proposal.plan.id):
        return []
    return room_writes(context, proposal.plan, buyer)


def _activity(context: Context, proposal: Proposal, what: str) -> Write:
    holding = proposal.subscription
    activity = Activity(
        id=derived(what, holding.id, proposal.held.version),
        user_id=holding.user_id,
        academy_id=holding.terms.academy_id,
        kind=f"plan-{what}",
        at=context.now,
        facts={"holding": holding.id, "plan": holding.terms.plan_slug, "other_plan": proposal.terms.plan_slug},
    )
    return timeline.new(activity)
