"""What Stripe has and what we have are compared: each planted fault is found, and mended where that is promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.drift.model import MENDED_KINDS, DriftKind, WalkName
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy
from chalicelib.entrypoints import _observe, schedules
from chalicelib.flows.reconcile import compare
from tests.books import check_books
from tests.faults import (
    PLANTED,
    Fault,
    bought,
    charged_and_lost,
    duplicate_charge,
    duplicate_customer,
    intent_of,
    invoice_of,
    never_charged,
    one_cent_more,
    refund_missing,
    refund_unknown,
    rewrite,
    twins,
    unheard,
)
from tests.journeys.test_crash_workers import wants_authentication
from tests.moto_table import all_rows
from tests.shop import a_coupon, put
from tests.world import Person, World

Plant = Callable[[World], Fault]
SETTLED: dict[str, float] = {"minutes": 16}
ROUND_RUNS = 20
"""In so many comparisons the walk over the last 120 days comes round, in a shop as small as these."""


@pytest.fixture
def operator(world: World) -> Person:
    return world.person(operator=True)


@pytest.fixture
def measured() -> Iterator[Counter[str]]:
    """Every metric of the runs, added up."""
    total: Counter[str] = Counter()
    with (
        patch.object(_observe, "measure", total.update),
        patch.object(_observe, "count", lambda name: total.update([name])),
    ):
        yield total


def drifts(operator: Person, **query: str) -> list[dict[str, Any]]:
    text = "&".join(f"{name}={value}" for name, value in {"limit": "100", **query}.items())
    answer = operator.get(f"/ops/drift?{text}")
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def every_drift(operator: Person) -> list[dict[str, Any]]:
    return [one for status in ("open", "mended", "closed") for one in drifts(operator, status=status)]


def compared(world: World) -> dict[str, int]:
    return schedules.compare({})


def everything_else(world: World) -> tuple[Any, ...]:
    """All that a comparison that mends nothing leaves alone."""
    rows = [row for row in all_rows(world.table) if not row.key.pk.startswith(("DRIFT#", "WALKS"))]
    stripe = {kind: world.at_stripe(kind) for kind in ("payment_intent", "refund", "dispute", "customer")}
    return rows, repr(stripe)


class TestNothingPlanted:
    def test_finds_nothing_in_a_busy_shop(self, world: World, operator: Person, measured: Counter[str]) -> None:
        person, _, payment = bought(world)
        world.control(f"/_control/refund/{payment}", {"amount": 12345})
        _, _, lost = bought(world)
        world.control(f"/_control/dispute/{lost}", {"outcome": "lost"})
        bought(world, "4000000000000259")
        declined = world.person()
        declined.save_card("4000000000000341")
        assert declined.buy().status == 402
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
        world.settle()
        for _ in range(ROUND_RUNS):
            world.advance(minutes=15)
            assert compared(world) == {"opened": 0, "mended": 0}
        assert every_drift(operator) == []
        assert set(+measured) <= {"EventsMissed"}
        check_books(world)

    def test_finds_nothing_in_what_is_still_on_its_way(self, world: World, operator: Person) -> None:
        charged_and_lost(world)
        _, _, payment = bought(world)
        world.advance(minutes=5)
        with unheard(world):
            world.control(f"/_control/refund/{payment}", {"amount": 1})
        world.advance(minutes=9)
        compared(world)
        assert every_drift(operator) == []

    def test_finds_nothing_in_what_has_just_changed(self, world: World, operator: Person) -> None:
        """Old objects that changed a moment ago: a second refund, and a payment that was authenticated late."""
        _, waiting = wants_authentication(world)
        _, _, payment = bought(world)
        world.control(f"/_control/refund/{payment}", {"amount": 10000})
        world.settle()
        world.advance(minutes=20)
        with unheard(world):
            world.control(f"/_control/refund/{payment}", {"amount": 500})
            world.control(f"/_control/authenticate/{waiting['id']}", {"success": True})
        world.advance(minutes=14)
        compared(world)
        assert every_drift(operator) == []
        world.advance(minutes=2)
        for _ in range(ROUND_RUNS):
            compared(world)
        kinds = sorted(row["kind"] for row in every_drift(operator))
        assert kinds == ["charged-not-fulfilled", "refund-missing"]

    def test_leaves_what_is_not_its_own_alone(self, world: World, operator: Person) -> None:
        """A free purchase, an invoice of another account of the processor, and a customer who was made anew."""
        put(world.table, a_coupon(world.now, world.academy_id, id=501, slug="gift", discount_value=1))
        person, invoice, _ = bought(world)
        assert person.pay(person.check("basic", coupons=["gift"]).json, chosen_period="MONTH").status == 200
        assert invoice.payment is not None
        elsewhere = invoice.payment.model_copy(update={"account": "another", "payment_id": "pi_elsewhere"})
        del world.standin.world.store.objects["payment_intent"][str(invoice.payment.payment_id)]
        rewrite(world, invoice, payment=elsewhere)
        duplicate = duplicate_customer(world)
        client: Any = world.runtime.gateway
        client._client.v1.customers.delete(duplicate.found["expected"])
        world.advance(**SETTLED)
        compared(world)
        assert every_drift(operator) == []

    def test_leaves_other_applications_of_the_account_alone(self, world: World, operator: Person) -> None:
        _, invoice, _ = bought(world)
        assert invoice.payment is not None
        client: Any = world.runtime.gateway
        for metadata in ({}, {"invoice_id": "in_7"}, {"invoice_id": "7"}, {"user_id": "7"}):
            with unheard(world):
                params = {"amount": 100, "currency": "usd", "customer": invoice.payment.customer_id, "confirm": True}
                method = {"payment_method": invoice.payment.payment_method_id, "off_session": True}
                made = client._client.v1.payment_intents.create({**params, **method, "metadata": metadata})
                world.control(f"/_control/refund/{made.id}", {})
                client._client.v1.customers.create({"email": "a@example.com", "metadata": {"user_id": "x"}})
        world.advance(**SETTLED)
        compared(world)
        assert every_drift(operator) == []


class TestPlantedFaults:
    @pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
    def test_are_each_found_and_mended_where_promised(
        self, world: World, operator: Person, measured: Counter[str], plant: Plant
    ) -> None:
        fault = plant(world)
        assert fault.mended is (fault.kind in MENDED_KINDS)
        world.advance(**SETTLED)
        before = everything_else(world)
        with patch.dict(schedules.PAGES_PER_RUN, {WalkName.AGAIN: 0, WalkName.OPEN: 0}):
            compared(world)
        rows = every_drift(operator)
        assert {row["kind"] for row in rows} == {fault.kind}
        assert {row["status"] for row in rows} == {"mended" if fault.mended else "open"}
        assert {row["times"] for row in rows} <= {1, 2}  # what differs on both sides is met from both
        assert any(fault.found.items() <= row.items() for row in rows), rows
        assert len(rows) == (2 if plant is twins else 1)
        fault.healed()
        assert fault.mended or everything_else(world) == before
        assert measured[_metric(fault.kind)] >= 1
        assert measured["DriftOpen"] == (0 if fault.mended else len(rows))
        assert measured["DriftMended"] == int(fault.mended)

    @pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
    def test_are_nothing_new_the_next_time(self, world: World, operator: Person, plant: Plant) -> None:
        fault = plant(world)
        world.advance(**SETTLED)
        assert compared(world)["opened"] >= 1
        first = every_drift(operator)
        for _ in range(3):
            world.advance(minutes=15)
            assert compared(world) == {"opened": 0, "mended": 0}
        again = every_drift(operator)
        assert [row["id"] for row in again] == [row["id"] for row in first]
        for row, earlier in zip(again, first, strict=True):
            assert row["first_seen_at"] == earlier["first_seen_at"]
            if fault.mended:
                assert row == earlier
            else:
                assert (row["status"], row["error"]) == ("open", None)
                assert row["times"] > earlier["times"] and row["last_seen_at"] > earlier["last_seen_at"]
        fault.healed()

    def test_are_all_found_at_once(self, world: World, operator: Person) -> None:
        planted = [plant(world) for plant in PLANTED]
        assert {fault.kind for fault in planted} == set(DriftKind)
        world.advance(**SETTLED)
        compared(world)
        found = Counter(
            (row["kind"], row["user_id"]) for row in every_drift(operator) if row["kind"] != "customer-mismatch"
        )
        expected = Counter((f.kind, f.person.user_id) for f in planted if f.kind is not DriftKind.CUSTOMER_MISMATCH)
        assert set(found) == set(expected)
        assert len(drifts(operator, kind="customer-mismatch")) == 2
        for fault in planted:
            fault.healed()


class TestManyAcademies:
    def test_have_each_of_their_invoices_compared(self, world: World, operator: Person) -> None:
        """Five academies, of which the oldest and the one after it have sold; a page holds one invoice."""
        faults = [never_charged(world) for _ in range(3)]
        made = []
        for number in range(4):
            world.advance(seconds=1)
            academy = NewAcademy(name=f"A{number}", slug=f"a{number}", main_currency="USD")
            made.append(identity.create_academy(world.table, academy, now=world.now).id)
        rewrite(world, invoice_of(faults[0].person), academy_id=made[0])
        world.advance(**SETTLED)
        with patch.object(compare, "INVOICES_PER_PAGE", 1), patch.object(compare, "ACADEMIES_PER_PAGE", 2):
            compared(world)
        found = {row["user_id"]: row["academy_id"] for row in drifts(operator, kind="fulfilled-not-charged")}
        first, *others = [fault.person.user_id for fault in faults]
        assert found == {first: made[0], **dict.fromkeys(others, world.academy_id)}


class TestARefundThatOnlyWeHave:
    def test_keeps_another_from_being_mended_over_it(self, world: World, operator: Person) -> None:
        fault = refund_unknown(world)
        payment = invoice_of(fault.person).payment
        assert payment is not None
        with unheard(world):
            world.control(f"/_control/refund/{payment.payment_id}", {"amount": 7})
        world.advance(**SETTLED)
        compared(world)
        assert sorted(row["kind"] for row in drifts(operator)) == ["refund-missing", "refund-unknown"]
        fault.healed()


class TestWhatIsListed:
    """It closes by itself once somebody has put it right."""

    def test_closes_when_money_for_nothing_went_back(self, world: World, operator: Person) -> None:
        fault = duplicate_charge(world)
        world.advance(**SETTLED)
        compared(world)
        (row,) = drifts(operator)
        world.control(f"/_control/refund/{row['payment_id']}", {"amount": 44999})
        compared(world)
        assert drifts(operator) != []
        world.control(f"/_control/refund/{row['payment_id']}", {})
        world.advance(minutes=15)
        compared(world)
        (closed,) = drifts(operator, status="closed")
        assert (closed["id"], closed["ended_at"]) == (row["id"], world.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        assert drifts(operator) == []
        fault.healed()

    def test_closes_when_another_amount_went_back(self, world: World, operator: Person) -> None:
        fault = one_cent_more(world)
        world.advance(**SETTLED)
        compared(world)
        (row,) = drifts(operator)
        with unheard(world):
            world.control(f"/_control/refund/{row['payment_id']}", {})
        intent_of(world, row["payment_id"]).update(amount=44999, amount_received=44999)
        compared(world)
        (closed,) = drifts(operator, status="closed")
        assert closed["id"] == row["id"]
        for _ in range(ROUND_RUNS):
            compared(world)
        assert drifts(operator, status="closed") == [closed]  # and was not found again by its invoice
        assert drifts(operator) == []
        assert fault.person.units("mentorship-service") == 10

    def test_closes_when_the_second_customer_was_deleted(self, world: World, operator: Person) -> None:
        duplicate_customer(world)
        world.advance(**SETTLED)
        compared(world)
        (row,) = drifts(operator)
        client: Any = world.runtime.gateway
        client._client.v1.customers.delete(row["object_id"])
        compared(world)
        assert [one["id"] for one in drifts(operator, status="closed")] == [row["id"]]

    def test_is_open_again_when_it_is_found_again(self, world: World, operator: Person) -> None:
        refund_missing(world)
        world.advance(**SETTLED)
        compared(world)
        (row,) = drifts(operator, status="mended")
        ((refund),) = world.at_stripe("refund")
        refund["status"] = "failed"
        for _ in range(ROUND_RUNS):
            compared(world)
        (again,) = drifts(operator, status="mended")
        assert (again["id"], again["times"], again["expected"]) == (row["id"], 2, "10001 USD failed")

    def test_is_for_operators_only(self, world: World) -> None:
        assert world.paying().get("/ops/drift").status == 403
        assert world.call("GET", "/ops/drift").status == 401

    def test_comes_in_pages_by_kind(self, world: World, operator: Person) -> None:
        for _ in range(2):
            duplicate_charge(world)
            duplicate_customer(world)
        world.advance(**SETTLED)
        compared(world)
        page = operator.get("/ops/drift?limit=3").json
        assert (len(page["data"]), page["has_more"]) == (3, True)
        rest = operator.get(f"/ops/drift?limit=3&cursor={page['next_cursor']}").json
        assert (len(rest["data"]), rest["has_more"], rest["next_cursor"]) == (1, False, None)
        kinds = [row["kind"] for row in page["data"] + rest["data"]]
        assert kinds == ["duplicate-customer"] * 2 + ["duplicate-charge"] * 2
        assert len(drifts(operator, kind="duplicate-charge")) == 2
        assert operator.get("/ops/drift?kind=nonsense").status == 400
        assert operator.get(f"/ops/drift?status=mended&cursor={page['next_cursor']}").status == 400


class TestWhatChangesLate:
    """Objects are read and not events, so that neither time nor an outage hides them."""

    @pytest.mark.parametrize("days", [25, 75])
    def test_is_found_by_the_walk_that_goes_round(self, world: World, operator: Person, days: int) -> None:
        person, _, payment = bought(world)
        refund = world.control(f"/_control/refund/{payment}", {"amount": 10000})
        world.settle()
        compared(world)
        world.advance(days=days)
        for _ in range(10):  # the walk of what is new passes it
            compared(world)
        with unheard(world):
            world.control(f"/_control/fail_refund/{refund['id']}", {})
        for _ in range(ROUND_RUNS):
            compared(world)
        assert invoice_of(person).amount_refunded == 0
        assert [row["kind"] for row in every_drift(operator)] == ["refund-missing"]

    def test_is_found_after_an_outage_of_two_months(self, world: World, operator: Person) -> None:
        compared(world)
        person = charged_and_lost(world)
        world.advance(days=60)
        schedules.catch_up({})
        assert world.queue.inbox == []
        with patch.dict(schedules.PAGES_PER_RUN, {WalkName.AGAIN: 0}):
            for _ in range(3):
                compared(world)
        assert person.units("mentorship-service") == 10
        assert [row["status"] for row in every_drift(operator)] == ["mended"]
        world.work()
        check_books(world)


def _metric(kind: DriftKind) -> str:
    return "Drift" + kind.value.title().replace("-", "")
