"""People, academies, memberships, credentials and the counters of logins."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.books.identity import store
from chalicelib.books.identity.model import Position
from chalicelib.dynamo.writes import Put, Unexpected, Update
from tests.conformance.cases import Case, rows_of
from tests.conformance.things import (
    ACADEMY,
    NOW,
    SECOND,
    USER,
    a_credential,
    a_membership,
    a_token_entry,
    a_user,
    an_academy,
    an_api_key,
)


class Refused(Exception):
    """What the caller says that a refusal means."""


def academy_puts(**changed: object) -> list[Put]:
    return store.new_academy(an_academy(**changed), id_taken=lambda old: Refused())


def renamed(*, was: str) -> Update:
    return store.changed_academy(an_academy(name="5Geeks"), was=was, refused=lambda old: Refused())


ADA = store.new_user(a_user())
HERE = academy_puts()
TOKEN = store.new_token(a_credential(), a_token_entry())
KEY = store.new_api_key(a_credential(kind="api_key"), an_api_key())
MEMBER = store.member(a_membership(), Position(role="support_staff"))
COUNTER = store.email_logins_key("ada@example.com")
RUNNING = {"tries": 2, "ends_at": SECOND + 60, "ttl": SECOND + 9000}

PEOPLE = (
    Case(of=store.new_user, name="where there is none", writes=ADA),
    Case(of=store.new_user, name="the same again", writes=ADA, before=rows_of(*ADA)),
    Case(
        of=store.new_user,
        name="the e-mail of another",
        writes=store.new_user(a_user(id=8)),
        before=rows_of(*ADA),
        refused=store.EmailTaken,
    ),
    Case(
        of=store.new_user,
        name="the id of another",
        writes=store.new_user(a_user(email="bob@example.com")),
        before=rows_of(*ADA),
        refused=store.IdTaken,
    ),
    Case(
        of=store.changed_user,
        name="over the one that was read",
        writes=[store.changed_user(a_user(first_name="Bea"), version=1)],
        before=rows_of(*ADA),
    ),
    Case(
        of=store.changed_user,
        name="the same again",
        writes=[store.changed_user(a_user(first_name="Bea"), version=1)],
        before=rows_of(*ADA, store.changed_user(a_user(first_name="Bea"), version=1)),
    ),
    Case(
        of=store.changed_user,
        name="changed since it was read",
        writes=[store.changed_user(a_user(first_name="Bea"), version=2)],
        before=rows_of(*ADA),
        refused=store.UserChanged,
    ),
    Case(
        of=store.changed_academy,
        name="over the one that was read",
        writes=[renamed(was=an_academy().model_dump_json())],
        before=rows_of(*HERE),
        after={store.academy_key(ACADEMY): {**HERE[1].values, "doc": an_academy(name="5Geeks").model_dump_json()}},
    ),
    Case(
        of=store.changed_academy,
        name="changed since it was read",
        writes=[renamed(was="{}")],
        before=rows_of(*HERE),
        refused=Refused,
    ),
    Case(
        of=store.user_as_read,
        name="as it was read",
        writes=[store.user_as_read(USER, version=1, refused=lambda old: Refused()), MEMBER],
        before=rows_of(*ADA),
    ),
    Case(
        of=store.user_as_read,
        name="alone",
        writes=[store.user_as_read(USER, version=1, refused=lambda old: Refused())],
        before=rows_of(*ADA),
    ),
    Case(
        of=store.user_as_read,
        name="changed since it was read",
        writes=[store.user_as_read(USER, version=2, refused=lambda old: Refused()), MEMBER],
        before=rows_of(*ADA),
        refused=Refused,
    ),
    Case(
        of=store.user_exists,
        name="is there",
        writes=[store.user_exists(USER), MEMBER],
        before=rows_of(*ADA),
    ),
    Case(
        of=store.user_exists,
        name="is not there",
        writes=[store.user_exists(USER), MEMBER],
        refused=store.UserNotFound,
    ),
)

ACADEMIES = (
    Case(of=store.academy_exists, name="is there", writes=[store.academy_exists(ACADEMY)], before=rows_of(*HERE)),
    Case(
        of=store.academy_exists,
        name="is not there",
        writes=[store.academy_exists(ACADEMY), MEMBER],
        refused=store.AcademyNotFound,
    ),
    Case(of=store.new_academy, name="where there is none", writes=HERE),
    Case(of=store.new_academy, name="the same again", writes=HERE, before=rows_of(*HERE)),
    Case(
        of=store.new_academy,
        name="the slug of another",
        writes=academy_puts(id=4),
        before=rows_of(*HERE),
        refused=store.AcademySlugTaken,
    ),
    Case(
        of=store.new_academy,
        name="the id of another",
        writes=academy_puts(slug="other"),
        before=rows_of(*HERE),
        refused=Refused,
    ),
    Case(of=store.member, name="where there is none", writes=[MEMBER]),
    Case(
        of=store.member,
        name="over an earlier one",
        writes=[store.member(a_membership(role="none"), Position(role="support_staff"))],
        before=rows_of(MEMBER),
    ),
    Case(
        of=store.member_left,
        name="who was there",
        writes=[store.member_left(USER, ACADEMY)],
        before=rows_of(MEMBER, *HERE),
    ),
    Case(
        of=store.member_left,
        name="who was not there",
        writes=[store.member_left(USER, ACADEMY)],
        refused=store.UserNotFound,
    ),
)

CREDENTIALS = (
    Case(of=store.new_token, name="where there is none", writes=TOKEN),
    Case(of=store.new_token, name="the same again", writes=TOKEN, before=rows_of(*TOKEN)),
    Case(
        of=store.new_token,
        name="another with its hash",
        writes=store.new_token(a_credential(is_operator=True), a_token_entry()),
        before=rows_of(*TOKEN),
        refused=Unexpected,
    ),
    Case(of=store.new_api_key, name="where there is none", writes=KEY),
    Case(
        of=store.new_api_key,
        name="the id of another",
        writes=store.new_api_key(a_credential(kind="api_key"), an_api_key(digest="d3")),
        before=rows_of(*KEY),
        refused=store.IdTaken,
    ),
    Case(
        of=store.token_ended,
        name="that was valid",
        writes=store.token_ended(USER, digest="d1", token_id="t1"),
        before=rows_of(*TOKEN),
    ),
    Case(
        of=store.token_ended,
        name="that was not listed",
        writes=store.token_ended(USER, digest="d1", token_id="t1"),
        before=rows_of(TOKEN[0]),
    ),
    Case(
        of=store.token_ended,
        name="ended before",
        writes=store.token_ended(USER, digest="d1", token_id="t1"),
        before=rows_of(TOKEN[1]),
        refused=store.AlreadyEnded,
    ),
    Case(
        of=store.token_unlisted,
        name="that was listed",
        writes=[store.token_unlisted(USER, token_id="t1")],
        before=rows_of(TOKEN[1]),
    ),
    Case(of=store.token_unlisted, name="that was not", writes=[store.token_unlisted(USER, token_id="t1")]),
    Case(
        of=store.api_key_ended,
        name="that was valid",
        writes=store.api_key_ended(an_api_key()),
        before=rows_of(*KEY),
    ),
    Case(
        of=store.api_key_ended,
        name="ended before",
        writes=store.api_key_ended(an_api_key()),
        before=rows_of(KEY[1]),
        refused=store.AlreadyEnded,
    ),
)

LOGINS = (
    Case(
        of=store.counted,
        name="in a running hour",
        writes=[store.counted(COUNTER, limit=3, now=NOW)],
        before={COUNTER: RUNNING},
        after={COUNTER: {**RUNNING, "tries": 3}},
    ),
    Case(
        of=store.counted,
        name="at the limit",
        writes=[store.counted(COUNTER, limit=2, now=NOW)],
        before={COUNTER: RUNNING},
        refused=store.TooMany,
    ),
    Case(
        of=store.counted,
        name="in an hour that is over",
        writes=[store.counted(COUNTER, limit=3, now=NOW + timedelta(seconds=60))],
        before={COUNTER: RUNNING},
        refused=store.TooMany,
    ),
    Case(
        of=store.counted,
        name="where there is none",
        writes=[store.counted(COUNTER, limit=3, now=NOW)],
        refused=store.TooMany,
    ),
    Case(
        of=store.first_counted,
        name="where there is none",
        writes=[store.first_counted(COUNTER, now=NOW, seconds=3600)],
    ),
    Case(
        of=store.first_counted,
        name="after an hour that is over",
        writes=[store.first_counted(COUNTER, now=NOW + timedelta(seconds=60), seconds=3600)],
        before={COUNTER: RUNNING},
    ),
    Case(
        of=store.first_counted,
        name="in a running hour",
        writes=[store.first_counted(COUNTER, now=NOW, seconds=3600)],
        before={COUNTER: RUNNING},
        refused=store.TooMany,
    ),
    Case(
        of=store.uncounted,
        name="one less",
        writes=[store.uncounted(COUNTER)],
        before={COUNTER: RUNNING},
        after={COUNTER: {**RUNNING, "tries": 1}},
    ),
    Case(
        of=store.uncounted,
        name="nothing left",
        writes=[store.uncounted(COUNTER)],
        before={COUNTER: {**RUNNING, "tries": 0}},
        refused=store.TooMany,
    ),
    Case(
        of=store.uncounted,
        name="where there is none",
        writes=[store.uncounted(COUNTER)],
        refused=store.TooMany,
    ),
)

CASES = (*PEOPLE, *ACADEMIES, *CREDENTIALS, *LOGINS)
