"""Journeys with everything that goes wrong in them, and their logs searched for what may not stand there."""

from __future__ import annotations

import io
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewApiKey, NewUser
from chalicelib.books.outbox.port import MailRefused
from chalicelib.dynamo import writes
from chalicelib.dynamo.rows import Key
from chalicelib.entrypoints import _observe
from chalicelib.kernel.errors import TryLater
from tests.enrolling import STUDENT, accept, secret_of
from tests.journeys.test_webhooks import an_event, post, signed
from tests.moto_table import answering, moto_table, refusal
from tests.security.leaks import PUBLISHED_CARDS, leaks
from tests.security.tenants import a_jwt, two_tenants, with_token
from tests.shop import open_shop
from tests.staffing import clerk
from tests.world import STRIPE_KEY, WEBHOOK_SECRET, World, a_world

PASSWORD, WRONG_PASSWORD = "a password of 29 characters..", "not the password of anybody.."
LIVE_KEY = "sk_live_0123456789abcdef"
ALWAYS_ASKS = "4000002760003184"
LOST = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}


@dataclass
class Log:
    """What was written, what of it was ours before the scrubber saw it, and the values that were used meanwhile."""

    written: io.StringIO
    values: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


class Listener(logging.Handler):
    """Keeps what our own loggers were asked to say; tracebacks are not ours to word."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(f"{record.getMessage()} {getattr(record, 'fields', '')}")


@pytest.fixture
def world() -> Iterator[World]:
    """On moto, so that botocore has something to say too."""
    with moto_table() as table, a_world(open_shop, table=table) as made:
        yield made


@pytest.fixture(params=["as it is set", "everything there is"])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    """The lines of every logger in the deployed form: at the levels that are set, or all of them, libraries' too."""
    root = logging.getLogger()
    level = root.level
    found = Log(io.StringIO(), [STRIPE_KEY, WEBHOOK_SECRET, PASSWORD, WRONG_PASSWORD])
    _observe.start_logging(stream=found.written)
    listener = Listener(found.said)
    logging.getLogger("chalicelib").addHandler(listener)
    if request.param == "everything there is":
        root.setLevel(logging.DEBUG)
    yield found
    logging.getLogger("chalicelib").removeHandler(listener)
    root.setLevel(level)
    assert ("OperationModel" in found.written.getvalue()) == (request.param == "everything there is")
    _observe.start_logging()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "backoff", writes.Backoff(sleep=lambda seconds: None))


def sign_in_and_out(world: World, log: Log) -> None:
    user = identity.create_user(
        world.table,
        NewUser(email="grace.hopper@navy.example", first_name="Grace", last_name="Hopper", password=PASSWORD),
        now=world.now,
    )
    for password in (WRONG_PASSWORD, PASSWORD, *[WRONG_PASSWORD] * 11):
        answer = world.call("POST", "/v1/auth/login", body={"email": user.email, "password": password})
        log.values.append(answer.json.get("token", ""))
    token = log.values[-12]
    assert world.call("POST", "/v1/auth/logout", token=token).status == 204
    assert world.call("POST", "/v1/auth/logout", token=token).status == 401
    for malformed in ({"email": user.email, "password": 7}, {"email": [user.email]}, PASSWORD):
        assert world.call("POST", "/v1/auth/login", body=malformed).status == 400


def cards_of_all_kinds(world: World, log: Log) -> None:
    statuses = set()
    for number in PUBLISHED_CARDS:
        person = world.person()
        log.values.append(person.token)
        answer = person.save_card(number)
        statuses.add(answer.status)
        log.values.append(answer.json.get("client_secret", ""))
    assert {200, 402} <= statuses
    person = world.person()
    for body in (
        {"card_number": "4242 4242 4242 4242", "exp_month": "10", "exp_year": "30", "cvc": "435"},
        {"card_number": "4242-4242-4242-4242", "exp_month": "10", "exp_year": "30", "cvc": "435"},
        {"card_number": 4242424242424242, "exp_month": "10"},
        {"card_number": "4242424242424242", "exp_month": "4242424242424242"},
        {"token": "4242424242424242"},
        {"payment_method": "pm_card_4242424242424242"},
        {"card_number": "4242424242424241", "exp_month": "10", "exp_year": "30", "cvc": "435"},
        {"academy": "4242424242424242", "token": "tok_visa"},
    ):
        person.post("/v2/payments/card", body)
    world.call("GET", "/v2/payments/card?academy=4242424242424242&number=4242424242424242", token=person.token)
    world.call(
        "PUT", "/v1/payments/me/service/4242424242424242/consumptionsession/4242424242424242", token=person.token
    )


