"""Tend: do what is due about one subscription or financing, one step a transaction, until nothing is.

Every step is computed from the row as it is and written only over that row, so this may run twice, late, and in
parallel with itself and with the customer; a process that dies leaves a row from which the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from chalicelib.books.billing import store as billing
from chalicelib.books.billing.gateway import (
    PaymentRefused,
    PaymentServiceBusy,
    PaymentServiceDown,
    PaymentUnauthorized,
)
from chalicelib.books.billing.store import PurchaseInFlight
from chalicelib.books.identity import queries as identity
from chalicelib.books.ledger import queries as ledger_queries
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.model import Balance, Holder
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.course import (
    Step,
    current_lots,
    dearer_told,
    due_step,
    paying_invoice_id,
    trial_told,
)
from chalicelib.books.subscriptions.model import Holding, Status, Subscription
from chalicelib.books.subscriptions.queries import Held
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.latest import latest, wrote
from chalicelib.flows.fulfillment.renew import Places, grant_writes, places_now, with_refills
from chalicelib.flows.fulfillment.renewal import not_asked, over
from chalicelib.flows.recurring.collect import By, chargeable, collect
from chalicelib.flows.recurring.notices import dearer, trial_ends
from chalicelib.flows.recurring.price import next_price, period_price
from chalicelib.flows.recurring.rewrite import rewrite
from chalicelib.flows.recurring.wishes import paused
from chalicelib.kernel.errors import Defect, TryLater
from chalicelib.kernel.money import Money
from chalicelib.kernel.periods import boundary

STEPS_MAX = 20
COLLISIONS_MAX = 5
TOLD_KEPT = 4
PAGES_TRIED_MAX = 5
AWAY = (PaymentRefused, PaymentServiceBusy, PaymentServiceDown, PaymentUnauthorized)
"""What the processor says when it did not look at a payment, or cannot be asked about one."""
MOVED = (subscriptions.HoldingMoved, billing.InvoiceMoved, ledger.Moved)


def tend(context: Context, key: Key) -> None:
    """Do everything that is due about the holding of this key.

    Raises TryLater on an outage, or where others change it faster than we do: it stays due.
    """
    collisions = 0
    for _ in range(STEPS_MAX):
        held = latest(context, key)
        step = None if held is None else due_step(held.holding, context.now)
        if held is None or step is None:
            return
        try:
            STEPS[step](context, held)
        except PurchaseInFlight:
            return  # somebody is paying it right now, or died doing so: the row is looked at again in some minutes
        except MOVED as moved:
            context.holdings.clear()
            collisions += 1
            if collisions > COLLISIONS_MAX:
                raise TryLater from moved
            backoff.wait(collisions)
    raise Defect(f"there is no end to what is due about {key.sk}")


def _charge(context: Context, held: Held) -> None:
    try:
        collect(context, held, by=By.SCHEDULE)
    except AWAY:
        with suppress(subscriptions.HoldingMoved):  # where the attempt was written down, so was when to ask again
            later = not_asked(held.holding, context.now)
            commit(context.table, [subscriptions.changed_holding(later, version=held.version)])


def _pause(context: Context, held: Held) -> None:
    """What was paid has ended: the calendar begins anew when the pause is over."""
    holding = held.holding
    if not isinstance(holding, Subscription) or holding.pause is None:
        raise Defect(f"holding {holding.id} has no pause")
    rewrite(context, held, paused(holding, holding.pause), "paused")


def _end(context: Context, held: Held) -> None:
    """Access has ended and nothing will prolong it: the plan can be bought again."""
    holding = held.holding
    stays = holding.status in (Status.CANCELLED, Status.FULLY_PAID)
    status = holding.status if stays else Status.EXPIRED
    rewrite(context, held, over(holding, status, holding.status_message, context.now), "ended")


def _refill(context: Context, held: Held) -> None:
    holding = held.holding
    invoice_id = paying_invoice_id(holding, context.now)
    after, grantings = with_refills(holding, context.now, invoice_id)
    places: Places = {}
    for _ in range(PAGES_TRIED_MAX):
        cause = f"invoice:{invoice_id}"
        grants = grant_writes(grantings, places, invoice_id=invoice_id, cause=cause, now=context.now)
        try:
            commit(context.table, [subscriptions.changed_holding(after, version=held.version), *grants])
        except (ledger.PageFull, ledger.OwesUnits):
            places = places_now(context, grantings)
        else:
            return
    raise Defect(f"no balance page has room for the refill of {holding.id}")


def _retime(context: Context, held: Held) -> None:
    """Let the units that it gave end when its access does."""
    holding = held.holding
    ends = current_lots(holding)
    holders = [Holder.person(holding.user_id)]
    if any(item.pooled for item in holding.terms.items):
        holders.append(Holder.team(holding.id))
    writes: list[Write] = []
    for holder in holders:
        for balance in ledger_queries.own_balances(context.table, holder):
            wanted = {
                lot.id: ends.get(lot.id, context.now.replace(microsecond=0))
                for lot in balance.lots
                if _is_of(balance, lot.id, holding) and (lot.id in ends or lot.usable(context.now))
            }
            writes += ledger.retime_writes(
                holder,
                balance,
                wanted,
                entry_id=f"retime_{holding.id}_{held.version}_{balance.unit.name}_{balance.page}",
                cause=f"access:{holding.id}",
                now=context.now.replace(microsecond=0),
            )
    after = holding.model_copy(update={"lots_until": holding.access_until})
    commit(context.table, [subscriptions.changed_holding(after, version=held.version), *writes])
    wrote(context, after, version=held.version + 1)


def _is_of(balance: Balance, lot_id: str, holding: Holding) -> bool:
    origin = next(lot.origin for lot in balance.lots if lot.id == lot_id)
    return holding.id in (origin.subscription_id, origin.financing_id)


def _trial_notice(context: Context, held: Held) -> None:
    holding = _subscription(held)
    amount = Money(chargeable(next_price(holding)), holding.terms.currency)
    person = identity.user(context.table, holding.user_id).person
    told = trial_ends(person, holding, amount, context.now)
    _tell(context, held, trial_told(holding), told)


def _dearer_notice(context: Context, held: Held) -> None:
    """Told only where the next payment is more than the last one was; looked at once for each."""
    holding = _subscription(held)
    due = holding.next_payment_at
    if due is None:
        raise Defect(f"holding {holding.id} is not renewed")
    before = boundary(holding.origin, holding.terms.period, holding.periods_paid - 1)
    last = chargeable(period_price(holding, payments=max(holding.payments - 1, 0), at=before))
    coming = chargeable(next_price(holding))
    told = None
    if coming > last:
        code = holding.terms.currency
        person = identity.user(context.table, holding.user_id).person
        told = dearer(person, holding, Money(last, code), Money(coming, code), due, context.now)
    _tell(context, held, dearer_told(due), told)


def _tell(context: Context, held: Held, name: str, message: Message | None) -> None:
    after = held.holding.model_copy(update={"told": (*held.holding.told, name)[-TOLD_KEPT:]})
    writes: list[Write] = [subscriptions.changed_holding(after, version=held.version)]
    if message is not None:
        writes.append(outbox.new(message))
    commit(context.table, writes)
    if message is not None:
        context.queue.nudge_outbox(message.id)


def _subscription(held: Held) -> Subscription:
    if not isinstance(held.holding, Subscription):
        raise Defect(f"holding {held.holding.id} is no subscription")
    return held.holding


STEPS: Mapping[Step, Callable[[Context, Held], None]] = {
    Step.RETIME: _retime,
    Step.PAUSE: _pause,
    Step.CHARGE: _charge,
    Step.END: _end,
    Step.REFILL: _refill,
    Step.TRIAL_NOTICE: _trial_notice,
    Step.DEARER_NOTICE: _dearer_notice,
}
