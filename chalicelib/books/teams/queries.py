"""Reads of teams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.teams import recharge_store, store
from chalicelib.books.teams.model import Membership, Recharge, Seat, Team
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.table import Due, Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.periods import utc


class SeatNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "seat-not-found"
    detail = "The team has no such seat."


@dataclass(frozen=True, slots=True)
class StoredTeam:
    """A team as it was read; version 0: it has no row yet."""

    team: Team
    version: int


@dataclass(frozen=True, slots=True)
class StoredSeat:
    """A seat as it was read, and when it is to be looked at."""

    seat: Seat
    version: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredRecharge:
    """A recharge as it was read, when it is to be looked at, and the invoice by which it is being paid."""

    recharge: Recharge
    version: int
    due_at: datetime
    invoice_id: int | None


def read_seat(row: Row) -> StoredSeat:
    due = row.values.get("due_at")
    return StoredSeat(load(Seat, row), row.version, utc(due) if isinstance(due, int) else None)


def read_team(row: Row) -> StoredTeam:
    return StoredTeam(load(Team, row), row.version)


def read_recharge(row: Row) -> StoredRecharge:
    invoice_id = row.values.get("invoice")
    return StoredRecharge(
        load(Recharge, row),
        row.version,
        utc(int(str(row.values["due_at"]))),
        invoice_id if isinstance(invoice_id, int) else None,
    )


def read_spent(row: Row | None) -> int:
    return 0 if row is None else int(str(row.values["spent"]))


def team(table: Table, team_id: int) -> StoredTeam | None:
    row = table.get(store.team_key(team_id))
    return None if row is None else read_team(row)


def seats(table: Table, team_id: int) -> list[StoredSeat]:
    """Every seat that a team has and had, but for its owner's, the oldest first."""
    return [read_seat(row) for row in table.query_all(keys.team(team_id), prefix=store.SEAT_PREFIX)]


def seat_of(table: Table, key: Key) -> StoredSeat | None:
    """The seat of a key, as it is now."""
    row = table.get(key)
    return None if row is None else read_seat(row)


def seat(table: Table, team_id: int, seat_id: int) -> StoredSeat:
    """Raises SeatNotFound."""
    found = seat_of(table, store.seat_key(team_id, seat_id))
    if found is None:
        raise SeatNotFound
    return found


def seat_with_email(table: Table, team_id: int, email_digest: str) -> StoredSeat | None:
    """The live seat of an e-mail in a team."""
    row = table.get(store.claim_key(team_id, email_digest))
    return None if row is None else seat(table, team_id, int(str(row.values["id"])))


def memberships(table: Table, user_id: int) -> list[Membership]:
    """The teams of others in which a person sits."""
    return [load(Membership, row) for row in table.query_all(keys.user(user_id), prefix=store.MEMBER_PREFIX)]


def is_member(table: Table, user_id: int, team_id: int) -> bool:
    return table.get(store.member_key(user_id, team_id)) is not None


def due_seats(table: Table, now: datetime, *, enough: int = 1) -> list[Due]:
    """The seats about which something must be done, the oldest first: a hundred a shard, or on to `enough`."""
    return table.due(store.SEATS_DUE, now, enough=enough)


def recharge_of(table: Table, key: Key) -> StoredRecharge | None:
    """The recharge of a key, as it is now."""
    row = table.get(key)
    return None if row is None else read_recharge(row)


def recharges(table: Table, team_id: int) -> list[StoredRecharge]:
    """What waits to be bought for a team's pool, or is being paid."""
    rows = table.query_all(keys.team(team_id), prefix=recharge_store.RECHARGE_PREFIX)
    return [read_recharge(row) for row in rows]


def spent(table: Table, team_id: int, since: int) -> int:
    """What recharges came to, in minor units, in the month that began then (unix seconds)."""
    return read_spent(table.get(recharge_store.spend_key(team_id, since)))


def due_recharges(table: Table, now: datetime, *, enough: int = 1) -> list[Due]:
    """The recharges that must be looked at, the oldest first: a hundred a shard, or on to `enough`."""
    return table.due(recharge_store.RECHARGES_DUE, now, enough=enough)
