"""Using units: consumption sessions (D47)."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.queries import ServiceNotFound
from chalicelib.books.consumption import queries as consumption
from chalicelib.books.consumption.model import Session, SessionStatus
from chalicelib.books.consumption.queries import SessionNotFound
from chalicelib.books.ledger.burn import InsufficientCredits
from chalicelib.books.teams.store import MemberCapReached
from chalicelib.entrypoints._auth import academy_id_of
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, route
from chalicelib.entrypoints._pages import link_headers, read_page
from chalicelib.entrypoints.academy.buyers import whence_of
from chalicelib.entrypoints.academy.queries import CountryQuery, ListQuery
from chalicelib.flows.metering.cancel_session import SessionCancelled, SessionDone, cancel_session
from chalicelib.flows.metering.consume import Consume, InvalidHash, consume
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.pages import Page


class InvalidServiceSlug(DomainError):
    slug = "invalid-slug"
    detail = "A slug of digits only would be taken for an id."


class SessionMadeOut(Output):
    id: int
    status: str


class SessionOut(Output):
    """One use. PENDING until its eta, then DONE."""

    id: int
    status: str
    service: str
    how_many: int
    hash: str | None
    created_at: Instant
    eta: Instant


class SessionsQuery(ListQuery):
    status: SessionStatus | None = None


@route(
    "PUT",
    "/v1/payments/me/service/{service_slug}/consumptionsession",
    access=Access.PERSON,
    answers={201: SessionMadeOut},
    errors=(InsufficientCredits, MemberCapReached, InvalidServiceSlug, ServiceNotFound),
)
def use(call: Call, service_slug: str, query: CountryQuery) -> Answer:
    """Use one unit. Each call is another use."""
    return _use(call, service_slug, None)


@route(
    "PUT",
    "/v1/payments/me/service/{service_slug}/consumptionsession/{session_ref}",
    access=Access.PERSON,
    answers={201: SessionMadeOut, 200: SessionMadeOut},
    errors=(InsufficientCredits, MemberCapReached, InvalidServiceSlug, InvalidHash, ServiceNotFound, SessionCancelled),
)
def use_once(call: Call, service_slug: str, session_ref: str, query: CountryQuery) -> Answer:
    """Use one unit under a hash: 201, and 200 with the same id for the same hash again."""
    return _use(call, service_slug, session_ref)


@route(
    "GET",
    "/v1/payments/me/service/{service_slug}/consumptionsession",
    access=Access.PERSON,
    answers={200: list[SessionOut]},
    errors=(ServiceNotFound,),
)
def list_uses(call: Call, service_slug: str, query: SessionsQuery) -> Answer:
    """The person's uses of a service, newest first."""
    table, user_id = call.runtime.table, call.person.user_id
    catalog.service_id(table, service_slug)

    def read(size: int, cursor: str | None) -> Page[Session]:
        page = consumption.sessions(table, user_id, service_slug, limit=size, cursor=cursor)
        kept = tuple(s for s in page.items if query.status in (None, s.status(call.now)))
        return Page(kept, page.next_cursor)

    page = read_page(read, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, [_session_out(s, call.now) for s in page.items], link_headers(call, page.next_cursor))


@route(
    "GET",
    "/v1/payments/me/service/{service_slug}/consumptionsession/{session_ref}",
    access=Access.PERSON,
    answers={200: SessionOut},
    errors=(SessionNotFound,),
)
def get_use(call: Call, service_slug: str, session_ref: str) -> Answer:
    """One use, by its id or its hash."""
    table, user_id = call.runtime.table, call.person.user_id
    if _is_id(session_ref):
        found = consumption.session(table, user_id, int(session_ref))[0]
    else:
        of_hash = consumption.session_of_hash(table, user_id, service_slug, session_ref)
        if of_hash is None:
            raise SessionNotFound
        found = of_hash
    if found.service_slug != service_slug:
        raise SessionNotFound
    return Answer(200, _session_out(found, call.now))


@route(
    "PUT",
    "/v1/payments/me/service/{service_slug}/consumptionsession/{session_ref}/cancel",
    access=Access.PERSON,
    answers={200: SessionMadeOut},
    errors=(SessionNotFound, SessionDone, SessionCancelled),
)
def cancel_use(call: Call, service_slug: str, session_ref: str) -> Answer:
    """Give a pending use's units back to the lots they came from."""
    if not _is_id(session_ref):
        raise SessionNotFound
    session = cancel_session(
        call.runtime.context(call.now), call.person.user_id, int(session_ref), service_slug=service_slug
    )
    return Answer(200, SessionMadeOut(id=session.id, status="reversed"))


def _use(call: Call, service_slug: str, given: str | None) -> Answer:
    if service_slug.isdigit():
        raise InvalidServiceSlug
    whence = whence_of(call)
    command = Consume(
        service_slug=service_slug,
        hash=given,
        academy_id=academy_id_of(call, None),
        ip=whence.ip,
        user_agent=whence.user_agent,
    )
    consumed = consume(call.runtime.context(call.now), call.person.user_id, command)
    return Answer(200 if consumed.repeated else 201, SessionMadeOut(id=consumed.session.id, status="ok"))


def _session_out(session: Session, now: datetime) -> SessionOut:
    return SessionOut(
        id=session.id,
        status=session.status(now),
        service=session.service_slug,
        how_many=session.how_many,
        hash=session.hash,
        created_at=session.created_at,
        eta=session.eta,
    )


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 16
