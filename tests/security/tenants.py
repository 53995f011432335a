"""Two tenants and their people, and a valid request for each operation that asks for what is theirs.

A new route is covered without a line here as long as its variables and fields have names that stand in EXAMPLES. One
that is not fails `test_its_rightful_caller_is_served` until it is given an example.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.books.identity import operations as identity
from chalicelib.books.identity import queries
from chalicelib.books.identity.model import NewAcademy, NewApiKey, NewUser, Position
from chalicelib.books.identity.model import Person as Named
from chalicelib.entrypoints._auth import mint_jwt
from tests.journeys.test_webhooks import an_event, signed
from tests.security.documented import Operation
from tests.security.held import in_each_state
from tests.security.team_examples import of_teams
from tests.shop import BASIC, COURSES, MENTORING, TEAM
from tests.world import Person, Reply, World

PASSWORD = "correct horse battery staple"
SERVICE = "mentorship-service"
OWN_SERVICE = "code-reviews"
CARD = {"card_number": "4242424242424242", "exp_month": "10", "exp_year": "30", "cvc": "435"}
OPTION = {"monthly_price": 299.0, "how_many_months": 12, "currency": "USD"}
SESSION = "/v1/payments/me/service/{service_slug}/consumptionsession/{session_ref}"


@dataclass(frozen=True)
class Tenants:
    """Academy 1 with its customer (`owner`) and staff, academy 2 with its own, and an operator of both.

    `examples` are values by the name of a variable or field, all of them the owner's or academy 1's; `special` are
    those of single operations, where one name means several things.
    """

    world: World
    owner: Person
    neighbour: Person
    operator: Person
    staff: Person
    other_staff: Person
    other_academy: int
    examples: Mapping[str, Any]
    special: Mapping[str, Mapping[str, Any]]

    def send(self, operation: Operation, headers: Mapping[str, str]) -> Reply:
        """The operation's example with somebody's headers."""
        path, body = self.path(operation), self.body(operation)
        sent = {**self._headers(operation, body), **headers}
        return self.world.call(operation.method, path, raw=body, headers=sent)

    def path(self, operation: Operation) -> str:
        path = operation.path
        for name in operation.variables:
            path = path.replace(f"{{{name}}}", quote(str(self._example(operation, name)), safe=""))
        wanted = set(operation.parameters("query", required_only=True)) | self._of(operation).get("query", set())
        query = {name: self._example(operation, name) for name in sorted(wanted)}
        return f"{path}?{urlencode(query)}" if query else path

    def body(self, operation: Operation) -> bytes | None:
        """The whole body that is given for this operation, else its required fields; None where it takes none."""
        if "raw" in self._of(operation):
            raw: bytes = self._of(operation)["raw"]
            return raw
        schema = operation.body_schema
        if schema is None:
            return None
        fields = self._of(operation).get("body", schema.get("required", ()))
        return json.dumps({name: self._example(operation, name) for name in fields}).encode()

    def rightful(self, operation: Operation) -> Mapping[str, str]:
        """The headers of whoever may do this."""
        if operation.is_public:
            return {}
        if operation.is_for_operators:
            return with_token(self.operator.token)
        return with_token((self.staff if operation.is_for_staff else self.owner).token)

    def _headers(self, operation: Operation, body: bytes | None) -> dict[str, str]:
        found = {"Academy": str(self.world.academy_id)} if operation.is_for_staff else {}
        if operation.is_for_staff and "Idempotency-Key" in operation.parameters("header"):
            found["Idempotency-Key"] = "an-example"
        if "Stripe-Signature" in operation.parameters("header"):
            found["Stripe-Signature"] = signed(self.world, body or b"")
        return found

    def _example(self, operation: Operation, name: str) -> Any:
        found = {**self.examples, **self._of(operation)}
        assert name in found, f"{operation}: give tests/security/tenants.py an example of {name}"
        return found[name]

    def _of(self, operation: Operation) -> Mapping[str, Any]:
        return self.special.get(str(operation), {})


def with_token(token: str) -> dict[str, str]:
    return {"Authorization": f"Token {token}"}


def two_tenants(world: World) -> Tenants:
    """A customer of academy 1 with a card, a plan, units, a session and an open bag; staff of both; an event."""
    owner, neighbour, operator, staff, other_staff = _people(world)
    other = identity.create_academy(world.table, NewAcademy(name="Lakeside", slug="lakeside"), now=world.now)
    admin = Position(role="academy_admin")
    for person, academy_id in ((staff, world.academy_id), (other_staff, other.id)):
        identity.add_member(world.table, admin, user_id=person.user_id, academy_id=academy_id)
    bought = owner.pay(owner.check("basic").json, chosen_period="MONTH").json
    assert owner.buy().status == 201
    session = owner.put(f"/v1/payments/me/service/{SERVICE}/consumptionsession/a-lesson").json
    world.settle()
    bag = owner.check("team").json
    signed_in = identity.create_user(
        world.table,
        NewUser(email="grace@example.com", first_name="Grace", last_name="Hopper", password=PASSWORD),
        now=world.now,
    )
    a_key = NewApiKey(name="A key", scopes=("studio",), academy_id=world.academy_id)
    key = identity.issue_api_key(world.table, a_key, now=world.now)
    assert world.post_webhook(*_a_webhook(world, "evt_of_the_owner")).status == 200
    world.settle()
    examples = {
        "academy": world.academy_id,
        "academy_id": world.academy_id,
        "asset": "docs.css",
        "bag_id": bag["id"],
        "coupon_slug": a_coupon_of(world, staff, owner),
        "email": owner.email,
        "event_id": "evt_of_the_owner",
        "first_name": "Grace",
        "how_many": 10,
        "invite_id": (invited := an_invitation(world, staff))[0],
        "key_id": key.id,
        "name": "Grace",
        "password": PASSWORD,
        **OPTION,
        **of_the_catalog(world, staff),
        "plan": BASIC,
        "plan_service_item": 2,
        "service_item": [1],
        "plan_ref": "basic",
        "plans": [TEAM],
        "role": "support_staff",
        "scopes": ["studio"],
        "service": MENTORING,
        "service_ref": SERVICE,
        "service_slug": SERVICE,
        "session_ref": session["id"],
        "slug": "hillside",
        "standing": "BAD",
        **CARD,
        **of_sets_and_offers(world, staff),
        **held_by(owner, bought["id"]),
    }
    (intent, *_) = [one for one in world.at_stripe("payment_intent") if one["amount"] == 45000]
    world.control(f"/_control/dispute/{intent['id']}", {"outcome": "won"})
    world.settle()
    examples["dispute_id"] = world.at_stripe("dispute")[0]["id"]
    return Tenants(
        world=world,
        owner=owner,
        neighbour=neighbour,
        operator=operator,
        staff=staff,
        other_staff=other_staff,
        other_academy=other.id,
        examples=examples,
        special=_special(world, owner, bag["token"], signed_in.email, staff.user_id, invited),
    )


def _people(world: World) -> tuple[Person, Person, Person, Person, Person]:
    """The owner, a neighbour, an operator and two more, in a millisecond of their own: ids of one may be equal."""
    world.advance(milliseconds=1)
    customers = world.paying(), world.paying()
    people = (*customers, world.person(operator=True), world.person(), world.person())
    world.advance(milliseconds=1)
    return people


def held_by(owner: Person, subscription_id: int) -> dict[str, Any]:
    """What staff name of the owner's, who pays a plan by instalments too."""
    financed = owner.pay(owner.check("bootcamp").json, how_many_installments=12).json
    reason = "They waited for a mentor who never came."
    return {
        "days": 10,
        "financing_id": financed["id"],
        "invoice_id": subscription_id,
        "reason": reason,
        "subscription_id": subscription_id,
        "user": owner.user_id,
        "user_id": owner.user_id,
    }


