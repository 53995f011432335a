"""Tend a recharge: buy units of a pool that is low, with its owner's card, who is not there (D62).

Everything is looked at again when it is bought: the row only says that somebody saw the unit low. The attempt is bound
to the row, and its amount counted in the month's spend, in the transaction that begins it; so this may run twice, late,
and in parallel, and a process that dies leaves a row from which the next one goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind, TooManyAttempts
from chalicelib.books.billing.gateway import (
    PaymentRefused,
    PaymentServiceBusy,
    PaymentServiceDown,
    PaymentUnauthorized,
)
from chalicelib.books.billing.model import Buyer, Customer, Invoice, InvoiceKind, InvoiceStatus
from chalicelib.books.billing.queries import BadReputation, StoredInvoice
from chalicelib.books.billing.store import PurchaseInFlight
from chalicelib.books.catalog import store as catalog
from chalicelib.books.catalog.model import Service, ServicePrice
from chalicelib.books.identity import store as identity
from chalicelib.books.identity.model import User
from chalicelib.books.ledger import queries as ledger_queries
from chalicelib.books.ledger.model import Holder, Unit
from chalicelib.books.outbox import store as outbox
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.queries import Held, read_holding
from chalicelib.books.teams import queries, recharge_store, store
from chalicelib.books.teams.model import AutoRecharge
from chalicelib.books.teams.queries import StoredRecharge, StoredTeam
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.checkout.begin import CardRequired, Purchase, begin, invoice_of
from chalicelib.flows.checkout.charge import charge, resume
from chalicelib.flows.checkout.take_over import take_over
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import Delivery, PoolDelivery, UnitsDelivery
from chalicelib.flows.fulfillment.notices import recharge_stopped
from chalicelib.flows.fulfillment.recharge import stopped
from chalicelib.flows.fulfillment.renewal import NO_CARD, NOT_ASKED_AGAIN_FOR
from chalicelib.flows.fulfillment.settle import Waiting
from chalicelib.flows.teams.low import Buying, buying, goes_on, is_low, left_of, month_of, pool_units
from chalicelib.kernel.errors import Defect, TryLater
from chalicelib.kernel.ids import new_id

TRIES_MAX = 8
MOVED = (
    recharge_store.RechargeMoved,
    store.TeamMoved,
    subscriptions.HoldingMoved,
    billing.AttemptsMoved,
    recharge_store.SpendLimitReached,
)
AWAY = (PaymentRefused, PaymentServiceBusy, PaymentServiceDown, PaymentUnauthorized)
"""What the processor says when it did not look at a payment, or cannot be asked about one."""


@dataclass(frozen=True, slots=True)
class _Low:
    """A unit that is to be bought, with what that depends on as it was read."""

    stored: StoredRecharge
    team: StoredTeam
    recharge: AutoRecharge
    held: Held
    unit: Unit
    price: ServicePrice
    buying: Buying
    month: tuple[datetime, datetime]


def tend_recharge(context: Context, key: Key) -> None:
    """Buy what is to be bought of the unit of this key, or see that nothing is. Raises TryLater on an outage, or where
    others change it faster than we do: it stays due.
    """
    for attempt in range(TRIES_MAX):
        stored = queries.recharge_of(context.table, key)
        if stored is None or stored.due_at > context.now:
            return
        try:
            if stored.invoice_id is not None:
                _go_on(context, stored, stored.invoice_id)
            else:
                _look(context, stored)
        except MOVED:
            backoff.wait(attempt)
        else:
            return
    raise TryLater


def _key(stored: StoredRecharge) -> Key:
    return recharge_store.recharge_key(stored.recharge.team_id, stored.recharge.unit)


def _go_on(context: Context, stored: StoredRecharge, invoice_id: int) -> None:
    """An attempt that nobody has heard of: settled if it was decided, else looked at again in some minutes.

    What never came to be is asked for again only while its owner still wants it, and else given up.
    """
    invoice = billing_queries.invoice(context.table, stored.recharge.owner_id, invoice_id)
    if invoice.invoice.status is not InvoiceStatus.PENDING:
        raise recharge_store.RechargeMoved  # it was decided since the row was read
    try:
        wanted = _is_wanted(context, stored, invoice)
        waits = isinstance(resume(context, invoice), Waiting) if wanted else _is_left(context, invoice)
    except PurchaseInFlight:
        return  # somebody is paying it right now, or died doing so
    except AWAY:
        waits = True
    if waits:
        later = context.now + NOT_ASKED_AGAIN_FOR
        with suppress(recharge_store.RechargeMoved):
            commit(
                context.table,
                [recharge_store.changed_recharge(_key(stored), version=stored.version, due_at=later)],
            )


def _is_wanted(context: Context, stored: StoredRecharge, invoice: StoredInvoice) -> bool:
    """Whether the plan goes on, and the owner's rules still allow what was reserved when the attempt began."""
    units = Delivery.model_validate_json(invoice.delivery).units
    if units is None or units.pool is None:
        raise Defect(f"invoice {invoice.invoice.id} is no recharge")
    team_id, owner_id = stored.recharge.team_id, stored.recharge.owner_id
    team_key, spend_key = store.team_key(team_id), recharge_store.spend_key(team_id, units.pool.month)
    holding_key = subscriptions.subscription_key(owner_id, team_id)
    rows = context.table.get_many([team_key, spend_key, holding_key])
    recharge = queries.read_team(rows[team_key]).team.recharge
    if recharge is None or not recharge.enabled or not goes_on(read_holding(rows[holding_key]).holding, context.now):
        return False
    most = recharge.max_period_spend
    return most is None or queries.read_spent(rows.get(spend_key)) <= most


