"""What the queries of people, their sessions, the inbox and the outbox find, and what beside it they must not."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.books.consumption import queries as consumption
from chalicelib.books.consumption import store as consumption_store
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity import store as identity_store
from chalicelib.books.identity.credentials import secret_digest
from chalicelib.books.identity.model import Position
from chalicelib.books.inbox import queries as inbox
from chalicelib.books.inbox import store as inbox_store
from chalicelib.books.inbox.model import EventStatus
from chalicelib.books.outbox import queries as outbox
from chalicelib.books.outbox import store as outbox_store
from chalicelib.books.outbox.model import MessageStatus
from chalicelib.kernel.pages import PageRequest
from tests.conformance.cases import rows_of
from tests.conformance.queries import Asked, by_page
from tests.conformance.things import (
    ACADEMY,
    NOW,
    USER,
    a_credential,
    a_membership,
    a_message,
    a_session,
    a_token_entry,
    a_user,
    an_academy,
    an_api_key,
    an_event,
)

SESSIONS = rows_of(
    *consumption_store.new(a_session(hash="h")),
    *consumption_store.new(a_session(id=71, service_slug="chat")),
    *consumption_store.new(a_session(id=72)),
)

USES = (
    Asked(
        of=consumption.session,
        name="by its id",
        rows=SESSIONS,
        ask=lambda table: consumption.session(table, USER, 72),
        answer=(a_session(id=72), 1),
    ),
    Asked(
        of=consumption.session,
        name="another person's",
        rows=SESSIONS,
        ask=lambda table: consumption.session(table, USER + 1, 72),
        refused=consumption.SessionNotFound,
    ),
    Asked(
        of=consumption.session_of_hash,
        name="by its hash",
        rows=SESSIONS,
        ask=lambda table: [consumption.session_of_hash(table, USER, "mentoring", given) for given in ("h", "g")],
        answer=[a_session(hash="h"), None],
    ),
    Asked(
        of=consumption.sessions,
        name="of one service, newest first",
        rows=SESSIONS,
        ask=lambda table: by_page(
            lambda cursor: consumption.sessions(table, USER, "mentoring", limit=9, cursor=cursor)
        ),
        answer=[[72, 70]],
    ),
)

ADA = rows_of(*identity_store.new_user(a_user()))
ACADEMIES = rows_of(
    *(
        put
        for ident, slug in ((3, "4geeks"), (4, "other"))
        for put in identity_store.new_academy(an_academy(id=ident, slug=slug), id_taken=lambda old: KeyError())
    )
)
STAFF = rows_of(
    *(
        identity_store.member(a_membership(user_id=user_id), Position(role="support_staff"))
        for user_id in (USER, USER + 1)
    )
)
TOKENS = rows_of(
    *identity_store.new_token(a_credential(expires_at=NOW + timedelta(days=1)), a_token_entry()),
    *identity_store.new_token(
        a_credential(), a_token_entry(id="t2", digest=secret_digest("secret"), created_at=NOW + timedelta(hours=1))
    ),
)
API_KEYS = rows_of(
    *(
        put
        for ident, academy_id in ((55, ACADEMY), (56, 4), (57, ACADEMY))
        for put in identity_store.new_api_key(
            a_credential(kind="api_key"), an_api_key(id=ident, academy_id=academy_id, digest=f"d{ident}")
        )
    )
)

IDENTITY = (
    Asked(
        of=identity.academy,
        name="by its id",
        rows=ACADEMIES,
        ask=lambda table: identity.academy(table, 4).slug,
        answer="other",
    ),
    Asked(
        of=identity.academy,
        name="unknown",
        rows=ACADEMIES,
        ask=lambda table: identity.academy(table, 5),
        refused=identity_store.AcademyNotFound,
    ),
    Asked(
        of=identity.academies_by_id,
        name="those that there are",
        rows=ACADEMIES,
        ask=lambda table: {ident: one.slug for ident, one in identity.academies_by_id(table, [4, 5]).items()},
        answer={4: "other"},
    ),
    Asked(
        of=identity.academy_by_slug,
        name="known",
        rows=ACADEMIES,
        ask=lambda table: identity.academy_by_slug(table, "other").id,
        answer=4,
    ),
    Asked(
        of=identity.academy_id_of,
        name="known",
        rows=ACADEMIES,
        ask=lambda table: identity.academy_id_of(table, "other"),
        answer=4,
    ),
    Asked(
        of=identity.academies,
        name="page by page, newest first",
        rows=ACADEMIES,
        ask=lambda table: by_page(lambda cursor: identity.academies(table, PageRequest(limit=1, cursor=cursor))),
        answer=[[4], [3]],
    ),
    Asked(of=identity.user, name="known", rows=ADA, ask=lambda table: identity.user(table, USER), answer=a_user()),
    Asked(
        of=identity.user_and_version,
        name="unknown",
        rows=ADA,
        ask=lambda table: identity.user_and_version(table, USER + 1),
        refused=identity_store.UserNotFound,
    ),
    Asked(
        of=identity.user_by_email,
        name="in any case",
        rows=ADA,
        ask=lambda table: [identity.user_by_email(table, email) for email in ("ADA@example.com", "bob@example.com")],
        answer=[a_user(), None],
    ),
    Asked(
        of=identity.membership,
        name="of staff and of others",
        rows=STAFF,
        ask=lambda table: [
            (found := identity.membership(table, USER, academy_id)) and found.role for academy_id in (ACADEMY, 4)
        ],
        answer=["support_staff", None],
    ),
    Asked(
        of=identity.members,
        name="of one academy, newest first",
        rows=STAFF,
        ask=lambda table: [m.user_id for m in identity.members(table, ACADEMY, PageRequest(limit=9)).items],
        answer=[USER + 1, USER],
    ),
    Asked(
        of=identity.credential_of,
        name="by its secret",
        rows=TOKENS,
        ask=lambda table: [identity.credential_of(table, secret, NOW) for secret in ("secret", "other")],
        answer=[a_credential(), None],
    ),
    Asked(
        of=identity.tokens_of,
        name="valid ones, newest first",
        rows=TOKENS,
        ask=lambda table: [entry.id for entry in identity.tokens_of(table, USER, NOW)],
        answer=["t2", "t1"],
    ),
    Asked(
        of=identity.token,
        name="by its id",
        rows=TOKENS,
        ask=lambda table: identity.token(table, USER, "t1"),
        answer=a_token_entry(),
    ),
    Asked(
        of=identity.api_key,
        name="unknown",
        rows=API_KEYS,
        ask=lambda table: identity.api_key(table, 58),
        refused=identity.ApiKeyNotFound,
    ),
    Asked(
        of=identity.api_keys,
        name="of one academy page by page, and of all",
        rows=API_KEYS,
        ask=lambda table: [
            by_page(lambda cursor: identity.api_keys(table, ACADEMY, PageRequest(limit=1, cursor=cursor))),
            [found.id for found in identity.api_keys(table, None, PageRequest(limit=9)).items],
        ],
        answer=[[[57], [55]], [56, 57, 55]],
    ),
)

EVENTS = rows_of(
    inbox_store.new(an_event(), "a body"),
    inbox_store.new(an_event(id="evt_2", received_at=NOW + timedelta(seconds=1)), None),
    inbox_store.new(an_event(id="evt_3", status=EventStatus.HANDLED), None),
)
MESSAGES = rows_of(
    outbox_store.new(a_message()),
    outbox_store.changed(a_message(id="m2", status=MessageStatus.SENT), version=1, due_at=None, now=NOW),
)

WAITING = (
    Asked(
        of=inbox.event,
        name="with its body",
        rows=EVENTS,
        ask=lambda table: inbox.event(table, "evt_1"),
        answer=inbox.StoredEvent(an_event(), "a body", 1),
    ),
    Asked(
        of=inbox.event,
        name="unknown",
        rows=EVENTS,
        ask=lambda table: inbox.event(table, "evt_9"),
        refused=inbox.EventNotFound,
    ),
    Asked(
        of=inbox.events,
        name="of one status page by page, newest first",
        rows=EVENTS,
        ask=lambda table: by_page(lambda cursor: inbox.events(table, EventStatus.PENDING, limit=1, cursor=cursor)),
        answer=[["evt_2"], ["evt_1"]],
    ),
    Asked(
        of=inbox.received,
        name="those that it has",
        rows=EVENTS,
        ask=lambda table: [inbox.received(table, idents) for idents in (["evt_1", "evt_3", "evt_9"], [])],
        answer=[frozenset({"evt_1", "evt_3"}), frozenset()],
    ),
    Asked(
        of=inbox.due,
        name="only pending ones, at their time",
        rows=EVENTS,
        ask=lambda table: [sorted(inbox.due(table, NOW + timedelta(seconds=seconds))) for seconds in (59, 60, 61)],
        answer=[[], ["evt_1"], ["evt_1", "evt_2"]],
    ),
    Asked(
        of=outbox.message,
        name="known and unknown",
        rows=MESSAGES,
        ask=lambda table: [outbox.message(table, ident) for ident in ("m1", "m9")],
        answer=[(a_message(), 1), None],
    ),
    Asked(
        of=outbox.due,
        name="only those that wait",
        rows=MESSAGES,
        ask=lambda table: [outbox.due(table, NOW + timedelta(seconds=seconds)) for seconds in (59, 60)],
        answer=[[], ["m1"]],
    ),
)


ASKED: tuple[Asked, ...] = (*USES, *IDENTITY, *WAITING)