def of_the_catalog(world: World, staff: Person) -> dict[str, Any]:
    """What staff of academy 1 made, and fields of more of it."""
    return {
        "option_id": a_financing_option(world, staff),
        "item_id": a_service_item(world, staff),
        "price_per_unit": 30.0,
        "sort_priority": 2,
        "title": "Live code reviews",
    }


def a_financing_option(world: World, staff: Person) -> int:
    """One of academy 1 that no plan names."""
    return _made(world, staff, "/v1/payments/academy/financingoption", OPTION)


def of_sets_and_offers(world: World, staff: Person) -> dict[str, Any]:
    """A cohort of academy 1 in one of its sets, sets of the other kinds with the same slug, and a plan offer."""
    named = {"slug": "a-cohort", "name": "A cohort", "available_as_saas": True}
    cohort = _made(world, staff, "/v1/admissions/academy/cohort", named)
    for kind, members in (("cohortset", {"cohorts": [cohort]}), ("mentorshipserviceset", {}), ("eventtypeset", {})):
        _made(world, staff, f"/v1/payments/academy/{kind}", {"slug": "a-set", "name": "A set", **members})
    offer = {"original_plan": BASIC, "suggested_plan": TEAM}
    return {
        "cohort_ref": "a-cohort",
        "cohorts": [cohort],
        "set_ref": "a-set",
        "offer_id": _made(world, staff, "/v1/payments/academy/planoffer", offer),
        "original_plan": TEAM,
        "suggested_plan": BASIC,
    }


def _made(world: World, staff: Person, path: str, body: Any) -> int:
    made = staff.post(path, body, Academy=str(world.academy_id))
    assert made.status == 201, made.text
    return int(made.json["id"])


