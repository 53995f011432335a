"""The stage of one run: the world with faults before its outside, the people in it, and what they remember.

One generator, set again at each step from the seed and the step's number, decides everything: order, choices, faults,
ids, tokens, pauses. So a step that is left out changes no other step's choices, which is what makes a trace shrink.
"""

from __future__ import annotations

import gc
import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec

from chalicelib.adapters.stripe.gateway import StripeGateway
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity import store as identity_store
from chalicelib.books.identity.model import Position, User
from chalicelib.books.ledger.rows import DUE as PAGES_DUE
from chalicelib.books.subscriptions.store import HOLDINGS_DUE
from chalicelib.books.teams.recharge_store import RECHARGES_DUE
from chalicelib.books.teams.store import SEATS_DUE
from chalicelib.dynamo import keys
from chalicelib.dynamo.writes import backoff, commit
from chalicelib.entrypoints import _dispatch, _observe, _wiring
from chalicelib.flows.context import SpentPolicy
from chalicelib.kernel.errors import DomainError
from chalicelib.settings import Settings
from local.stripe_standin.machine import Standin
from tests.direct import DirectWorld
from tests.process import a_process
from tests.simulation import faults, shops
from tests.simulation.defects import Defects
from tests.simulation.engine import TABLE_NAME, EngineTable
from tests.simulation.faults import Act, Crash, Outside
from tests.simulation.invariants import CARDS_PER_HOUR, DECLINES_PER_HOUR, Watch
from tests.simulation.outside import FaultyEngine, FaultyMailer, FaultyQueue, FaultyStripe
from tests.world import STRIPE_KEY, WEBHOOK_SECRET, Reply

ACT_SECONDS_MAX = 0.5
PEOPLE_AT_FIRST, PAYING_AT_FIRST = 6, 4
OPERATOR_ID = 1000
REMEMBERED_MAX = 12
ANOTHER_TAB = 0.75
TOKEN_LIFE = timedelta(days=4000)
SETTINGS = {
    "table": TABLE_NAME,
    "inbox_queue_url": "memory:inbox",
    "outbox_queue_url": "memory:outbox",
    "holdings_queue_url": "memory:holdings",
    "mail_from": "billing@example.com",
    "files_bucket": "purser-files",
    "stripe_secret_key": STRIPE_KEY,
    "stripe_webhook_secrets": (WEBHOOK_SECRET,),
    "jwt_secret": "j" * 40,
    "trial_once_per_card": True,
    "card_attempts_per_hour": CARDS_PER_HOUR,
    "declines_per_hour": DECLINES_PER_HOUR,
}


