"""Consume: take units of a service for one use, in one transaction, once for each hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.consumption import queries as consumption_queries
from chalicelib.books.consumption import store as consumption
from chalicelib.books.consumption.model import Session
from chalicelib.books.idempotency.model import RequestInFlight
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.burn import InsufficientCredits, Take, by_page, choose
from chalicelib.books.ledger.entries import portion_of
from chalicelib.books.ledger.model import Balance, Entry, EntryKind
from chalicelib.books.teams.recharge_store import RechargeMoved
from chalicelib.books.teams.store import MemberCapReached
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.context import Context
from chalicelib.flows.metering.cancel_session import SessionCancelled
from chalicelib.flows.teams.pool_use import look_again, pool_uses, refused_use
from chalicelib.flows.teams.usable import POOL, usable_balances
from chalicelib.kernel.errors import Defect, DomainError
from chalicelib.kernel.ids import new_id

SESSION_SECONDS_DEFAULT = 60
TRIES_MAX = 25


class InvalidHash(DomainError):
    slug = "invalid-hash"
    detail = "A hash of digits only would be taken for an id."


@dataclass(frozen=True, slots=True, kw_only=True)
class Consume:
    """One use of a service. `hash` makes a repeat the same use; `academy_id` limits it to units of one academy."""

    service_slug: str
    hash: str | None = None
    academy_id: int | None = None
    how_many: int = 1
    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Consumed:
    """`repeated`: the session was made before, and nothing was taken now."""

    session: Session
    repeated: bool


def consume(context: Context, user_id: int, command: Consume) -> Consumed:
    """Take the units.

    Raises InvalidHash, InsufficientCredits, ServiceNotFound, SessionCancelled for the hash of a use that was cancelled,
    MemberCapReached where only a pool has them of which the person may use no more, RequestInFlight where others use
    them too fast.
    """
    if command.hash is not None and command.hash.isdigit():
        raise InvalidHash
    reached: dict[int, MemberCapReached] = {}
    for _ in range(TRIES_MAX):
        balances = [one for one in _of_service(context, user_id, command) if _pool(one) not in reached]
        try:
            takes = choose(balances, units=command.how_many, service=command.service_slug, now=context.now)
        except InsufficientCredits:
            repeated = _made_before(context, user_id, command)
            if repeated is not None:
                return repeated
            for refusal in reached.values():
                raise refusal from None
            if not balances:
                catalog.service_id(context.table, command.service_slug)
            refused_use(context, balances)
            raise
        uses = pool_uses(context, user_id, takes, balances)
        counted = tuple(use.counted for use in uses if use.counted is not None)
        session = _session(context, user_id, command, takes, counted)
        beside = [write for use in uses for write in use.writes(user_id)]
        try:
            commit(context.table, [*consumption.new(session), *_take_writes(context, takes, session), *beside])
        except (ledger.Moved, consumption.SessionIdTaken, RechargeMoved):
            continue
        except MemberCapReached as error:
            reached |= {team_id: error for team_id, _, _ in counted}
            continue
        except consumption.SessionMade:
            pass  # by this very call, whose answer was lost
        except consumption.HashTaken:
            repeated = _made_before(context, user_id, command)
            if repeated is None:
                raise Defect(f"the hash of {command.service_slug} is taken by no session") from None
            return repeated
        look_again(context, uses)
        return Consumed(session, repeated=False)
    raise RequestInFlight


def _of_service(context: Context, user_id: int, command: Consume) -> list[Balance]:
    return [
        balance
        for balance in usable_balances(context.table, user_id, context.now)
        if balance.unit.service_slug == command.service_slug and command.academy_id in (None, balance.unit.academy_id)
    ]


def _pool(balance: Balance) -> int | None:
    """The team whose pool a page is of."""
    return balance.holder_id if balance.holder_kind == POOL else None


def _made_before(context: Context, user_id: int, command: Consume) -> Consumed | None:
    if command.hash is None:
        return None
    session = consumption_queries.session_of_hash(context.table, user_id, command.service_slug, command.hash)
    if session is not None and session.cancelled_at is not None:
        raise SessionCancelled
    return None if session is None else Consumed(session, repeated=True)


def _session(
    context: Context,
    user_id: int,
    command: Consume,
    takes: Sequence[Take],
    pool_uses: tuple[tuple[int, int, int], ...],
) -> Session:
    unit = takes[0].balance.unit
    ident = new_id(context.now, context.random_bits)
    seconds = unit.session_seconds or SESSION_SECONDS_DEFAULT
    pages = by_page(takes)
    return Session(
        id=ident,
        user_id=user_id,
        academy_id=unit.academy_id,
        service_id=unit.service_id,
        service_slug=unit.service_slug,
        hash=command.hash,
        how_many=command.how_many,
        takings=tuple(
            (balance.holder.kind, balance.holder.id, _entry_id(ident, number))
            for number, (balance, _) in enumerate(pages)
        ),
        pool_uses=pool_uses,
        created_at=context.now,
        eta=context.now + timedelta(seconds=seconds),
        ip=command.ip,
        user_agent=command.user_agent,
    )


def _take_writes(context: Context, takes: Sequence[Take], session: Session) -> list[Write]:
    writes: list[Write] = []
    for number, (balance, of_page) in enumerate(by_page(takes)):
        entry = Entry(
            id=_entry_id(session.id, number),
            kind=EntryKind.CONSUME,
            unit=balance.unit,
            units=-sum(take.units for take in of_page if take.lot.remaining >= 0),
            portions=tuple(portion_of(take) for take in of_page),
            cause=f"session:{session.id}",
            at=context.now,
        )
        writes += ledger.take_writes(balance.holder, balance, of_page, entry=entry, now=context.now)
    return writes


def _entry_id(session_id: int, number: int) -> str:
    return f"{session_id}_{number}#consume"
