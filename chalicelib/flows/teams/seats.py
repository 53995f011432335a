"""What a further seat of a holding gets, and when: the holding's own calendar, with refills of the seat's own. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.ledger.model import Balance, Grant, Holder, Lot, Origin, Source, Unit
from chalicelib.books.subscriptions.course import (
    anchor,
    due_refills,
    ends_moved,
    is_stopped,
    lot_end,
    next_refill_at,
    refills_after,
)
from chalicelib.books.subscriptions.cycle import copied, is_metered
from chalicelib.books.subscriptions.model import Financing, Holding, Status, TermItem
from chalicelib.books.teams.model import Seat
from chalicelib.books.teams.queries import StoredSeat
from chalicelib.flows.fulfillment.plan import Granting, unit_of
from chalicelib.kernel.periods import boundary, utc
from chalicelib.kernel.quantity import UNLIMITED_IN_JSON

GIVEN = 0
"""The mark of an item that does not come again and was given. A later one: when whoever had it before was removed."""


@dataclass(frozen=True, slots=True)
class Given:
    """The seat once what is due was given, and the units themselves."""

    seat: Seat
    grantings: tuple[Granting, ...]


def holder_of(seat: Seat) -> Holder:
    """Whose account has the units of a seat: whoever sits there, or nobody as long as it is empty."""
    return Holder.seat(seat.id) if seat.user_id is None else Holder.person(seat.user_id)


def due_at(holding: Holding, seat: Seat, now: datetime) -> datetime | None:
    """When something must be done about a seat next; None: never, unless its holding changes."""
    if seat.moving_from is not None or seat.closing or must_retime(holding, seat):
        return now
    if not _is_served(holding, seat):
        return None
    return now if _standing(holding, seat, now) else next_refill_at(_seen(holding, seat))


def must_retime(holding: Holding, seat: Seat) -> bool:
    """Whether units that it was given end otherwise than they should."""
    if not seat.is_live or not seat.refills:
        return False
    return seat.lots_until != holding.access_until or seat.terms_since != holding.terms.since


def retimed(holding: Holding, seat: Seat) -> Seat:
    """The seat once its units end with the holding's access. Of other terms nothing was given yet."""
    begins_anew = seat.terms_since != holding.terms.since
    return seat.model_copy(
        update={
            "lots_until": holding.access_until,
            "terms_since": holding.terms.since,
            "refills": {} if begins_anew else seat.refills,
        }
    )


def last_left(holding: Holding, stored: Iterable[StoredSeat]) -> StoredSeat | None:
    """The free seat that was left last of those that keep what was given to them under these terms; None: none does."""
    free = [
        one
        for one in stored
        if not one.seat.is_live and one.seat.refills and one.seat.terms_since == holding.terms.since
    ]
    return max(free, key=lambda one: (one.seat.log[-1].at, one.seat.id), default=None)


def taken_over(holding: Holding, left: Seat, fresh: Seat) -> tuple[Seat, Seat]:
    """The free seat, which has nothing to pass on any more, and a new one that goes on where that was left.

    What was paid for once is given once for each boundary, however often a seat is freed and filled. Units that do not
    come again come with the next paid period; those without limit, of which no copy is worth more than one, at once.
    """
    kinds = {item.link_id: item for item in copied(holding.terms) if item.how_many != UNLIMITED_IN_JSON}
    removed_at = int(left.log[-1].at.timestamp())
    marks = {
        link_id: mark if is_metered(kinds[link_id]) else mark or removed_at
        for link_id, mark in left.refills.items()
        if link_id in kinds
    }
    given_before = {"refills": marks, "terms_since": left.terms_since, "lots_until": left.lots_until}
    return left.model_copy(update={"refills": {}}), fresh.model_copy(update=given_before)


def ends_of(holding: Holding, seat: Seat, balance: Balance, now: datetime) -> dict[str, datetime | None]:
    """When each of the seat's lots on a page should end. Those of other terms, and of a seat that is free, end now."""
    current = {} if seat.closing else current_lots(holding, seat)
    ends_now = now.replace(microsecond=0)
    return {
        lot.id: current.get(lot.id, ends_now)
        for lot in lots_of(seat, balance)
        if lot.id in current or lot.usable(ends_now)
    }


def current_lots(holding: Holding, seat: Seat) -> dict[str, datetime | None]:
    """The lots that a seat has now, and when each should end."""
    seen, marks = _seen(holding, seat), _marks(holding, seat)
    return {
        _lot_id(
            seat, _suffix(holding, item, marks[item.link_id] if is_metered(item) else holding.terms.since)
        ): lot_end(seen, item, holding.access_until)
        for item in seen.terms.items
        if item.link_id in marks
    }


def lots_of(seat: Seat, balance: Balance) -> list[Lot]:
    return [lot for lot in balance.lots if lot.origin.seat_id == seat.id]


