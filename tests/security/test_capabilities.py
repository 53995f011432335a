"""Document 3's tables "Required Capabilities" and "Recommended Roles", row by row, against the routes as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import Position
from chalicelib.books.identity.roles import CAPABILITIES, ROLES
from tests.security.documented import Operation, operations
from tests.security.tenants import Tenants, with_token

STAFF = "/v1/payments/academy"


@dataclass(frozen=True)
class Row:
    """One operation of the document, and the requests that do it: methods, and a path below the staff's."""

    operation: str
    capability: str
    requests: tuple[str, ...]

    def __str__(self) -> str:
        return self.operation


REQUIRED = (
    Row("View plans", "read_subscription", ("GET /plan", "GET /plan/{}")),
    Row("Create plan", "crud_subscription", ("POST /plan",)),
    Row("Update plan", "crud_subscription", ("PUT /plan/{}",)),
    Row("Delete plan", "crud_subscription", ("DELETE /plan/{}",)),
    Row("Manage service items", "crud_plan", ("POST /plan/serviceitem", "DELETE /plan/serviceitem")),
    Row(
        "Manage cohort sets",
        "crud_plan",
        (
            *(
                f"{method} /{kind}{part}"
                for kind in ("cohortset", "mentorshipserviceset", "eventtypeset")
                for part, methods in (("", ("GET", "POST")), ("/{}", ("GET", "PUT", "DELETE")))
                for method in methods
            ),
            *(f"{method} /cohortset/{{}}/cohort" for method in ("GET", "PUT", "DELETE")),
        ),
    ),
    Row("View services", "read_service", ("GET /service", "GET /service/{}")),
    Row("Manage services", "crud_service", ("POST /service", "PUT /service/{}")),
    Row("View consumables", "read_consumable", ("GET /user/{}/timeline",)),
    Row("View invoices", "read_invoice", ("GET /invoice", "GET /invoice/{}")),
)
RECOMMENDED = {
    "billing_administrator": {"read_subscription", "crud_subscription", "crud_plan", "read_invoice"},
    "academy_admin": set(CAPABILITIES),
    "support_staff": {"read_subscription", "read_invoice", "read_consumable"},
}


def needed(operation: Operation) -> str | None:
    """The capability that the document names."""
    found = re.search(r"Needs the capability `(\w+)`", str(operation.described["description"]))
    return None if found is None else found.group(1)


def served() -> dict[str, str | None]:
    """What staff can request, by method and path below the staff's, and the capability that it needs."""
    return {
        f"{one.method} {re.sub('{[^}]+}', '{}', one.path.removeprefix(STAFF))}": needed(one)
        for one in operations()
        if one.path.startswith(f"{STAFF}/")
    }


class TestRequiredCapabilities:
    @pytest.mark.parametrize("row", REQUIRED, ids=str)
    def test_are_those_of_the_routes(self, row: Row) -> None:
        found = {request: served()[request] for request in row.requests}
        assert found == dict.fromkeys(found, row.capability)

    def test_are_capabilities_that_there_are(self) -> None:
        assert {row.capability for row in REQUIRED} <= set(CAPABILITIES)
        assert {needed(one) for one in operations() if one.is_for_staff} <= set(CAPABILITIES)


class TestRecommendedRoles:
    def test_are_these(self) -> None:
        assert {role: set(capabilities) for role, capabilities in ROLES.items()} == RECOMMENDED

    @pytest.mark.parametrize("role", RECOMMENDED)
    def test_let_in_whom_they_say(self, tenants: Tenants, role: str) -> None:
        world = tenants.world
        person = world.person()
        identity.add_member(world.table, Position(role=role), user_id=person.user_id, academy_id=world.academy_id)
        staffs = [one for one in operations() if one.is_for_staff]
        assert len(staffs) > 20
        for operation in staffs:
            reply = tenants.send(operation, with_token(person.token))
            shut_out = reply.status == 403 and reply.json["slug"] == "permission-denied"
            assert shut_out == (needed(operation) not in RECOMMENDED[role]), f"{operation}: {reply.status} {reply.text}"

    def test_let_support_staff_read_only(self) -> None:
        allowed = [one for one in operations() if one.is_for_staff and needed(one) in RECOMMENDED["support_staff"]]
        assert {one.method for one in allowed} == {"GET"}