def purchases(world: World, log: Log) -> None:
    person = world.paying()
    bag = person.check("basic").json
    log.values += [person.token, bag["token"], "a key of 4242"]
    for _ in range(2):
        assert person.pay(bag, chosen_period="MONTH", headers={"Idempotency_Key": "a key of 4242"}).status == 200
    assert person.pay({"token": secrets.token_hex(20)}).status == 404
    asked = world.person()
    log.values += [asked.token, asked.save_card(ALWAYS_ASKS).json["client_secret"]]
    (setup, *_) = world.at_stripe("setup_intent")[-1:]
    world.control(f"/_control/authenticate/{setup['id']}", {"success": True})
    world.settle()
    waiting = asked.pay(asked.check("basic").json, chosen_period="MONTH").json
    log.values.append(waiting["client_secret"])
    world.control(f"/_control/authenticate/{waiting['client_secret'].partition('_secret')[0]}", {"success": True})
    declined = world.person()
    declined.save_card("4000000000000341")
    assert [declined.buy().status for _ in range(7)][-1] == 429
    world.settle()
    assert world.mailer.sent


def stripe_and_the_table_fail(world: World, log: Log) -> None:
    person = world.paying()
    log.values.append(person.token)
    for action in ("lose_answer", "error_429", "error_500", "refuse_connection", "stay_processing"):
        world.misbehave(rules=[{**LOST, "action": action}])
        person.buy()
        person.save_card()
        world.misbehave()
    throttled = [refusal("ThrottlingException", "GetItem", Message=f"for {person.email}")] * 3
    with answering(world.table, *throttled):
        for _ in throttled:
            assert person.get("/v1/payments/me/subscription").status == 503
    broken = refusal("ValidationException", "GetItem", Message=f"{person.email} 4242424242424242")
    with answering(world.table, broken):
        assert person.get("/v1/payments/me/subscription").status == 500
    world.mailer.failures = [TryLater(), MailRefused(f"{person.email} bounced"), RuntimeError(f"to {person.email}")]
    world.settle()
    world.advance(hours=25)
    world.sweep()
    world.settle()


def webhooks(world: World, log: Log) -> None:
    person = world.paying()
    log.values.append(person.token)
    assert person.buy().status == 201
    world.settle()
    payment = world.at_stripe("payment_intent")[-1]["id"]
    world.control(f"/_control/refund/{payment}", {"amount": 100})
    world.control(f"/_control/dispute/{payment}", {"outcome": "lost"})
    world.misbehave(webhooks={"copies": 3, "shuffle": True})
    world.settle()
    told: dict[str, Any] = {"id": "cus_x", "email": person.email, "number": "4242424242424242"}
    for raw in (json.dumps(an_event(ident="evt_a", **told)).encode(), b'{"email": "ada@example.com"', b"\xff4242"):
        log.values.append(signed(world, raw))
        world.post_webhook(raw, signed(world, raw))
        world.post_webhook(raw, signed(world, raw, secret="whsec_of_somebody_else"))
        world.post_webhook(raw, f"t=1,v1={person.token}")
    with patch("chalicelib.entrypoints.workers.handle_event", side_effect=RuntimeError(f"{told} {STRIPE_KEY}")):
        assert post(world, an_event("payment_intent.succeeded", "evt_b", **told)).status == 200
        world.settle()
    operator = world.person(operator=True)
    log.values.append(operator.token)
    assert operator.get("/ops/inbox/evt_a").status == 200
    assert operator.post("/ops/inbox/evt_b/replay").status == 202
    world.settle()