def given(holding: Holding, seat: Seat, now: datetime) -> Given | None:
    """What is due of the items that each seat gets; None: nothing is."""
    if not _is_served(holding, seat):
        return None
    seen = _seen(holding, seat)
    comes = next_refill_at(seen)
    standing = _standing(holding, seat, now)
    if not standing and (comes is None or comes > now):
        return None
    refills = due_refills(seen, now)
    units = [(refill.item, int(refill.at.timestamp()), refill.expires_at) for refill in refills]
    units += [(item, holding.terms.since, holding.access_until) for item in standing]
    marks = {**_marks(holding, seat), **refills_after(seen, now), **{item.link_id: GIVEN for item in standing}}
    changes: dict[str, object] = {"refills": marks, "terms_since": holding.terms.since}
    fresh = {item.link_id for item, _, _ in units}
    after = seat.model_copy(update=changes)
    if not seat.refills or not ends_moved(_seen(holding, after), fresh):
        after = after.model_copy(update={"lots_until": holding.access_until})
    return Given(after, _grantings(holding, seat, units))


def moved_grants(seat: Seat, lots: Sequence[Lot], unit: Unit) -> tuple[Grant, ...]:
    """What whoever sits there now gets of the lots of whoever did before: the rest, until the same instant."""
    return tuple(
        Grant(
            lot_id=_lot_id(seat, lot.id.split("_", 3)[3]),
            unit=unit,
            how_many=lot.remaining,
            expires_at=lot.expires_at,
            origin=lot.origin,
        )
        for lot in lots
    )


def _is_served(holding: Holding, seat: Seat) -> bool:
    """Whether units come to it: somebody sits there, and its holding is neither over nor held back."""
    return seat.is_live and seat.user_id is not None and holding.ended_at is None and not is_stopped(holding)


def _seen(holding: Holding, seat: Seat) -> Holding:
    """The holding as a seat has it: the items that are copied, with what the seat was given of them; nothing of it came
    with the purchase, so that it begins long ago, on the same calendar.
    """
    items, marks = copied(holding.terms), _marks(holding, seat)
    return holding.model_copy(
        update={
            "terms": holding.terms.model_copy(update={"items": items, "since": 0}),
            "refills": {item.link_id: marks.get(item.link_id, 0) for item in items if is_metered(item)},
            "lots_until": seat.lots_until,
            "status": Status.ACTIVE if holding.status is Status.FREE_TRIAL else holding.status,
            "origin": anchor(holding),
            "created_at": utc(0),
        }
    )


def _marks(holding: Holding, seat: Seat) -> Mapping[str, int]:
    return seat.refills if seat.terms_since == holding.terms.since else {}


def _standing(holding: Holding, seat: Seat, now: datetime) -> list[TermItem]:
    """Items that do not come again, and that the seat was not given yet, nor whoever left it in this paid period."""
    until = holding.access_until
    if until is not None and until <= now:
        return []
    marks, since = _marks(holding, seat), int(period_of(holding)[0].timestamp())
    return [
        item
        for item in copied(holding.terms)
        if not is_metered(item) and (item.link_id not in marks or GIVEN < marks[item.link_id] < since)
    ]


def period_of(holding: Holding) -> tuple[datetime, datetime | None]:
    """What is paid for: the latest period of a subscription, and all of a financing."""
    if isinstance(holding, Financing):
        return holding.created_at, holding.plan_expires_at
    if holding.status is Status.FREE_TRIAL or holding.periods_paid < 1:
        return holding.created_at, holding.paid_until
    return boundary(holding.origin, holding.terms.period, holding.periods_paid - 1), holding.paid_until


def _lot_id(seat: Seat, suffix: str) -> str:
    """Named after who has the seat by turns, and after what it is of: `moved_grants` takes the two apart."""
    return f"{seat.team_id}_{seat.id}_{seat.turn}_{suffix}"


def _suffix(holding: Holding, item: TermItem, mark: int) -> str:
    return f"{holding.terms.since}_{item.link_id}_{mark}"


def _grantings(
    holding: Holding, seat: Seat, units: Sequence[tuple[TermItem, int, datetime | None]]
) -> tuple[Granting, ...]:
    financed = isinstance(holding, Financing)
    origin = Origin(
        source=Source.PLAN,
        subscription_id=None if financed else holding.id,
        financing_id=holding.id if financed else None,
        team_id=holding.id,
        seat_id=seat.id,
    )
    found: dict[str, tuple[Unit, list[Grant]]] = {}
    for item, mark, expires_at in units:
        unit = unit_of(item, holding.terms.academy_id)
        grant = Grant(
            lot_id=_lot_id(seat, _suffix(holding, item, mark)),
            unit=unit,
            how_many=item.how_many,
            expires_at=expires_at,
            origin=origin,
        )
        found.setdefault(unit.name, (unit, []))[1].append(grant)
    holder = holder_of(seat)
    return tuple(Granting(holder, unit, tuple(grants)) for unit, grants in found.values())