@dataclass
class Sent:
    """A request as somebody sent it, and its first answer that was final."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    final: Reply | None = None

    @property
    def key(self) -> str | None:
        return self.headers.get("Idempotency-Key")


@dataclass
class Customer:
    """Somebody with a token, a customer of one academy, and what they remember."""

    user_id: int
    academy_id: int
    token: str
    bags: list[dict[str, Any]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    uses: list[tuple[str, int]] = field(default_factory=list)

    @property
    def email(self) -> str:
        return email_of(self.user_id)


def email_of(user_id: int) -> str:
    return f"person{user_id}@example.com"


@dataclass(frozen=True)
class Waits:
    """When what waits is due, in unix seconds: the first of each kind. inf: nothing of it waits.

    Holdings and pages wait for what recurs, others for what was begun and is to come to an end.
    """

    holdings: float
    pages: float
    others: float
    webhook: float

    @property
    def first(self) -> float:
        """Pages are looked at beside the others: nothing hangs on when."""
        return min(self.holdings, self.others, self.webhook)

    @property
    def to_be_ended(self) -> float:
        return min(self.others, self.webhook)


class Stage(DirectWorld):
    """A world that a seed moves. `act` does something as a process of its own; `ask` is a customer's request."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.chance = random.Random(0)  # of faults only, so that they can be left out
        self.skew_seconds = 0.0
        self.wrong: list[str] = []
        self.lost_sight = False
        """Whether events are gone from Stripe's list that nobody read: then only its objects tell of them."""
        self.outside = Outside(self.chance, interrupt=lambda: None, pass_time=self.pass_time)
        engine = FaultyEngine(self.outside, clock=lambda: self.now)
        super().__init__(EngineTable(engine), Settings.model_validate(SETTINGS))
        self.began = self.now
        self.standin = Standin(secret_key=STRIPE_KEY, rng=rng, webhook_secret=WEBHOOK_SECRET)
        self.stripe_client = FaultyStripe(self.standin, lambda: int(self.now.timestamp()))
        self.stripe_client.outside = self.outside
        self.queue = FaultyQueue(outside=self.outside)
        self.mailer = FaultyMailer(outside=self.outside)
        self.runtime.clock = lambda: self.now + timedelta(seconds=self.skew_seconds)
        self.runtime.random_bits = rng.getrandbits
        self.runtime.__dict__ |= {
            "gateway": StripeGateway(self.runtime.settings, http_client=self.stripe_client),
            "queue": self.queue,
            "mailer": self.mailer,
        }
        self.people: list[Customer] = []
        self.operator_token = ""
        self.watch = Watch(self)
        self.defects = Defects()
        self.told: Callable[[str], None] | None = None
        self.faulty = True
        self.finished = Act("nothing yet")

    def act(self, name: str, do: Callable[[], Any], *, who: Customer | None = None, sent: Sent | None = None) -> Any:
        """Do something as one process, with what the seed plans against it. None where it did not come through."""
        depth = len(self.outside.acts) + 1
        act = faults.drawn(self.chance, name, depth=depth)
        if not self.faulty:
            act = Act(name)
        act.who, act.sent = who, sent
        self.pass_time(self.rng.uniform(0.001, ACT_SECONDS_MAX))
        self._tell(f"{'  ' * (depth - 1)}{name}")
        self.outside.acts.append(act)
        outer, self.skew_seconds = self.skew_seconds, act.skew_seconds
        try:
            done = do()
        except Crash:
            self._tell(f"{'  ' * depth}the process died")
            return None
        except DomainError as error:  # where no edge answers a refusal: whoever started this sees it fail
            self._tell(f"{'  ' * depth}refused: {error!r}")
            return None
        finally:
            self.skew_seconds = outer
            self.outside.acts.pop()
            self.finished = act
            self.watch.saw(act)
        return done

    def ask(self, customer: Customer, sent: Sent) -> Reply | None:
        """A customer's request. None where the process that served it died."""
        name = f"person {customer.user_id}: {sent.method} {sent.path}"
        if self.told is not None:
            name += f" {json.dumps(sent.body)} {sent.headers or ''}"
        reply: Reply | None = self.act(
            name,
            lambda: self.call(sent.method, sent.path, body=sent.body, token=customer.token, headers=dict(sent.headers)),
            who=customer,
            sent=sent,
        )
        if reply is not None:
            self._tell(f"{'  ' * len(self.outside.acts)}  {reply.status} {reply.text[:300]}")
            self.watch.answered(customer, sent, reply, self.finished)
        return reply

    def send(self, customer: Customer, sent: Sent) -> Reply | None:
        """A request that the customer may send again later."""
        customer.sent = [*customer.sent[-REMEMBERED_MAX:], sent]
        return self.ask(customer, sent)

    def somebody(self, of: Sequence[Customer] | None = None) -> Customer:
        """One of the people; in the midst of another's request mostly that one again, from another tab."""
        people = self.people if of is None else of
        at_it: Customer | None = self.outside.acts[-1].who if self.outside.acts else None
        if at_it is not None and at_it in people and self.rng.random() < ANOTHER_TAB:
            return at_it
        return self.rng.choice(people)

    def has_card(self, customer: Customer) -> bool:
        row = self.memory.get((f"USER#{customer.user_id}", "CUSTOMER#default"))
        return row is not None and '"card":{' in row["doc"]["S"]

    def join(self, academy_id: int) -> Customer:
        """A new person, at one of the academies."""
        number = len(self.people) + 1
        user = User(id=number, email=email_of(number), first_name="Ada", last_name=str(number), created_at=self.now)
        customer = Customer(number, academy_id, self.enrolled(user))
        self.people.append(customer)
        return customer

    def enrolled(self, user: User) -> str:
        """Put a user, and answer a token of theirs."""
        commit(self.table, list(identity_store.new_user(user)))
        return identity.issue_token(self.table, user, now=self.now, expires_at=self.now + TOKEN_LIFE)

    def at_dashboard(self, path: str, body: Any) -> None:
        """Somebody does something at Stripe's or the bank's own pages, which may refuse it."""
        status, answer = self.standin.control("POST", path, body, int(self.now.timestamp()))
        self._tell(f"at Stripe: {path} {body} -> {status} {'' if status == 200 else answer}")
        self.outside.counts["at Stripe itself"] += status == 200

    def at_api(self, method: str, path: str, form: str = "") -> None:
        """Somebody calls Stripe's API past us."""
        headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
        status, _ = self.standin.handle(method, path, form, headers, int(self.now.timestamp()))
        self._tell(f"at Stripe: {method} {path} -> {status}")
        self.outside.counts["at Stripe itself"] += status == 200

    def spoil(self, payment_method_id: str, card: str) -> None:
        """From now on the bank treats a card like the published one of that name."""
        self.standin.world.store.hidden[payment_method_id]["card"] = card
        self._tell(f"at the bank: {payment_method_id} is like {card}")

    def decide(self) -> None:
        """What a deployment decides for itself: out of the seed, and of nothing that ran before in this process."""
        policy = self.rng.choice(list(SpentPolicy)).value
        self.runtime.settings = self.runtime.settings.model_copy(update={"spent_policy": policy})

    def look(self) -> None:
        """Complain of what is wrong with what changed since the last look."""
        for wrong in self.watch.looked():
            self.complain(wrong)

    def waits(self) -> Waits:
        """When the next rows of each kind are due."""
        found = {"holdings": math.inf, "pages": math.inf, "others": math.inf}
        of_holdings = [shard for kind in (HOLDINGS_DUE, SEATS_DUE, RECHARGES_DUE) for shard in keys.due_shards(kind)]
        kinds = dict.fromkeys(of_holdings, "holdings") | dict.fromkeys(keys.due_shards(PAGES_DUE), "pages")
        for shard, places in self.memory.indexes["due"].partitions.items():
            kind = kinds.get(shard, "others")
            found[kind] = min([found[kind], *(place[0] for place in places[:1])])
        delivery = self.standin.world.deliveries.due_at()
        return Waits(**found, webhook=math.inf if delivery is None else delivery)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(milliseconds=round(seconds * 1000) or 1)

    def complain(self, wrong: str) -> None:
        self.wrong.append(wrong)
        self._tell(f"WRONG: {wrong}")

    def _tell(self, line: str) -> None:
        if self.told is not None:
            self.told(line)


