"""Teams, seats, claims of e-mails and memberships as rows.

In a team's partition: `TEAM`, `SEAT#{id}` (which waits in the due index while something must be done about its units),
`EMAIL#{hash}`, which names the live seat of an e-mail, and `USED#{user}#{period}`: what a member used of the pool. In a
member's own partition: `MEMBER#{team}`.
"""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.teams.model import Membership, Seat, Team
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Condition, Path
from chalicelib.dynamo.rows import Key, Value
from chalicelib.dynamo.writes import Check, Delete, Put, Update, absent, at_version, never, present
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import sortable

SEATS_DUE = "seat"
SEAT_PREFIX = "SEAT#"
MEMBER_PREFIX = "MEMBER#"
USES_KEPT_SECONDS = 800 * 86_400


class TeamMoved(Exception):
    """The team was changed by somebody else since it was read."""


class SeatMoved(Exception):
    """The seat was changed by somebody else since it was read."""


class DuplicateSeat(DomainError):
    slug = "duplicate-team-seat"
    detail = "{email} has a seat in this team already."


class MemberCapReached(DomainError):
    kind = Kind.PAYMENT_REQUIRED
    slug = "per-member-cap-reached"
    detail = "Each member may use {cap} units of the team's pool in a period, and these are used."


def team_key(team_id: int) -> Key:
    return Key(keys.team(team_id), "TEAM")


def seat_key(team_id: int, seat_id: int) -> Key:
    return Key(keys.team(team_id), keys.ordered("SEAT", seat_id))


def claim_key(team_id: int, email_digest: str) -> Key:
    return Key(keys.team(team_id), f"EMAIL#{email_digest}")


def member_key(user_id: int, team_id: int) -> Key:
    return Key(keys.user(user_id), keys.ordered("MEMBER", team_id))


def saved_team(team: Team, *, version: int) -> Put:
    """The team over the one read at `version`; 0: there was none. Raises TeamMoved."""
    return Put(
        key=team_key(team.id),
        values={"doc": team.model_dump_json(), "version": version + 1},
        condition=at_version(version),
        refused=lambda old: TeamMoved(),
    )


def unchanged_team(team: Team, *, version: int) -> Check:
    """It is as it was read at `version`; 0: there is none. Raises TeamMoved."""
    return Check(key=team_key(team.id), condition=at_version(version), refused=lambda old: TeamMoved())


def new_seat(seat: Seat, *, due_at: datetime | None) -> Put:
    return Put(
        key=seat_key(seat.team_id, seat.id),
        values=_values(seat, 1, due_at),
        condition=absent,
        refused=lambda old: SeatMoved(),
    )


def changed_seat(seat: Seat, *, version: int, due_at: datetime | None) -> Put:
    """The seat over the one read at `version`, to be looked at again at `due_at`. Raises SeatMoved."""
    return Put(
        key=seat_key(seat.team_id, seat.id),
        values=_values(seat, version + 1, due_at),
        condition=at_version(version) & present,
        refused=lambda old: SeatMoved(),
    )


def unchanged_seat(seat: Seat, *, version: int) -> Check:
    """It is as it was read at `version`. Raises SeatMoved."""
    return Check(
        key=seat_key(seat.team_id, seat.id),
        condition=at_version(version) & present,
        refused=lambda old: SeatMoved(),
    )


def wake_seat(key: Key, now: datetime) -> Update:
    """Let a seat be looked at now. Whoever changes it from what they read before must read again."""
    return Update(
        key=key,
        actions=(
            Path("version").add(1),
            Path("due_shard").set(_shard(key)),
            Path("due_at").set(int(now.timestamp())),
        ),
        condition=present,
        refused=never("a seat stays, also when it is free"),
    )


def claim_email(seat: Seat, email_digest: str) -> Put:
    """Claim the one live seat that an e-mail has in a team. Raises DuplicateSeat."""
    return Put(
        key=claim_key(seat.team_id, email_digest),
        values={"id": seat.id},
        condition=absent,
        refused=lambda old: DuplicateSeat(email=seat.email),
    )


def give_back_email(seat: Seat, email_digest: str) -> Delete:
    return Delete(
        key=claim_key(seat.team_id, email_digest),
        condition=Path("id") == seat.id,
        refused=lambda old: SeatMoved(),
    )


def use_key(team_id: int, user_id: int, since: int) -> Key:
    """How much of a pool somebody used in the period that began then."""
    return Key(keys.team(team_id), f"USED#{sortable(user_id)}#{since}")


def use_pool(team_id: int, user_id: int, *, since: int, units: int, cap: int) -> Update:
    """Count units that a member takes of the pool, where their cap allows as many. Raises MemberCapReached."""
    used = Path("used")
    room: Condition = used <= cap - units
    return Update(
        key=use_key(team_id, user_id, since),
        actions=(used.add(units), Path("ttl").set(since + USES_KEPT_SECONDS)),
        condition=(~used.exists() | room) if units <= cap else room,
        refused=lambda old: MemberCapReached(cap=cap),
    )


def pool_use_back(team_id: int, user_id: int, *, since: int, units: int) -> Update:
    """Count them no more: the use of them was cancelled."""
    return Update(
        key=use_key(team_id, user_id, since),
        actions=(Path("used").add(-units),),
        condition=present,
        refused=never("what was counted is there until long after its period"),
    )


def new_member(user_id: int, membership: Membership) -> Put:
    """Raises SeatMoved where the person sits in the team already."""
    return Put(
        key=member_key(user_id, membership.team_id),
        values={"doc": membership.model_dump_json(), "seat": membership.seat_id},
        condition=absent,
        refused=lambda old: SeatMoved(),
    )


def gone_member(user_id: int, seat: Seat) -> Delete:
    return Delete(
        key=member_key(user_id, seat.team_id),
        condition=Path("seat") == seat.id,
        refused=lambda old: SeatMoved(),
    )


def _values(seat: Seat, version: int, due_at: datetime | None) -> dict[str, Value]:
    values: dict[str, Value] = {"doc": seat.model_dump_json(), "version": version}
    if due_at is not None:
        shard = _shard(seat_key(seat.team_id, seat.id))
        values |= {"due_shard": shard, "due_at": int(due_at.timestamp())}
    return values


def _shard(key: Key) -> str:
    return keys.due_shard(SEATS_DUE, f"{key.pk} {key.sk}")
