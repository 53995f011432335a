"""What an academy's staff see of what was sold and of who holds what: theirs, all of theirs, and nobody else's."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.dynamo.writes import commit
from chalicelib.kernel.ids import new_id
from tests.billing_rows import a_buyer, an_invoice, some_terms
from tests.conformance.things import a_financing, a_subscription
from tests.faults import invoice_of, rewrite
from tests.journeys.test_staff_refunds import refund
from tests.journeys.test_staff_units import given
from tests.shop import BASIC, BOOTCAMP
from tests.staffing import Clerk, clerk, clerk_elsewhere, refused
from tests.world import Person, Reply, World

INVOICES = "/v1/payments/academy/invoice"
SUBSCRIPTIONS = "/v1/payments/academy/subscription"
FINANCINGS = "/v1/payments/academy/planfinancing"
UNITS = "/v1/payments/academy/service/consumable"


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def subscribed(world: World, plan: str = "basic") -> Person:
    person = world.paying()
    way = {"how_many_installments": 12} if plan == "bootcamp" else {"chosen_period": "MONTH"}
    assert person.pay(person.check(plan).json, **way).status == 200
    world.advance(seconds=1)
    return person


def held_elsewhere(world: World, person: Person, academy_id: int) -> int:
    """What the person bought at another academy, the latest of all. Answers its id."""
    ident = new_id(world.now, lambda bits: 0)
    agreed = some_terms(academy_id=academy_id)
    held: dict[str, Any] = {"id": ident, "user_id": person.user_id, "terms": agreed}
    sold = an_invoice(id=ident, academy_id=academy_id, buyer=a_buyer(user_id=person.user_id))
    rows = [
        billing.new_invoice(sold.model_copy(update={"status": InvoiceStatus.FULFILLED}), "{}"),
        subscriptions.new_subscription(a_subscription(**held)),
        subscriptions.new_financing(a_financing(**held)),
    ]
    commit(world.table, rows)
    return ident


def ids(staff: Clerk, path: str, query: str = "") -> list[int]:
    answer = staff.get(f"{path}?{query}")
    assert answer.status == 200, answer.text
    return [row["id"] for row in answer.json]


def following(staff: Clerk, answer: Reply) -> Reply:
    link = answer.headers["Link"]
    return staff.get(link[1 : link.index(">")])


def cursor_of(answer: Reply) -> Any:
    """What the cursor of the next page says to whoever reads it."""
    cursor = answer.headers["Link"].partition("cursor=")[2].partition(">")[0].partition("&")[0]
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


class TestInvoices:
    def test_are_listed_newest_first_with_who_bought(self, staff: Clerk, world: World) -> None:
        people = [subscribed(world) for _ in range(2)]
        found = staff.get(INVOICES).json
        assert [row["user"]["email"] for row in found] == [people[1].email, people[0].email]
        assert found[0] == people[1].get(f"/v1/payments/me/invoice/{found[0]['id']}").json
        assert staff.get(f"{INVOICES}/{found[1]['id']}").json == found[1]

    def test_are_filtered_by_status_and_by_person(self, staff: Clerk, world: World) -> None:
        first, second = subscribed(world), subscribed(world)
        world.settle()
        (one,), (two,) = ([row["id"] for row in person.invoices()] for person in (first, second))
        assert refund(staff.person, one).status == 201
        assert ids(staff, INVOICES, "status=refunded") == [one]
        assert ids(staff, INVOICES, "status=FULFILLED,REFUNDED") == [two, one]
        assert ids(staff, INVOICES, "status=nothing") == []
        assert ids(staff, INVOICES, f"user={first.user_id}") == [one]
        assert ids(staff, INVOICES, f"user={first.user_id}&status=FULFILLED") == []
        assert ids(staff, INVOICES, "user=99") == []

    def test_that_are_void_are_listed_only_when_asked_for(self, staff: Clerk, world: World) -> None:
        person = subscribed(world)
        invoice = invoice_of(person)
        rewrite(world, invoice, status=InvoiceStatus.VOIDED)
        assert ids(staff, INVOICES) == ids(staff, INVOICES, f"user={person.user_id}") == []
        assert ids(staff, INVOICES, "status=VOIDED") == [invoice.id]

    def test_are_answered_page_by_page(self, staff: Clerk, world: World) -> None:
        person = subscribed(world)
        for _ in range(3):
            world.advance(seconds=1)
            assert person.buy(how_many=1).status == 201
        whole = ids(staff, INVOICES)
        for query in ("limit=3", f"limit=3&user={person.user_id}"):
            page = staff.get(f"{INVOICES}?{query}")
            rest = following(staff, page)
            assert [row["id"] for row in page.json + rest.json] == whole
            assert "Link" not in rest.headers
        assert ids(staff, INVOICES, "limit=2&offset=1") == whole[1:3]
        assert staff.get(f"{INVOICES}?cursor=x").status == 400

    def test_of_another_academy_are_not_there(self, staff: Clerk, world: World) -> None:
        person, elsewhere = subscribed(world), clerk_elsewhere(world)
        (own,) = ids(staff, INVOICES)
        theirs = held_elsewhere(world, person, elsewhere.academy_id)
        refused(staff.get(f"{INVOICES}/{theirs}"), 404, "invoice-not-found")
        refused(elsewhere.get(f"{INVOICES}/{own}"), 404, "invoice-not-found")
        assert ids(staff, INVOICES) == ids(staff, INVOICES, f"user={person.user_id}") == [own]
        assert ids(elsewhere, INVOICES) == ids(elsewhere, INVOICES, f"user={person.user_id}") == [theirs]

    @pytest.mark.parametrize("path", [INVOICES, f"{INVOICES}/1"])
    def test_need_the_capability(self, world: World, path: str) -> None:
        refused(clerk(world, "read_subscription").get(path), 403, "permission-denied")


class TestACursorOfAPersonsList:
    @pytest.mark.parametrize(("path", "sk"), [(INVOICES, "INVOICE#"), (SUBSCRIPTIONS, "SUB#"), (FINANCINGS, "FIN#")])
    def test_names_nothing_of_another_academy(self, staff: Clerk, world: World, path: str, sk: str) -> None:
        person, elsewhere = world.person(), clerk_elsewhere(world)
        own, theirs = [], []
        for _ in range(3):
            own.append(held_elsewhere(world, person, world.academy_id))
            for _ in range(2):
                world.advance(seconds=1)
                theirs.append(held_elsewhere(world, person, elsewhere.academy_id))
            world.advance(seconds=1)
        page = staff.get(f"{path}?limit=2&user={person.user_id}")
        assert [row["id"] for row in page.json] == own[:0:-1]
        assert cursor_of(page)["sk"]["S"] == f"{sk}{own[1]:016d}"
        assert [row["id"] for row in following(staff, page).json] == own[:1]


class TestHoldings:
    def test_of_the_academy_are_listed_newest_first_with_their_holder(self, staff: Clerk, world: World) -> None:
        people = [subscribed(world) for _ in range(2)]
        found = staff.get(SUBSCRIPTIONS).json
        assert [row["user"] for row in found] == [people[1].user_id, people[0].user_id]
        (mine,) = people[0].get("/v1/payments/me/subscription").json["subscriptions"]
        assert found[1] == {**mine, "user": people[0].user_id}
        assert staff.get(f"{SUBSCRIPTIONS}/{mine['id']}").json == found[1]

    def test_that_are_financed_have_a_list_of_their_own(self, staff: Clerk, world: World) -> None:
        person = subscribed(world, "bootcamp")
        (mine,) = person.get("/v1/payments/me/subscription").json["plan_financings"]
        assert staff.get(FINANCINGS).json == [{**mine, "user": person.user_id}]
        assert staff.get(f"{FINANCINGS}/{mine['id']}").json == {**mine, "user": person.user_id}
        refused(staff.get(f"{SUBSCRIPTIONS}/{mine['id']}"), 404, "subscription-not-found")
        assert ids(staff, SUBSCRIPTIONS) == []

    def test_are_filtered(self, staff: Clerk, world: World) -> None:
        basic, trial = subscribed(world), subscribed(world, "pro-trial")
        first, second = ids(staff, SUBSCRIPTIONS)[::-1]
        assert ids(staff, SUBSCRIPTIONS, "status=FREE_TRIAL") == [second]
        assert ids(staff, SUBSCRIPTIONS, "plan=basic") == ids(staff, SUBSCRIPTIONS, f"plan={BASIC}") == [first]
        assert ids(staff, SUBSCRIPTIONS, f"user={trial.user_id}") == [second]
        assert ids(staff, SUBSCRIPTIONS, f"user={basic.user_id}&plan=pro-trial") == []
        assert ids(staff, FINANCINGS, f"plan={BOOTCAMP}") == []
        assert staff.get(f"{SUBSCRIPTIONS}?status=nothing").status == 400

    def test_stay_listed_as_they_change(self, staff: Clerk, world: World) -> None:
        person = subscribed(world)
        world.settle()
        (ident,) = ids(staff, SUBSCRIPTIONS)
        refund(staff.person, person.invoices()[0]["id"])
        assert [(row["id"], row["status"]) for row in staff.get(SUBSCRIPTIONS).json] == [(ident, "CANCELLED")]
        assert staff.get(f"{SUBSCRIPTIONS}/{ident}").json["status"] == "CANCELLED"

    def test_are_answered_page_by_page(self, staff: Clerk, world: World) -> None:
        for _ in range(3):
            subscribed(world)
        page = staff.get(f"{SUBSCRIPTIONS}?limit=2")
        assert [row["id"] for row in page.json + following(staff, page).json] == ids(staff, SUBSCRIPTIONS)

    @pytest.mark.parametrize("path", [SUBSCRIPTIONS, FINANCINGS])
    def test_of_another_academy_are_not_there(self, staff: Clerk, world: World, path: str) -> None:
        person, elsewhere = world.person(), clerk_elsewhere(world)
        theirs = held_elsewhere(world, person, elsewhere.academy_id)
        assert ids(elsewhere, path) == ids(elsewhere, path, f"user={person.user_id}") == [theirs]
        assert staff.get(f"{path}/{theirs}").status == 404
        assert ids(staff, path) == ids(staff, path, f"user={person.user_id}") == []

    @pytest.mark.parametrize("path", [SUBSCRIPTIONS, FINANCINGS, f"{SUBSCRIPTIONS}/1", f"{FINANCINGS}/1"])
    def test_need_the_capability(self, world: World, path: str) -> None:
        refused(clerk(world, "read_invoice").get(path), 403, "permission-denied")


class TestUnits:
    def test_of_a_person_are_shown_as_to_themselves(self, staff: Clerk, world: World) -> None:
        person = subscribed(world)
        mine = person.get("/v1/payments/me/service/consumable").json
        assert staff.get(f"{UNITS}?user={person.user_id}").json == mine
        assert [entry["balance"]["unit"] for entry in mine["voids"]] == [5000]

    def test_of_another_academy_are_not_shown(self, staff: Clerk, world: World) -> None:
        person, elsewhere = world.person(), clerk_elsewhere(world)
        given(elsewhere, person, how_many=7)
        assert not any(staff.get(f"{UNITS}?user={person.user_id}").json.values())
        (entry,) = elsewhere.get(f"{UNITS}?user={person.user_id}").json["voids"]
        assert (entry["academy"], entry["balance"]["unit"]) == (elsewhere.academy_id, 7)

    def test_need_a_person_and_the_capability(self, staff: Clerk, world: World) -> None:
        assert staff.get(UNITS).status == 400
        refused(staff.get(f"{UNITS}?user=99"), 404, "user-not-found")
        refused(clerk(world, "crud_consumable").get(f"{UNITS}?user=99"), 403, "permission-denied")
