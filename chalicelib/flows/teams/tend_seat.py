"""Tend a seat: give its units, let them end, move them to whoever sits there next; one step a transaction.

As with holdings: every step is computed from the rows as they are and written only over the seat as it was read, so
this may run twice, late, and in parallel, and a process that dies leaves a row from which the next one goes on.
"""

from __future__ import annotations

from contextlib import suppress

from chalicelib.books.ledger import pool_store
from chalicelib.books.ledger import queries as ledger_queries
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.burn import Take
from chalicelib.books.ledger.entries import portion_of
from chalicelib.books.ledger.model import Balance, Entry, EntryKind, Holder
from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Holding
from chalicelib.books.teams import queries, store
from chalicelib.books.teams.model import Seat
from chalicelib.books.teams.queries import StoredSeat
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.plan import Granting
from chalicelib.flows.fulfillment.renew import Places, lot_writes, places_now
from chalicelib.flows.teams.seats import due_at, ends_of, given, holder_of, lots_of, moved_grants, must_retime, retimed
from chalicelib.kernel.errors import Defect, TryLater

STEPS_MAX = 20
COLLISIONS_MAX = 5
PAGES_TRIED_MAX = 5
MOVED_AT_ONCE_MAX = 20
"""How many balance pages one transaction moves: four writes each."""
MOVED = (store.SeatMoved, ledger.Moved)


def holding_key_of(seat: Seat) -> Key:
    key = subscriptions.financing_key if seat.financed else subscriptions.subscription_key
    return key(seat.owner_id, seat.team_id)


def tend_seat(context: Context, key: Key) -> None:
    """Do everything that is due about the seat of this key. Raises TryLater on an outage: it stays due."""
    collisions = 0
    for _ in range(STEPS_MAX):
        stored = queries.seat_of(context.table, key)
        if stored is None:
            return
        held = subscription_queries.held(context.table, holding_key_of(stored.seat))
        if held is None:
            raise Defect(f"seat {stored.seat.id} is of no holding")
        try:
            if not _step(context, stored, held.holding):
                return
        except MOVED:
            collisions += 1
            if collisions > COLLISIONS_MAX:
                raise
            backoff.wait(collisions)
    raise Defect(f"there is no end to what is due about {key.pk} {key.sk}")


def tend_soon(context: Context, key: Key) -> None:
    """The same for whoever has something else to answer: what cannot be done at once stays due."""
    with suppress(TryLater, *MOVED):
        tend_seat(context, key)


def _step(context: Context, stored: StoredSeat, holding: Holding) -> bool:
    """Do what is to be done first. False: nothing is left."""
    seat = stored.seat
    if seat.moving_from is not None:
        _move(context, stored, holding, Holder(*seat.moving_from))
    elif seat.closing:
        _retime(context, stored, holding, seat.model_copy(update={"closing": False}))
    elif must_retime(holding, seat):
        _retime(context, stored, holding, retimed(holding, seat))
    else:
        coming = given(holding, seat, context.now)
        if coming is not None:
            _give(context, stored, holding, coming.seat, coming.grantings)
        elif stored.due_at is not None and stored.due_at <= context.now:
            commit(context.table, [_saved(context, stored, holding, seat)])
        else:
            return False
    return True


def _saved(context: Context, stored: StoredSeat, holding: Holding, after: Seat) -> Write:
    return store.changed_seat(after, version=stored.version, due_at=due_at(holding, after, context.now))


def _give(context: Context, stored: StoredSeat, holding: Holding, after: Seat, grantings: tuple[Granting, ...]) -> None:
    places: Places = {}
    for _ in range(PAGES_TRIED_MAX):
        grants = lot_writes(grantings, places, cause=f"seat:{after.id}:{stored.version}", now=context.now)
        try:
            commit(context.table, [_saved(context, stored, holding, after), *grants])
        except (ledger.PageFull, ledger.OwesUnits):
            places = places_now(context, grantings)
        else:
            return
    raise Defect(f"no balance page has room for the units of seat {after.id}")


def _retime(context: Context, stored: StoredSeat, holding: Holding, after: Seat) -> None:
    holder = holder_of(stored.seat)
    writes: list[Write] = []
    for balance in ledger_queries.own_balances(context.table, holder):
        writes += ledger.retime_writes(
            holder,
            balance,
            ends_of(holding, stored.seat, balance, context.now),
            entry_id=f"{_name(stored, balance)}#retime",
            cause=f"seat:{after.id}",
            now=context.now.replace(microsecond=0),
        )
    commit(context.table, [_saved(context, stored, holding, after), *writes, *_pool(context, stored.seat, holding)])


def _pool(context: Context, seat: Seat, holding: Holding) -> list[Write]:
    """The pool of a plan that has one, where whoever sits there came under one that had none."""
    if seat.user_id is None or not seat.is_live or not any(item.pooled for item in holding.terms.items):
        return []
    member, team = Holder.person(seat.user_id), Holder.team(seat.team_id)
    has_one = context.table.get(pool_store.pool_key(member, team)) is not None
    return [] if has_one else [pool_store.pool_write(member, team)]


def _move(context: Context, stored: StoredSeat, holding: Holding, before: Holder) -> None:
    """Take what is left of the seat's lots from whoever had it, and give it to whoever has it now, page by page."""
    seat = stored.seat
    left = [
        balance
        for balance in ledger_queries.own_balances(context.table, before)
        if any(lot.usable(context.now) for lot in lots_of(seat, balance))
    ]
    at_once = left[:MOVED_AT_ONCE_MAX]
    after = seat if len(left) > len(at_once) else seat.model_copy(update={"moving_from": None})
    taking = [write for balance in at_once for write in _taken(context, stored, before, balance)]
    grantings = _coming(context, seat, at_once)
    places: Places = {}
    for _ in range(PAGES_TRIED_MAX):
        coming = lot_writes(grantings, places, cause=f"seat:{seat.id}:{stored.version}", now=context.now)
        try:
            commit(context.table, [_saved(context, stored, holding, after), *taking, *coming])
        except (ledger.PageFull, ledger.OwesUnits):
            places = places_now(context, grantings)
        else:
            return
    raise Defect(f"no balance page has room for the units of seat {seat.id}")


def _taken(context: Context, stored: StoredSeat, before: Holder, balance: Balance) -> list[Write]:
    takes = [Take(balance, lot, lot.remaining) for lot in lots_of(stored.seat, balance) if lot.usable(context.now)]
    entry = Entry(
        id=f"{_name(stored, balance)}#move",
        kind=EntryKind.MOVE,
        unit=balance.unit,
        units=-sum(take.units for take in takes if take.units > 0),
        portions=tuple(portion_of(take) for take in takes),
        cause=f"seat:{stored.seat.id}",
        at=context.now,
    )
    return ledger.take_writes(before, balance, takes, entry=entry, now=context.now)


def _coming(context: Context, seat: Seat, balances: list[Balance]) -> list[Granting]:
    """One for each unit, also where several pages had it: a transaction names a row once."""
    found: dict[str, Granting] = {}
    for balance in balances:
        lots = [lot for lot in lots_of(seat, balance) if lot.usable(context.now)]
        before = found.get(balance.unit.name)
        grants = (() if before is None else before.grants) + moved_grants(seat, lots, balance.unit)
        found[balance.unit.name] = Granting(holder_of(seat), balance.unit, grants)
    return list(found.values())


def _name(stored: StoredSeat, balance: Balance) -> str:
    """What the entries of one page are called that a seat makes: once for each version of it."""
    return f"seat_{stored.seat.id}_{stored.version}_{balance.unit.name}_{balance.page}"
