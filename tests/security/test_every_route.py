"""Every route of the OpenAPI document, asked by everybody who may not: refused as documented, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.books.identity import operations as identity
from chalicelib.books.identity import queries
from chalicelib.books.identity.model import NewApiKey
from tests.security.documented import Operation, operations
from tests.security.tenants import SESSION, Tenants, a_jwt, with_token
from tests.world import Person, Reply

PUBLIC = {
    "GET /docs",
    "GET /docs/errors",
    "GET /docs/{asset}",
    "GET /health",
    "GET /v1/payments/coupon",
    "GET /openapi.json",
    "GET /v1/payments/currency",
    "GET /v1/payments/plan",
    "GET /v1/payments/plan/{plan_ref}",
    "GET /v1/payments/planoffer",
    "GET /v1/payments/recover/{token}",
    "GET /v1/payments/service",
    "GET /v1/payments/serviceitem",
    "POST /stripe/webhook",
    "POST /v1/auth/invite/{token}/accept",
    "POST /v1/auth/login",
}
"""Whoever opens another route says so here too."""

SHARED = {"asset", "plan_ref", "service_ref", "service_slug"}
"""Variables that name what is for sale; every other one names what is somebody's."""

OF_ANOTHER = {"POST /v2/payments/pay": "bag-not-found"}
"""Operations whose body names what is somebody's."""

OWN_NAMES = {f"PUT {SESSION}": "insufficient-credits"}
"""Operations whose variable is a name that each person gives: another's name is a new one here."""

UNTOLD = (
    ("academy=nowhere", ""),
    ("academy=9007199254740991", ""),
    ("academy=1%202", ""),
    ("academy=0", ""),
    ("academy=4geeks", "lakeside"),
    ("", "lakeside%00"),
)
"""Academies, by query and header, that are none, or not the caller's, or two."""

Headers = dict[str, str]
HOUR = timedelta(hours=1)


def ended(tenants: Tenants) -> Headers:
    person = tenants.neighbour
    identity.revoke_token(tenants.world.table, person.token)
    return with_token(person.token)


def expired(person: Callable[[Tenants], Person]) -> Callable[[Tenants], Headers]:
    """A token that was good until this second."""

    def made(tenants: Tenants) -> Headers:
        world = tenants.world
        user = queries.user(world.table, person(tenants).user_id)
        secret = identity.issue_token(world.table, user, now=world.now - HOUR, expires_at=world.now)
        return with_token(secret)

    return made


def expired_jwt(tenants: Tenants) -> Headers:
    return {"Authorization": f"Bearer {a_jwt(tenants.world, tenants.owner, expires_in=-timedelta(minutes=1))}"}


def a_key(tenants: Tenants, *scopes: str, academy_id: int | None) -> Headers:
    new = NewApiKey(name="A program", scopes=scopes, academy_id=academy_id)
    return {"X-Api-Key": identity.issue_api_key(tenants.world.table, new, now=tenants.world.now).secret}


INVALID: dict[str, Callable[[Tenants], Headers]] = {
    "expired token": expired(lambda tenants: tenants.owner),
    "expired token of an operator": expired(lambda tenants: tenants.operator),
    "ended token": ended,
    "expired signed token": expired_jwt,
    "unknown token": lambda tenants: with_token("purser_token_" + "x" * 43),
    "unknown key": lambda tenants: {"X-Api-Key": "purser_key_" + "x" * 43},
    "a key where a token belongs": lambda tenants: with_token(a_key(tenants, "studio", academy_id=None)["X-Api-Key"]),
    "a token where a key belongs": lambda tenants: {"X-Api-Key": tenants.operator.token},
    "a token and a key": lambda tenants: {
        **with_token(tenants.operator.token),
        **a_key(tenants, "studio", academy_id=None),
    },
    "another scheme": lambda tenants: {"Authorization": f"Basic {tenants.operator.token}"},
}

POWERLESS: dict[str, Callable[[Tenants], Headers]] = {
    "a customer": lambda tenants: with_token(tenants.neighbour.token),
    "staff of another academy": lambda tenants: with_token(tenants.other_staff.token),
    "a signed token with every scope": lambda tenants: {
        "Authorization": f"Bearer {a_jwt(tenants.world, tenants.operator, expires_in=HOUR, scopes=('operator', 'ops'))}"
    },
    "a key of another academy": lambda tenants: a_key(
        tenants, "operator", "read_invoice", "crud_plan", academy_id=tenants.other_academy
    ),
    "a key with no scope of ours": lambda tenants: a_key(tenants, "nothing", academy_id=tenants.world.academy_id),
}


def refused(operation: Operation, reply: Reply, *statuses: int, whom: str = "") -> str:
    """The slug of a refusal, which must be one that the document has for this operation and status."""
    assert reply.status in statuses, f"{operation} {whom}: {reply.status} {reply.text[:300]}"
    assert reply.headers["Content-Type"] == "application/problem+json"
    slug: str = reply.json["slug"]
    assert slug in operation.slugs(reply.status), f"{operation} may not answer {reply.status} {slug}"
    return slug


