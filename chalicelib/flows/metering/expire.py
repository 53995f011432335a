"""Expire: clear the lots that have expired off a balance page, so that pages stay small. No balance changes by it.

What was paid for is remembered with its invoice, so that a refund does not take units for spent that ran out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.ledger import queries as ledger_queries
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.expiry import expired, look
from chalicelib.books.ledger.model import Balance, Lot, Origin
from chalicelib.books.subscriptions import queries as subscriptions
from chalicelib.books.subscriptions.course import current_lots
from chalicelib.books.subscriptions.model import Financing, Holding, Subscription
from chalicelib.books.subscriptions.queries import FinancingNotFound, SubscriptionNotFound
from chalicelib.books.teams import queries as teams
from chalicelib.books.teams.store import seat_key
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.context import Context
from chalicelib.flows.teams import seats
from chalicelib.flows.teams.seats import holder_of
from chalicelib.kernel.errors import TryLater

TRIES_MAX = 3
MOVED = (ledger.Moved, billing.InvoiceMoved)


def expire_page(context: Context, key: Key) -> int:
    """Clear a page that is due; answers how many lots went. May run twice, late, or at once with anything.

    Lots stay that their subscription or financing may still make last longer, and what is held or disputed. Raises
    TryLater where others change it too fast: it stays due.
    """
    for attempt in range(TRIES_MAX):
        balance = ledger_queries.page_at(context.table, key)
        if balance is None or balance.look_at is None or balance.look_at > context.now:
            return 0
        holdings = _holdings(context, balance)
        over = expired(balance, context.now)
        kept = {lot.id for lot in over if _may_last(context, holdings.get(_holding_id(lot.origin)), balance, lot)}
        found = look(balance, context.now, kept=kept)
        writes = [
            *ledger.expire_writes(balance.holder, balance, found, now=context.now),
            *_remembered(context, balance, found.going, holdings),
        ]
        try:
            commit(context.table, writes)
        except MOVED:
            backoff.wait(attempt)
            continue
        return len(found.going)
    raise TryLater


def _may_last(context: Context, holding: Holding | None, balance: Balance, lot: Lot) -> bool:
    """Whether a payment could still make the lot end later: while what it belongs to is not over, and it is the
    latest of its item, or of its seat's.
    """
    if holding is None or holding.ended_at is not None:
        return False
    if lot.origin.seat_id is None:
        return lot.id in current_lots(holding)
    stored = teams.seat_of(context.table, seat_key(holding.id, lot.origin.seat_id))
    if stored is None or not stored.seat.is_live or holder_of(stored.seat) != balance.holder:
        return False
    return lot.id in seats.current_lots(holding, stored.seat)


def _holding_id(origin: Origin) -> int | None:
    return origin.subscription_id if origin.subscription_id is not None else origin.financing_id


def _holdings(context: Context, balance: Balance) -> dict[int | None, Holding]:
    """What the expired lots belong to, whoever it is of: a pool and a seat use what another person pays."""
    found: dict[int | None, Holding] = {}
    for lot in expired(balance, context.now):
        ident = _holding_id(lot.origin)
        if ident is None or ident in found:
            continue
        try:
            found[ident] = _holding(context, balance.unit.academy_id, lot.origin, ident)
        except (SubscriptionNotFound, FinancingNotFound):
            continue  # it is not there any more, and makes nothing last longer
    return found


def _holding(context: Context, academy_id: int, origin: Origin, ident: int) -> Holding:
    if origin.subscription_id is None:
        return subscriptions.holding_of_academy(context.table, Financing, academy_id, ident)
    return subscriptions.holding_of_academy(context.table, Subscription, academy_id, ident)


def _remembered(
    context: Context, balance: Balance, going: Iterable[Lot], holdings: dict[int | None, Holding]
) -> list[Write]:
    """The invoices that paid for units that ran out."""
    ran_out: dict[tuple[int, int], Counter[str]] = {}
    for lot in going:
        if lot.origin.invoice_id is not None and lot.remaining > 0:
            payer = _payer(context, balance, lot.origin, holdings.get(_holding_id(lot.origin)))
            ran_out.setdefault((payer, lot.origin.invoice_id), Counter())[lot.id] += lot.remaining
    writes: list[Write] = []
    for (payer, invoice_id), units in ran_out.items():
        for stored in billing_queries.invoices_stored(context.table, payer, [invoice_id]):
            revoked = dict(units + Counter(stored.invoice.revoked_units))
            changed = stored.invoice.model_copy(update={"revoked_units": revoked})
            writes.append(billing.changed_invoice(changed, version=stored.version))
    return writes


def _payer(context: Context, balance: Balance, origin: Origin, holding: Holding | None) -> int:
    """Who paid for a lot: its holder, or where a team uses it, whoever the team is of."""
    if holding is not None:
        return holding.user_id
    if origin.team_id is None:
        return balance.holder_id
    stored = teams.team(context.table, origin.team_id)
    return balance.holder_id if stored is None else stored.team.owner_id