@dataclass(frozen=True)
class Opening:
    """What every run begins with: made once in a process, always the same."""

    rows: list[Any]
    stripe: dict[str, Any]
    people: tuple[tuple[int, int, str], ...]
    operator_token: str
    now: Any


_openings: list[Opening] = []


@contextmanager
def a_stage(rng: random.Random) -> Iterator[Stage]:
    """A stage with two academies and their first people. Everything random comes from `rng` as long as it lasts."""
    rng.seed("opening")
    with ExitStack() as while_it_lasts:
        gc.disable()  # looking for cycles takes a tenth of a run; all that it makes is young until it ends
        while_it_lasts.callback(gc.enable)
        while_it_lasts.callback(gc.collect, 0)
        while_it_lasts.enter_context(a_process())
        _from_one_source(while_it_lasts, rng)
        stage = Stage(rng)
        _wiring.install(stage.runtime)
        while_it_lasts.callback(_wiring.install, None)
        while_it_lasts.enter_context(stage.defects.heard())
        while_it_lasts.enter_context(patch.multiple(backoff, uniform=rng.uniform, sleep=stage.pass_time))
        while_it_lasts.enter_context(patch.object(_observe, "_with_metrics", False))
        while_it_lasts.enter_context(patch.object(keys, "DUE_SHARDS", 1))  # the ticks of a run read some thousands
        _library_is_quick(while_it_lasts)
        if not _openings:
            _dispatch.paths()
            _openings.append(_opened(stage))
        _open(stage, _openings[0])
        yield stage