def a_service_item(world: World, staff: Person) -> int:
    """One of academy 1, of a service that it owns."""
    headers = {"Academy": str(world.academy_id)}
    service = staff.post("/v1/payments/academy/service", {"slug": OWN_SERVICE, "title": "Code reviews"}, **headers)
    assert service.status == 201, service.text
    made = staff.post("/v1/payments/academy/serviceitem", {"service": OWN_SERVICE, "how_many": 5}, **headers)
    assert made.status == 201, made.text
    return int(made.json["id"])


def a_coupon_of(world: World, staff: Person, owner: Person) -> str:
    """One of academy 1 that only the owner may use."""
    body = {"slug": "for-the-owner", "discount_value": 0.5, "allowed_user": owner.user_id}
    made = staff.post("/v1/payments/academy/coupon", body, Academy=str(world.academy_id))
    assert made.status == 201, made.text
    return str(made.json["slug"])


def an_invitation(world: World, staff: Person) -> tuple[int, str]:
    """One of academy 1, and the secret of its link."""
    body = {"email": "rosa@example.org", "first_name": "Rosa", "invite": True}
    made = staff.post("/v1/auth/academy/student", body, Academy=str(world.academy_id))
    assert made.status == 201, made.text
    world.settle()
    return int(made.json["invite"]["id"]), world.mailer.sent[-1][0].text.partition("/invite/")[2].split()[0]


def _special(
    world: World, owner: Person, bag_token: str, email: str, staff_id: int, invited: tuple[int, str]
) -> dict[str, Mapping[str, Any]]:
    (listed, *_) = queries.tokens_of(world.table, owner.user_id, world.now)
    return {
        **in_each_state(world, owner),
        **of_teams(world, owner),
        "POST /stripe/webhook": {"raw": _a_webhook(world, "evt_new")[0]},
        "POST /v1/auth/login": {"email": email},
        "POST /v1/auth/academy/student": {
            "body": ("email", "first_name", "invite"),
            "email": "kay@example.org",
            "invite": True,
        },
        "POST /v1/auth/invite/{token}/accept": {"token": invited[1]},
        "POST /v2/payments/card": {"body": (*CARD, "academy")},
        "PUT /v1/payments/me/subscription/{subscription_id}/change": {"plan": "free"},
        "POST /v2/payments/pay": {"body": ("token", "chosen_period"), "token": bag_token, "chosen_period": "MONTH"},
        "DELETE /v1/payments/academy/plan/{plan_ref}": {"plan_ref": "pro-trial"},
        "PUT /v2/payments/checking": {"body": ("plans", "academy")},
        "POST /v1/payments/academy/academyservice": {"service": COURSES},
        "PUT /v1/payments/academy/service/{service_ref}": {"service_ref": OWN_SERVICE},
        "PUT /v1/payments/academy/serviceitem/{item_id}": {"body": ("sort_priority",)},
        "POST /v1/payments/consumable/checkout": {"body": ("service", "how_many", "academy")},
        "GET /v1/payments/academy/academyservice/{service_ref}": {"query": {"academy"}},
        "PUT /v1/payments/academy/cohortset/{set_ref}/cohort": {"body": ("cohorts",)},
        "DELETE /v1/payments/academy/cohortset/{set_ref}/cohort": {"body": ("cohorts",)},
        "GET /v1/payments/planoffer": {"query": {"academy"}},
        "GET /v1/payments/plan": {"query": {"academy"}},
        "GET /v1/payments/serviceitem": {"query": {"plan"}},
        "GET /v1/payments/me/coupon": {"query": {"academy"}},
        "POST /v1/payments/academy/coupon": {"body": ("slug", "discount_value"), "discount_value": 0.5},
        f"PUT {SESSION}": {"session_ref": "a-lesson"},
        "POST /ops/academies/{academy_id}/staff": {"body": ("email", "first_name", "role")},
        "DELETE /ops/academies/{academy_id}/staff/{user_id}": {"user_id": staff_id},
        "DELETE /ops/users/{user_id}/tokens/{token}": {"token": listed.id},
    }


def _a_webhook(world: World, ident: str) -> tuple[bytes, str]:
    raw = json.dumps(an_event("customer.updated", ident)).encode()
    return raw, signed(world, raw)


def a_jwt(world: World, person: Person, *, expires_in: timedelta, scopes: tuple[str, ...] = ()) -> str:
    """A signed token of a person, made an hour ago."""
    named = Named(user_id=person.user_id, email=person.email, first_name="Ada", last_name="Lovelace")
    now = world.now
    settings = world.runtime.settings
    made = now - timedelta(hours=1)
    return mint_jwt(named, settings=settings, now=made, expires_at=now + expires_in, scopes=scopes)