def _is_left(context: Context, invoice: StoredInvoice) -> bool:
    """Give the attempt up; True where it must be left for now, since it may still take money."""
    try:
        take_over(context, invoice)
    except PurchaseInFlight:
        return True
    return False


def _look(context: Context, stored: StoredRecharge) -> None:
    low = _low(context, stored)
    if low is None:
        commit(context.table, [recharge_store.gone_recharge(_key(stored), version=stored.version)])
        return
    rows = _payer(context, low)
    cost, most = low.buying.priced.amount, low.recharge.max_period_spend
    spent = queries.read_spent(rows.get(recharge_store.spend_key(low.team.team.id, _since(low))))
    if most is not None and spent + cost > most:
        _wait(context, stored, low.month[1])
        return
    try:
        billing_queries.check_standing(rows.get(billing.reputation_key(stored.recharge.owner_id)))
        _buy(context, low, rows)
    except BadReputation as refusal:
        _stop(context, low, refusal.slug, _buyer(low, rows))
    except CardRequired:
        _stop(context, low, NO_CARD, _buyer(low, rows))
    except TooManyAttempts as refusal:
        _wait(context, stored, context.now + timedelta(seconds=refusal.retry_after_seconds or 1))


def _low(context: Context, stored: StoredRecharge) -> _Low | None:
    """What is to be bought; None: nothing any more."""
    team_id, name = stored.recharge.team_id, stored.recharge.unit
    team_key, holding_key = store.team_key(team_id), subscriptions.subscription_key(stored.recharge.owner_id, team_id)
    rows = context.table.get_many([team_key, holding_key])
    if team_key not in rows or holding_key not in rows:
        return None
    team, held = queries.read_team(rows[team_key]), read_holding(rows[holding_key])
    terms, recharge = held.holding.terms, team.team.recharge
    unit = pool_units(terms).get(name)
    if recharge is None or not recharge.enabled or unit is None or not goes_on(held.holding, context.now):
        return None
    sold = [catalog.service_key(unit.service_id), catalog.price_key(terms.academy_id, unit.service_id)]
    found = context.table.get_many(sold)
    if any(key not in found for key in sold):
        return None
    service, price = load(Service, found[sold[0]]), load(ServicePrice, found[sold[1]])
    left = left_of(ledger_queries.own_balances(context.table, Holder.team(team_id)), name, context.now)
    bought = buying(recharge, service, price, terms) if is_low(recharge, price, terms, left) else None
    if bought is None:
        return None
    return _Low(stored, team, recharge, held, unit, price, bought, month_of(held.holding, context.now))