def _from_one_source(while_it_lasts: ExitStack, rng: random.Random) -> None:
    def token_hex(size: int = 32) -> str:
        return f"{rng.getrandbits(size * 8):0{size * 2}x}"

    for name, source in (("token_hex", token_hex), ("token_urlsafe", token_hex), ("randbits", rng.getrandbits)):
        while_it_lasts.enter_context(patch(f"secrets.{name}", source))


def _library_is_quick(while_it_lasts: ExitStack) -> None:
    """Stripe's library without what nobody sees: a log that is off, telemetry, a JSON hook for old Pythons."""
    reader = SimpleNamespace(loads=lambda body, **_: msgspec.json.decode(body))
    for name, instead in (
        ("_util.logfmt", lambda told: told["message"]),
        ("enable_telemetry", False),
        ("_api_requestor._APIRequestor.AI_AGENTS", ()),
        ("_stripe_response.json", reader),
    ):
        while_it_lasts.enter_context(patch(f"stripe.{name}", instead))


def _opened(stage: Stage) -> Opening:
    shops.open_both(stage.table, stage.now)
    held: list[int] = []
    for number in range(PEOPLE_AT_FIRST):
        person = stage.join(shops.ACADEMIES[number % len(shops.ACADEMIES)])
        if number < PAYING_AT_FIRST:
            card = {"payment_method": "pm_card_visa", "academy": person.academy_id}
            reply = stage.call("POST", "/v2/payments/card", body=card, token=person.token)
            assert reply.status == 200, reply
            held.append(_subscribe(stage, person, shops.HELD_AT_FIRST[number]))
    _seat(stage, stage.people[0], held[0], stage.people[-1])
    pooled = _subscribe(stage, stage.people[0], shops.POOLED_AT_FIRST)
    _seat(stage, stage.people[0], pooled, stage.people[-2])
    _recharge(stage, stage.people[0], pooled)
    stage.settle()
    people = tuple((person.user_id, person.academy_id, person.token) for person in stage.people)
    operator = User(
        id=OPERATOR_ID, email="o@example.com", first_name="O", last_name="P", created_at=stage.now, is_operator=True
    )
    token = stage.enrolled(operator)
    for academy_id in shops.ACADEMIES:
        position = Position(capabilities=("issue_refund",))
        identity.add_member(stage.table, position, user_id=OPERATOR_ID, academy_id=academy_id)
    return Opening(stage.memory.copy(), stage.standin.dump(), people, token, stage.now)


def _subscribe(stage: Stage, person: Customer, held: tuple[str, dict[str, Any]]) -> int:
    """Somebody has a plan from the beginning, so that it has months to recur in. The id of what they hold."""
    plan, way = held
    body = {"type": "BAG", "plans": [plan], "country_code": "US"}
    bag = stage.call("PUT", "/v2/payments/checking", body=body, token=person.token).json
    reply = stage.call("POST", "/v2/payments/pay", body={"token": bag["token"], **way}, token=person.token)
    assert reply.status == 200, reply
    return int(reply.json["id"])


def _seat(stage: Stage, owner: Customer, ident: int, member: Customer) -> None:
    """Somebody sits in a team from the beginning."""
    path = f"/v2/payments/subscription/{ident}/billing-team/seat"
    reply = stage.call("PUT", path, body={"add_seats": [{"email": member.email}]}, token=owner.token)
    assert reply.json["errors"] == [], reply


def _recharge(stage: Stage, owner: Customer, ident: int) -> None:
    """The pool of a team is filled up from the beginning."""
    path = f"/v2/payments/subscription/{ident}/billing-team"
    reply = stage.call("PUT", path, body=shops.RECHARGED_AT_FIRST, token=owner.token)
    assert reply.status == 200, reply


def _open(stage: Stage, opening: Opening) -> None:
    stage.memory.become(opening.rows)
    stage.memory.changed = {(row["pk"]["S"], row["sk"]["S"]): None for row in opening.rows}
    stage.standin.load(opening.stripe)
    stage.now, stage.operator_token = opening.now, opening.operator_token
    stage.people = [Customer(*person) for person in opening.people]
    stage.mailer.sent.clear()