def operators(world: World, log: Log) -> None:
    operator = world.person(operator=True)
    path = f"/ops/academies/{world.academy_id}/staff"
    hired = operator.post(path, {"email": "kay@example.org", "first_name": "Kay", "role": "support_staff",
                                 "password": PASSWORD})  # fmt: skip
    key = operator.post("/ops/api-keys", {"name": "A key", "scopes": ["studio"]})
    issued = operator.post(f"/ops/users/{hired.json['member']['user_id']}/tokens", {})
    log.values += [operator.token, hired.json["token"]["token"], key.json["key"], issued.json["token"]]
    assert operator.get("/ops/users?email=kay%40example.org").status == 200
    assert operator.get("/ops/users?email=kay@example.org&email=kay@example.org").status == 400
    assert operator.post(path, {"email": "kay@example.org", "first_name": "Kay", "password": PASSWORD}).status == 400
    for headers in (
        {"X-Api-Key": key.json["key"]},
        {"X-Api-Key": issued.json["token"]},
        {"Authorization": f"Bearer {issued.json['token']}"},
        {"Authorization": hired.json["token"]["token"]},
        {"Authorization": "Basic a2F5QGV4YW1wbGUub3JnOnBhc3N3b3Jk"},
    ):
        world.call("GET", f"/v1/payments/service?token={issued.json['token']}", headers=headers)
        world.call("GET", "/v2/payments/card", headers=headers)


def defects(world: World, log: Log) -> None:
    """Whatever a request brings and our own secrets, in the message of an exception."""
    person = world.paying()
    log.values.append(person.token)
    secret = world.runtime.settings.jwt_secret.get_secret_value()
    log.values.append(secret)
    jwt_settings = {"jwt_secret": secret, "authorization": f"Token {person.token}", "email": person.email}
    for message in (f"{jwt_settings}", f"{person.token}", f"card 4000 0566 5566 5556 of {person.email}", STRIPE_KEY):
        with patch("chalicelib.entrypoints.academy.account.usable_balances", side_effect=RuntimeError(message)):
            answer = person.get("/v1/payments/me/service/consumable")
        assert answer.status == 500
        assert leaks(answer.text, [*log.values, message]) == []


def signed_tokens_and_keys(world: World, log: Log) -> None:
    person = world.paying()
    bearer = a_jwt(world, person, expires_in=timedelta(hours=1), scopes=("platform",))
    over = a_jwt(world, person, expires_in=-timedelta(hours=1))
    key = identity.issue_api_key(world.table, NewApiKey(name="K", scopes=("studio",)), now=world.now).secret
    log.values += [bearer, over, key, person.token]
    for headers in ({"Authorization": f"Bearer {bearer}"}, {"Authorization": f"Bearer {over}"}, {"X-Api-Key": key}):
        world.call("GET", "/v2/payments/card", headers=headers)
    world.call("GET", f"/v2/payments/card?token={bearer}", headers=with_token(bearer))


def invitations(world: World, log: Log) -> None:
    """Made, mailed in vain and then with success, guessed at, accepted with a defect in between, accepted again."""
    staff = clerk(world)
    log.values.append(staff.person.token)
    body = {"email": "kay@example.org", "first_name": "Kay", "invite": True, "phone": "+1 555 01 00"}
    world.mailer.failures = [TryLater(), RuntimeError("to kay@example.org")]
    assert staff.post(STUDENT, [body, {**body, "email": "jean@example.org"}]).status == 201
    assert staff.post(STUDENT, body).status == 400
    world.settle()
    world.advance(minutes=5)
    world.sweep()
    secret = secret_of(world, "kay@example.org")
    log.values += [secret, secret[42:]]
    for guess in (secret[:-2], secret + "x", secret.replace("invite", "token")):
        assert accept(world, guess, PASSWORD).status == 404
    assert accept(world, secret, "short").status == 400
    with patch("chalicelib.flows.enrollment.accept.commit", side_effect=RuntimeError(f"at {secret}")):
        assert accept(world, secret, PASSWORD).status == 500
    with patch("chalicelib.entrypoints.academy.identity.deliver", side_effect=RuntimeError(f"for {secret}")):
        accepted = accept(world, secret, PASSWORD)
    log.values.append(accepted.json["token"])
    assert accept(world, secret, PASSWORD).status == 410


