"""Changes of plan that cannot be made, each with its own reason; and nothing is written by any."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.books.catalog.model import Period, PlanStatus
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy
from chalicelib.books.subscriptions import queries, store
from chalicelib.books.subscriptions.model import Pause, Status
from chalicelib.dynamo.writes import commit
from chalicelib.flows.recurring.collect import By, ChangeIsPlanned, collect
from tests.books import check_books
from tests.changing import MONTH_END, change, changed, further_plans, path_of
from tests.journeys.test_declines import ALWAYS_ASKS, authenticate, authenticated
from tests.journeys.test_refunds_of_renewals import dispute
from tests.recurring import holding, paid, shown, subscribed, until
from tests.shop import a_plan, put
from tests.world import Person, World


@pytest.fixture(autouse=True)
def plans(world: World) -> None:
    further_plans(world)


def become(person: Person, **changes: Any) -> None:
    row = person.world.table.get(store.holding_key(holding(person)))
    assert row is not None
    after = holding(person).model_copy(update=changes)
    commit(person.world.table, [store.changed_holding(after, version=row.version)])


def another_plan(world: World, **changes: Any) -> None:
    values = {"id": 1300, "slug": "other", "prices": {Period.MONTH: Decimal(500)}, **changes}
    put(world.table, a_plan(world.now, values.pop("academy_id", world.academy_id), **values))


class TestASubscription:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"status": Status.CANCELLED, "next_payment_at": None}, "reactivate"),
            ({"status": Status.PAUSED}, "resume"),
            ({"pause": Pause(asked_at=MONTH_END, days=3, begins_at=MONTH_END, until=MONTH_END)}, "resume"),
            ({"status": Status.EXPIRED, "ended_at": MONTH_END, "next_payment_at": None}, "over"),
        ],
    )
    def test_that_does_not_go_on_is_not_changed(self, world: World, changes: dict[str, Any], words: str) -> None:
        person = subscribed(world)
        become(person, **changes)
        before = world.snapshot()
        answer = change(person, "pro")
        assert (answer.status, answer.json["slug"]) == (409, "subscription-cannot-be-changed")
        assert words in answer.json["detail"]
        assert world.snapshot() == before

    def test_whose_payment_was_refused_is_not_changed(self, world: World) -> None:
        person = subscribed(world)
        assert person.save_card("4000000000000341").status == 200
        until(world, MONTH_END)
        assert "pay it first" in change(person, "free").json["detail"]

    def test_of_which_a_payment_is_disputed_is_not_changed(self, world: World) -> None:
        person = subscribed(world)
        dispute(world, holding(person).id, "open")
        assert change(person, "pro").json["slug"] == "subscription-cannot-be-changed"

    def test_of_somebody_else_is_not_found(self, world: World) -> None:
        person, other = subscribed(world), world.paying()
        path = path_of(person)
        for answer in (other.put(path, {"plan": "pro"}), other.get(f"{path}/preview?plan=pro")):
            assert (answer.status, answer.json["slug"]) == (404, "subscription-not-found")
        assert shown(person)["plans"][0]["slug"] == "basic"

    def test_that_is_paid_by_instalments_cannot_be_changed(self, world: World) -> None:
        person = subscribed(world, "bootcamp", chosen_period=None, how_many_installments=12)
        for answer in (change(person, "pro"), person.get(f"{path_of(person)}/preview?plan=pro")):
            assert (answer.status, answer.json["slug"]) == (409, "plan-financing-cannot-be-changed")


class TestAPlan:
    @pytest.mark.parametrize("status", [PlanStatus.DRAFT, PlanStatus.DISCONTINUED, PlanStatus.DELETED])
    def test_that_is_not_for_sale_is_not_found(self, world: World, status: PlanStatus) -> None:
        another_plan(world, status=status)
        assert _slug(subscribed(world), "other") == (404, "not-found")

    def test_that_is_not_listed_can_be_taken(self, world: World) -> None:
        another_plan(world, status=PlanStatus.UNLISTED)
        person = subscribed(world)
        assert changed(world, person, "other")["plans"][0]["slug"] == "other"

    def test_of_another_academy_is_not_found(self, world: World) -> None:
        elsewhere = identity.create_academy(world.table, NewAcademy(name="B", slug="b"), now=world.now)
        another_plan(world, academy_id=elsewhere.id)
        assert _slug(subscribed(world), "other") == (404, "not-found")

    def test_in_another_currency_is_refused(self, world: World) -> None:
        another_plan(world, currency="EUR")
        assert _slug(subscribed(world), "other") == (400, "multiple-currencies-found")

    def test_that_does_not_renew_is_refused(self, world: World) -> None:
        assert _slug(subscribed(world), "bootcamp") == (400, "plan-is-not-renewable")

    def test_without_the_period_is_refused(self, world: World) -> None:
        another_plan(world)
        assert _slug(subscribed(world), "other", "YEAR") == (400, "period-not-offered")

    def test_that_the_person_has_is_refused(self, world: World) -> None:
        person = subscribed(world)
        path = path_of(person)
        assert person.pay(person.check("pro").json, chosen_period="MONTH").status == 200
        answer = person.put(path, {"plan": "pro"})
        assert (answer.status, answer.json["slug"]) == (400, "plan-already-bought")
        world.settle()
        check_books(world)

    def test_that_is_full_is_refused(self, world: World) -> None:
        another_plan(world, capacity=1)
        other = world.paying()
        assert other.pay(other.check("other").json, chosen_period="MONTH").status == 200
        person = subscribed(world)
        for _ in range(2):
            assert _slug(person, "other") == (409, "plan-at-capacity")
        check_books(world)

    def test_with_places_counts_whoever_changes_to_it(self, world: World) -> None:
        another_plan(world, capacity=1)
        changed(world, subscribed(world), "other")
        world.advance(minutes=5)
        assert world.paying().check("other").json["slug"] == "plan-at-capacity"

    def test_that_is_unknown_is_not_found(self, world: World) -> None:
        assert _slug(subscribed(world), "nowhere") == (404, "not-found")

    def test_must_be_named_in_words_that_can_be_read(self, world: World) -> None:
        person = subscribed(world)
        path = path_of(person)
        assert person.put(path, {"chosen_period": "YEAR"}).status == 400
        assert person.put(path, {"plan": "pro", "chosen_period": "WEEK"}).json["slug"] == "invalid-chosen-period"
        assert person.get(f"{path}/preview").status == 400


def _slug(person: Person, plan: str, period: str | None = None) -> tuple[int, str]:
    answer = change(person, plan, period)
    return answer.status, answer.json["slug"]


def pay_ahead(person: Person, by: By = By.CUSTOMER) -> None:
    held = queries.held(person.world.table, store.holding_key(holding(person)))
    assert held is not None
    collect(person.world.runtime.context(person.world.now), held, by=by)
    person.world.settle()


class TestTheNextPeriod:
    def test_cannot_be_paid_before_its_day_while_a_change_is_planned(self, world: World) -> None:
        """What is planned begins with the next period, and that has not come."""
        person = subscribed(world, "pro")
        changed(world, person, "basic")
        with pytest.raises(ChangeIsPlanned):
            pay_ahead(person)

    def test_that_is_being_paid_before_its_day_comes_first(self, world: World) -> None:
        """It is paid under the terms that would change, so that it could not be delivered any more."""
        person = authenticated(world, ALWAYS_ASKS)
        waiting = person.pay(person.check("basic").json, chosen_period="MONTH")
        authenticate(world, waiting.json["client_secret"], success=True)
        world.settle()
        pay_ahead(person)
        for plan in ("pro", "free"):
            assert _slug(person, plan) == (409, "payment-in-flight")
        (asking,) = [one for one in world.at_stripe("payment_intent") if one["status"] == "requires_action"]
        authenticate(world, asking["client_secret"], success=False)
        world.settle()
        assert change(person, "free").status == 200
        until(world, MONTH_END)
        assert (shown(person)["plans"][0]["slug"], paid(person)) == ("free", [59.99, 0.0])
        check_books(world)

    def test_that_was_refused_before_its_day_is_closed_first(self, world: World) -> None:
        """Its customer might still confirm it at the bank."""
        person = authenticated(world, ALWAYS_ASKS)
        waiting = person.pay(person.check("basic").json, chosen_period="MONTH")
        authenticate(world, waiting.json["client_secret"], success=True)
        world.settle()
        pay_ahead(person, By.SCHEDULE)
        assert world.at_stripe("payment_intent")[-1]["status"] == "requires_payment_method"
        assert change(person, "free").status == 200
        assert world.at_stripe("payment_intent")[-1]["status"] == "canceled"
        world.settle()
        check_books(world)

    def test_that_was_paid_before_its_day_is_changed_too(self, world: World) -> None:
        person = subscribed(world)
        pay_ahead(person)
        changed(world, person, "pro")
        assert sorted(paid(person)) == [59.99, 59.99, 120.0]
        until(world, MONTH_END + timedelta(days=32))
        assert sorted(paid(person)) == [59.99, 59.99, 119.99, 120.0]
        check_books(world)