def test_the_public_routes_are_these() -> None:
    assert {str(one) for one in operations() if one.is_public} == PUBLIC


class TestTheExamples:
    @staticmethod
    def wanted(operation: Operation) -> bool:
        return operation.is_ever_done

    def test_its_rightful_caller_is_served(self, tenants: Tenants, operation: Operation) -> None:
        """So that the refusals below are for who asks, and not for what."""
        reply = tenants.send(operation, tenants.rightful(operation))
        assert 200 <= reply.status < 300, f"{operation}: {reply.status} {reply.text[:500]}"
        assert operation.answers(reply.status)


class TestNoCredential:
    @staticmethod
    def wanted(operation: Operation) -> bool:
        return not operation.is_public

    def test_is_refused(self, tenants: Tenants, operation: Operation) -> None:
        before = tenants.world.snapshot()
        assert refused(operation, tenants.send(operation, {}), 401) == "not-authenticated"
        assert tenants.world.snapshot() == before


class TestABadCredential:
    def test_is_refused_on_public_routes_too(self, tenants: Tenants, operation: Operation) -> None:
        for credential, made in INVALID.items():
            headers = made(tenants)
            before = tenants.world.snapshot()
            slug = refused(operation, tenants.send(operation, headers), 401, whom=credential)
            assert (credential, slug) == (credential, "authentication-failed")
            assert tenants.world.snapshot() == before, credential


class TestACallerWithoutTheRight:
    @staticmethod
    def wanted(operation: Operation) -> bool:
        return operation.is_for_operators or operation.is_for_staff

    def test_is_refused(self, tenants: Tenants, operation: Operation) -> None:
        for credential, made in POWERLESS.items():
            headers = made(tenants)
            before = tenants.world.snapshot()
            refused(operation, tenants.send(operation, headers), 403, whom=credential)
            assert tenants.world.snapshot() == before, credential


class TestAPersonsRoute:
    @staticmethod
    def wanted(operation: Operation) -> bool:
        return not (operation.is_public or operation.is_for_operators or operation.is_for_staff)

    @pytest.mark.parametrize("credential", ["a key of another academy", "a key with no scope of ours"])
    def test_is_closed_to_programs(self, tenants: Tenants, operation: Operation, credential: str) -> None:
        headers = POWERLESS[credential](tenants)
        before = tenants.world.snapshot()
        refused(operation, tenants.send(operation, headers), 403)
        assert tenants.world.snapshot() == before

    @pytest.mark.parametrize("asker", ["neighbour", "other_staff", "staff", "operator"])
    def test_gives_nobody_what_is_anothers(self, tenants: Tenants, operation: Operation, asker: str) -> None:
        person: Person = getattr(tenants, asker)
        before = of_the_owner(tenants)
        whole = tenants.world.snapshot()
        reply = tenants.send(operation, with_token(person.token))
        if names_anothers(operation):
            expected = OWN_NAMES.get(str(operation)) or OF_ANOTHER.get(str(operation))
            slug = refused(operation, reply, 402 if str(operation) in OWN_NAMES else 404)
            assert expected in (None, slug)
            assert tenants.world.snapshot() == whole
        else:
            assert operation.answers(reply.status), f"{operation}: {reply.status} {reply.text[:300]}"
        assert of_the_owner(tenants) == before
        for secret in marks(tenants):
            assert secret not in reply.text, f"{operation} told {asker} {secret}"


class TestAnAcademy:
    @staticmethod
    def wanted(operation: Operation) -> bool:
        return bool({"academy", "academy_id"} & set(operation.parameters("query")))

    def test_that_cannot_be_told_is_refused_as_documented_or_makes_no_difference(
        self, tenants: Tenants, operation: Operation
    ) -> None:
        before = tenants.world.snapshot()
        for query, header in UNTOLD:
            path = f"{tenants.path(operation).partition('?')[0]}?{query}"
            headers = {**tenants.rightful(operation), **({"Academy": header} if header else {})}
            reply = tenants.world.call(operation.method, path, headers=headers)
            assert operation.answers(reply.status), (query, header)
            assert reply.status < 400 or reply.json["slug"] in operation.slugs(reply.status), (query, header)
            assert tenants.world.snapshot() == before, (query, header)


def names_anothers(operation: Operation) -> bool:
    return bool(set(operation.variables) - SHARED) or str(operation) in OF_ANOTHER


def of_the_owner(tenants: Tenants) -> dict[str, Any]:
    """The rows of the owner's partitions."""
    own = f"#{tenants.owner.user_id}"
    found = {key: row for key, row in tenants.world.snapshot().items() if own in key.split()[0]}
    assert len(found) > 5
    return found


def marks(tenants: Tenants) -> list[str]:
    """What an answer to somebody else may not have: the owner's e-mail, and ids that only the owner's things have."""
    examples = tenants.examples
    stripe = [one["id"] for kind in ("customer", "payment_intent") for one in tenants.world.at_stripe(kind)[:1]]
    return [tenants.owner.email, *(str(examples[name]) for name in ("invoice_id", "bag_id", "session_ref")), *stripe]