JOURNEYS: list[Callable[[World, Log], None]] = [
    sign_in_and_out,
    cards_of_all_kinds,
    purchases,
    stripe_and_the_table_fail,
    webhooks,
    operators,
    invitations,
    defects,
    signed_tokens_and_keys,
]


class TestTheLogOfAJourney:
    @pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.__name__)
    def test_has_nothing_that_is_secret(
        self, log: Log, capfd: pytest.CaptureFixture[str], journey: Callable[[World, Log], None]
    ) -> None:
        with moto_table() as table, a_world(open_shop, table=table) as world:
            journey(world, log)
        written = log.written.getvalue()
        assert '"message":"request"' in written
        printed = capfd.readouterr()
        assert leaks(written + printed.out + printed.err, log.values) == []
        assert leaks("\n".join(log.said), log.values) == []

    def test_of_two_tenants_has_nothing_that_is_secret(self, log: Log, capfd: pytest.CaptureFixture[str]) -> None:
        """Every route that made them. On a table in memory: what botocore says of rows, the other journeys have."""
        with moto_table() as table:
            assert table.get(Key("NOBODY", "NOTHING")) is None
        with a_world(open_shop) as world:
            tenants = two_tenants(world)
        people = (tenants.owner, tenants.neighbour, tenants.operator, tenants.staff, tenants.other_staff)
        log.values += [person.token for person in people]
        printed = capfd.readouterr()
        assert leaks(log.written.getvalue() + printed.out + printed.err, log.values) == []
        assert leaks("\n".join(log.said), log.values) == []

    def test_has_no_card_in_live_mode(self, log: Log, capfd: pytest.CaptureFixture[str]) -> None:
        with moto_table() as table, a_world(open_shop, table=table, stripe_secret_key=LIVE_KEY) as world:
            person = world.person()
            answer = person.save_card("4242 4242 4242 4242")
            assert answer.json["slug"] == "raw-card-refused"
            assert answer.status == 400
        printed = capfd.readouterr()
        assert leaks(log.written.getvalue() + printed.out + printed.err, [LIVE_KEY, person.token]) == []


class TestLeaks:
    @pytest.mark.parametrize(
        "text",
        [
            "card 4242424242424242 declined",
            "card 4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "'4000 0000 0000 9995'",
            "3782 822463 10005",
            "purser_token_0123456789abc",
            "key=purser_key_0123456789abc",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "sk_test_0123",
            "sk_live_0123",
            "rk_live_0123",
            "whsec_0123456",
            "pi_3Mtw_secret_YrKJ",
            "seti_1_secret_abc",
            "$argon2id$v=19$m=65536",
            "Authorization: Token 0123456789abcdef0123",
            "authorization: bearer_no Bearer 0123456789abcdef0123",
            "t=1795699120,v1=" + "0a" * 32,
            "to ada@example.com",
            "?email=ada%40example.com",
            "ada.lovelace+x@mail.example.co.uk",
            "the value was open sesame!",
        ],
    )
    def test_are_found(self, text: str) -> None:
        assert leaks(f"INFO request {text} at 12:00", ["open sesame"])

    def test_are_not_seen_in_what_is_ours_to_log(self) -> None:
        for text in (
            "4242424242424241 42424242424242421 of pi_3Mtw of cus_123",
            '{"user_id":244010188800688,"route":"/v1/auth/login","slug":"wrong-login"}',
            'WWW-Authenticate: Token realm="purser", Bearer realm="purser"',
            "[scrubbed] Bearer [scrubbed]",
        ):
            assert leaks(text) == []