def _payer(context: Context, low: _Low) -> dict[Key, Row]:
    """Who pays, with what card, how often they were refused, and what was spent."""
    user_id = low.stored.recharge.owner_id
    keys = [
        identity.user_key(user_id),
        billing.customer_key(user_id, context.gateway.account),
        billing.attempts_key(user_id, AttemptKind.PAYMENT),
        billing.reputation_key(user_id),
        recharge_store.spend_key(low.team.team.id, _since(low)),
    ]
    return context.table.get_many(keys)


def _since(low: _Low) -> int:
    return int(low.month[0].timestamp())


def _buyer(low: _Low, rows: Mapping[Key, Row]) -> Buyer:
    row = rows.get(identity.user_key(low.stored.recharge.owner_id))
    if row is None:
        raise Defect(f"team {low.team.team.id} is nobody's")
    person = load(User, row)
    return Buyer(user_id=person.id, email=person.email, first_name=person.first_name, last_name=person.last_name)


def _buy(context: Context, low: _Low, rows: Mapping[Key, Row]) -> None:
    """Write the attempt down: its invoice, the row bound to it, the spend reserved; then ask for the money."""
    user_id = low.stored.recharge.owner_id
    customer = billing_queries.read_customer(
        rows.get(billing.customer_key(user_id, context.gateway.account)), user_id, context.gateway.account, context.now
    ).customer
    purchase = _purchase(context, low, rows)
    invoice = _off_session(context, purchase, customer)
    team, amount = low.team.team, low.buying.priced.amount
    beside: list[Write] = [
        recharge_store.changed_recharge(
            _key(low.stored),
            version=low.stored.version,
            due_at=context.now + NOT_ASKED_AGAIN_FOR,
            invoice_id=invoice.id,
        ),
        store.unchanged_team(team, version=low.team.version),
        subscriptions.unchanged_holding(low.held.holding, version=low.held.version),
        recharge_store.reserve_spend(team.id, _since(low), amount=amount, most=low.recharge.max_period_spend),
    ]
    stored = begin(context, invoice, purchase.delivery, rows=rows, keyed=None, beside=beside)
    with suppress(*AWAY):  # what the processor did not look at was given up, and waits or has stopped by that
        charge(context, stored)


def _off_session(context: Context, purchase: Purchase, customer: Customer) -> Invoice:
    """Raises CardRequired."""
    invoice = invoice_of(context, purchase, customer)
    if invoice.payment is None:
        raise Defect(f"invoice {invoice.id} has nothing to charge")
    return invoice.model_copy(update={"payment": invoice.payment.model_copy(update={"present": False})})


def _purchase(context: Context, low: _Low, rows: Mapping[Key, Row]) -> Purchase:
    ident, terms = new_id(context.now, context.random_bits), low.held.holding.terms
    units = UnitsDelivery(
        unit=low.unit,
        how_many=low.buying.how_many,
        live_every=low.price.units_live or 0,
        live_unit=low.price.units_live_unit,
        pool=PoolDelivery(team_id=low.team.team.id, month=_since(low)),
    )
    return Purchase(
        id=ident,
        kind=InvoiceKind.UNITS,
        academy_id=terms.academy_id,
        buyer=_buyer(low, rows),
        bag_id=ident,
        priced=low.buying.priced,
        amount=low.buying.priced.amount,
        coupons=(),
        country=terms.country,
        plan_slug=None,
        delivery=Delivery(units=units),
    )


def _wait(context: Context, stored: StoredRecharge, until: datetime) -> None:
    commit(context.table, [recharge_store.changed_recharge(_key(stored), version=stored.version, due_at=until)])


def _stop(context: Context, low: _Low, code: str, buyer: Buyer) -> None:
    """Nobody can be charged: no more is bought, and the owner is told so."""
    recharge = low.stored.recharge
    cause = (recharge.team_id, recharge.unit, recharge.begun_at)
    told = recharge_stopped(buyer, code, cause, context.now)
    commit(
        context.table,
        [
            recharge_store.gone_recharge(_key(low.stored), version=low.stored.version),
            store.saved_team(stopped(low.team.team, code), version=low.team.version),
            outbox.new(told),
        ],
    )
    context.queue.nudge_outbox(told.id)
