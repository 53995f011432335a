"""Reads of teams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.teams import store
from chalicelib.books.teams.model import Membership, Seat, Team
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


def read_seat(row: Row) -> StoredSeat:
    due = row.values.get("due_at")
    return StoredSeat(load(Seat, row), row.version, utc(due) if isinstance(due, int) else None)


def read_team(row: Row) -> StoredTeam:
    return StoredTeam(load(Team, row), row.version)


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
