"""Fill seats: the owner gives seats to people, and seats of people to others. Each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from chalicelib.books.enrollment.store import InvitationMoved
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.credentials import InvalidEmail, checked_email, email_digest
from chalicelib.books.identity.model import User
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.course import seats_mark
from chalicelib.books.subscriptions.cycle import coming_terms
from chalicelib.books.teams import queries, store
from chalicelib.books.teams.invites import TooManyInvites, inviting
from chalicelib.books.teams.model import Seat, SeatStatus, Team
from chalicelib.books.teams.store import DuplicateSeat
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.context import Context
from chalicelib.flows.enrollment.invite import invite_to_seat
from chalicelib.flows.teams.find import OwnTeam, TeamRef, own_team
from chalicelib.flows.teams.leave import leaving
from chalicelib.flows.teams.notices import seat_given
from chalicelib.flows.teams.remove_seat import OwnerSeatStays
from chalicelib.flows.teams.seats import last_left, taken_over
from chalicelib.flows.teams.sit import handed_over, sitting_writes
from chalicelib.flows.teams.tend_seat import tend_seat, tend_soon
from chalicelib.kernel.errors import DomainError, Kind, TryLater
from chalicelib.kernel.ids import new_id

TRIES_MAX = 8
MOVED = (
    store.TeamMoved,
    store.SeatMoved,
    subscriptions.HoldingMoved,
    InvitationMoved,
)


class SeatsRequired(DomainError):
    slug = "add-or-replace-seats-required"
    detail = "Say who gets a seat: `add_seats`, `replace_seats`, or both."


class SeatsLimitExceeded(DomainError):
    slug = "seats-limit-exceeded"
    detail = "The team has {limit} seats and uses {used} of them: buy more, or remove somebody."


class PoorQualityEmail(DomainError):
    slug = "poor-quality-email"
    detail = "{email} is no e-mail that mail can be sent to."


class NoSeatWithThisEmail(DomainError):
    slug = "no-seat-with-this-email"
    detail = "Nobody with the e-mail {email} has a seat in this team."


class SeatWithThisEmailExists(DomainError):
    slug = "seat-with-this-email-already-exists"
    detail = "{email} has a seat in this team already."


class SeatUserNotFound(DomainError):
    slug = "user-not-found"
    detail = "No user {user} has the e-mail {email}."


class TeamNotUsable(DomainError):
    kind = Kind.CONFLICT
    slug = "subscription-not-active"
    detail = "What the team shares has ended or is held back, so nobody can be seated now."


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitter:
    """Who is to sit on a seat. `user_id`, where it is given, must be of whoever has the e-mail."""

    email: str
    user_id: int | None = None
    first_name: str = ""
    last_name: str = ""


@dataclass(frozen=True, slots=True)
class Replacement:
    from_email: str
    to: Sitter


@dataclass(frozen=True, slots=True)
class FillSeats:
    add: Sequence[Sitter] = ()
    replace: Sequence[Replacement] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """The seats as they are now, and what was refused, each with its e-mail."""

    seats: tuple[Seat, ...]
    refused: tuple[tuple[str, DomainError], ...]


def fill_seats(context: Context, ref: TeamRef, command: FillSeats) -> Filled:
    """Do all that can be done of it. Raises SeatsRequired, what `own_team` refuses, TeamNotUsable, and
    SeatsLimitExceeded where there are not so many free seats, TooManyInvites where that refused before anybody was
    seated: then nothing was done.
    """
    if not command.add and not command.replace:
        raise SeatsRequired
    found = own_team(context.table, ref)
    _check_usable(context, found)
    known = context.table.get_many(store.claim_key(ref.holding_id, email_digest(one.email)) for one in command.add)
    fresh = {email_digest(one.email) for one in command.add if _is_email(one.email)}
    _check_limit(found, sum(store.claim_key(ref.holding_id, digest) not in known for digest in fresh))
    done: list[Seat] = []
    refused: list[tuple[str, DomainError]] = []
    works = [
        *((sitter.email, partial(_add, context, ref, sitter)) for sitter in command.add),
        *((asked.to.email, partial(_replace, context, ref, asked)) for asked in command.replace),
    ]
    for email, work in works:
        try:
            done.append(work())
        except TryLater:
            raise
        except TooManyInvites as error:
            if not done:
                raise
            refused.append((email, error))
        except DomainError as error:
            refused.append((email, error))
    return Filled(tuple(done), tuple(refused))


def _check_usable(context: Context, found: OwnTeam) -> None:
    until = found.holding.access_until
    if found.holding.ended_at is not None or (until is not None and until <= context.now):
        raise TeamNotUsable


def _check_limit(found: OwnTeam, wanted: int) -> None:
    limit = min(found.holding.terms.seats, coming_terms(found.holding).seats)
    used = found.team.seats
    if used + wanted > limit:
        raise SeatsLimitExceeded(limit=limit, used=used)


def _is_email(text: str) -> bool:
    try:
        checked_email(text)
    except InvalidEmail:
        return False
    return True


def _new_id(context: Context, taken: Collection[int]) -> int:
    """An id that no seat of the team has: those of one request are made in the same millisecond."""
    ident = new_id(context.now, context.random_bits)
    while ident in taken:
        ident += 1
    return ident


def _add(context: Context, ref: TeamRef, sitter: Sitter) -> Seat:
    """Whoever is added goes on where somebody left a seat, if anybody did: each free one is taken over once."""
    for attempt in range(TRIES_MAX):
        found = own_team(context.table, ref)
        user = _user_of(context, found, sitter, taken=DuplicateSeat)
        _check_limit(found, 1)
        seats = queries.seats(context.table, found.team.id)
        seat = Seat(
            id=_new_id(context, {one.seat.id for one in seats}),
            team_id=found.team.id,
            owner_id=found.team.owner_id,
            academy_id=found.team.academy_id,
            financed=ref.financed,
            email=sitter.email,
            first_name=sitter.first_name,
            last_name=sitter.last_name,
            status=SeatStatus.INVITED,
            created_at=context.now,
        )
        left = last_left(found.holding, seats)
        passed: list[Write] = []
        if left is not None:
            spent, seat = taken_over(found.holding, left.seat, seat)
            passed = [store.changed_seat(spent, version=left.version, due_at=left.due_at)]
        seat, message, writes = _taken_by(context, found, None, seat, user)
        asked = found.team if user is not None else _inviting(context, found)
        more = asked.model_copy(update={"seats": found.team.seats + 1})
        writes += [
            *passed,
            store.new_seat(seat, due_at=context.now),
            store.claim_email(seat, email_digest(seat.email)),
            store.saved_team(more, version=found.stored.version),
            _as_read(found),
        ]
        if _committed(context, writes, [message], attempt):
            tend_soon(context, store.seat_key(seat.team_id, seat.id))
            return seat
    raise TryLater


def _replace(context: Context, ref: TeamRef, asked: Replacement) -> Seat:
    for attempt in range(TRIES_MAX):
        found = own_team(context.table, ref)
        digest = email_digest(asked.from_email)
        stored = queries.seat_with_email(context.table, ref.holding_id, digest)
        if stored is None:
            if digest == email_digest(identity.user(context.table, ref.owner_id).email):
                raise OwnerSeatStays
            raise NoSeatWithThisEmail(email=asked.from_email)
        user = _user_of(context, found, asked.to, taken=SeatWithThisEmailExists)
        before = stored.seat
        if before.moving_from is not None:  # whoever had it last has not got all of it yet
            tend_seat(context, store.seat_key(before.team_id, before.id))
            continue
        named = {"email": asked.to.email, "first_name": asked.to.first_name, "last_name": asked.to.last_name}
        emptied = before.model_copy(update={**named, "user_id": None, "status": SeatStatus.INVITED})
        seat, message, writes = _taken_by(context, found, before, emptied, user)
        gone = leaving(context, before, found.holding.terms)
        writes += [
            store.changed_seat(seat, version=stored.version, due_at=context.now),
            store.give_back_email(before, email_digest(before.email)),
            store.claim_email(seat, email_digest(seat.email)),
            *gone.writes,
        ]
        if user is None:
            writes.append(store.saved_team(_inviting(context, found), version=found.stored.version))
        told = [message] if gone.message is None else [message, gone.message]
        if _committed(context, writes, told, attempt):
            tend_soon(context, store.seat_key(seat.team_id, seat.id))
            return seat
    raise TryLater


def _user_of(context: Context, found: OwnTeam, sitter: Sitter, *, taken: type[DomainError]) -> User | None:
    """Whoever has the e-mail; None: somebody new. Raises PoorQualityEmail, SeatUserNotFound, and `taken` where they
    sit in the team.
    """
    if not _is_email(sitter.email):
        raise PoorQualityEmail(email=sitter.email)
    if queries.seat_with_email(context.table, found.team.id, email_digest(sitter.email)) is not None:
        raise taken(email=sitter.email)
    user = identity.user_by_email(context.table, sitter.email)
    if sitter.user_id is not None and (user is None or user.id != sitter.user_id):
        raise SeatUserNotFound(user=sitter.user_id, email=sitter.email)
    if user is None:
        return None
    if user.id == found.team.owner_id or queries.is_member(context.table, user.id, found.team.id):
        raise taken(email=sitter.email)
    return user


def _taken_by(
    context: Context, found: OwnTeam, before: Seat | None, empty: Seat, user: User | None
) -> tuple[Seat, Message, list[Write]]:
    """The seat as somebody has it at once, or as it waits for whoever is invited to it. `before`: as another had it."""
    terms, now = found.holding.terms, context.now
    action = "ADDED" if before is None else "REPLACED"
    if user is not None:
        seat = empty.logged(action, now, user_id=user.id, status=SeatStatus.ACTIVE)
        seat = seat if before is None else handed_over(before, seat)
        message = seat_given(user, seat, terms, now)
        return seat, message, [*sitting_writes(seat, terms), outbox.new(message)]
    by = f"user:{found.team.owner_id}"
    invited = invite_to_seat(context, empty, ident=new_id(now, context.random_bits), invited_by=by)
    seat = empty.logged(action, now, invitation_id=invited.invitation.id)
    return seat if before is None else handed_over(before, seat), invited.message, list(invited.writes)


def _inviting(context: Context, found: OwnTeam) -> Team:
    """The team that invites somebody without an account. Raises TooManyInvites."""
    return inviting(found.team, seats=found.holding.terms.seats, now=context.now)


def _as_read(found: OwnTeam) -> Write:
    """The holding pays for as many seats as when it was read; from the first one on, it tells them of its changes."""
    held = found.held
    if held.holding.seats_told is not None:
        return subscriptions.unchanged_holding(held.holding, version=held.version)
    after = held.holding.model_copy(update={"seats_told": seats_mark(held.holding)})
    return subscriptions.changed_holding(after, version=held.version)


def _committed(context: Context, writes: Sequence[Write], messages: Sequence[Message], attempt: int) -> bool:
    """False: somebody else changed one of the rows first, and all is to be looked at again."""
    try:
        commit(context.table, writes)
    except MOVED:
        backoff.wait(attempt)
        return False
    for message in messages:
        context.queue.nudge_outbox(message.id)
    return True
