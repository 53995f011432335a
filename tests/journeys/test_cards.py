"""Saving a card: at once, through the bank's page, and what Stripe tells of it afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.books import check_books
from tests.moto_table import all_rows
from tests.world import STRIPE_KEY, Person, World

ALWAYS_ASKS = "4000002760003184"


def last4(person: Person) -> str | None:
    answer = person.get("/v2/payments/card")
    assert answer.status == 200
    found: str | None = answer.json.get("card_last4")
    return found


def setup_id(answer: Any) -> str:
    ident: str = answer.json["client_secret"].partition("_secret_")[0]
    return ident


def at_stripe(world: World, method: str, path: str, form: str = "") -> Any:
    """Somebody acts at Stripe itself."""
    headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
    status, body = world.standin.handle(method, path, form, headers, int(world.now.timestamp()))
    assert status == 200, body
    return body


class TestSavingACard:
    @pytest.mark.parametrize("body", [{"token": "tok_mastercard"}, {"payment_method": "pm_card_mastercard"}])
    def test_by_token_or_method(self, world: World, body: dict[str, str]) -> None:
        person = world.person()
        assert person.post("/v2/payments/card", body).status == 200
        assert last4(person) == "4444"
        assert person.buy().status == 201

    def test_a_declined_one_leaves_the_card_before(self, world: World) -> None:
        person = world.paying()
        answer = person.save_card("4000000000000002")
        assert (answer.status, answer.json["silent_code"]) == (402, "card-error")
        world.settle()
        assert last4(person) == "4242"
        check_books(world)

    def test_what_was_taken_away_at_stripe_does_not_come_back_with_the_news_of_its_setup(self, world: World) -> None:
        person = world.paying()
        (method,) = world.at_stripe("payment_method")
        at_stripe(world, "POST", f"/v1/payment_methods/{method['id']}/detach")
        world.deliver()
        world.queue.inbox.reverse()
        world.work()
        assert last4(person) is None
        check_books(world)

    def test_the_last_one_counts(self, world: World) -> None:
        person = world.paying()
        assert person.save_card("5555555555554444").status == 200
        world.deliver()
        world.queue.inbox.reverse()
        world.work()
        assert last4(person) == "4444"
        assert len(world.at_stripe("customer")) == 1
        check_books(world)

    def test_no_number_is_stored_anywhere(self, world: World) -> None:
        person = world.paying()
        person.buy()
        world.settle()
        assert not [row.key for row in all_rows(world.table) if "4242424242424242" in str(row.values)]


class TestTheBanksPage:
    @pytest.mark.parametrize(("success", "expected"), [(True, "3184"), (False, None)])
    def test_decides(self, world: World, success: bool, expected: str | None) -> None:
        person = world.person()
        waiting = person.save_card(ALWAYS_ASKS)
        assert (waiting.status, waiting.json["status"]) == (200, "requires_action")
        assert last4(person) is None
        world.control(f"/_control/authenticate/{setup_id(waiting)}", {"success": success})
        world.settle()
        assert last4(person) == expected
        check_books(world)

    def test_a_refusal_leaves_the_card_before(self, world: World) -> None:
        person = world.paying()
        waiting = person.save_card(ALWAYS_ASKS)
        world.control(f"/_control/authenticate/{setup_id(waiting)}", {"success": False})
        world.settle()
        assert last4(person) == "4242"

    def test_the_front_end_may_tell_it_too(self, world: World) -> None:
        person = world.person()
        waiting = person.save_card(ALWAYS_ASKS)
        world.control(f"/_control/authenticate/{setup_id(waiting)}", {"success": True})
        answer = person.post("/v2/payments/card", {"setup_intent": setup_id(waiting)})
        assert (answer.status, answer.json["status"]) == (200, "ok")
        world.settle()
        assert last4(person) == "3184"

    def test_another_persons_setup_is_not_found(self, world: World) -> None:
        waiting = world.person().save_card(ALWAYS_ASKS)
        other = world.paying()
        answer = other.post("/v2/payments/card", {"setup_intent": setup_id(waiting)})
        assert (answer.status, answer.json["slug"]) == (404, "setup-intent-not-found")
        assert last4(other) == "4242"

    def test_a_page_left_open_does_not_replace_a_card_that_was_saved_since(self, world: World) -> None:
        person = world.person()
        waiting = person.save_card(ALWAYS_ASKS)
        assert person.save_card().status == 200
        world.control(f"/_control/authenticate/{setup_id(waiting)}", {"success": True})
        world.settle()
        assert last4(person) == "4242"

    @pytest.mark.parametrize("later_first", [False, True])
    def test_of_two_pages_the_later_card_stays(self, world: World, later_first: bool) -> None:
        """Both are `3184`; the methods tell them apart."""
        person = world.person()
        first, second = person.save_card(ALWAYS_ASKS), person.save_card(ALWAYS_ASKS)
        for waiting in (second, first) if later_first else (first, second):
            world.control(f"/_control/authenticate/{setup_id(waiting)}", {"success": True})
            world.settle()
        charged = person.buy()
        assert charged.status == 202
        (wanted,) = [s["payment_method"] for s in world.at_stripe("setup_intent") if s["id"] == setup_id(second)]
        assert [i["payment_method"] for i in world.at_stripe("payment_intent")] == [wanted]


class TestWhatStripeTells:
    def test_a_detached_card_is_not_charged_any_more(self, world: World) -> None:
        person = world.paying()
        world.settle()
        (method,) = world.at_stripe("payment_method")
        at_stripe(world, "POST", f"/v1/payment_methods/{method['id']}/detach")
        world.settle()
        assert last4(person) is None
        answer = person.buy()
        assert (answer.status, answer.json["slug"]) == (402, "payment-method-required")
        check_books(world)

    def test_another_card_that_is_detached_changes_nothing(self, world: World) -> None:
        person = world.paying()
        old = world.at_stripe("payment_method")[0]["id"]
        assert person.save_card("5555555555554444").status == 200
        world.settle()
        at_stripe(world, "POST", f"/v1/payment_methods/{old}/detach")
        world.settle()
        assert last4(person) == "4444"

    def test_a_new_expiry_is_shown(self, world: World) -> None:
        person = world.paying()
        (method,) = world.at_stripe("payment_method")
        at_stripe(world, "POST", f"/v1/payment_methods/{method['id']}", "card[exp_year]=2034&card[exp_month]=2")
        world.settle()
        card = person.get("/v2/payments/card").json
        assert (card["card_exp_year"], card["card_exp_month"]) == (2034, 2)

    @pytest.mark.parametrize("backwards", [False, True])
    def test_a_deleted_customers_events_leave_nothing_waiting(self, world: World, backwards: bool) -> None:
        person = world.paying()
        world.settle()
        (customer,) = world.at_stripe("customer")
        at_stripe(world, "DELETE", f"/v1/customers/{customer['id']}")
        world.deliver()
        if backwards:
            world.queue.inbox.reverse()
        world.work()
        assert last4(person) is None
        check_books(world)

    def test_after_a_deleted_customer_a_new_card_makes_a_new_one(self, world: World) -> None:
        person = world.paying()
        world.settle()
        (customer,) = world.at_stripe("customer")
        at_stripe(world, "DELETE", f"/v1/customers/{customer['id']}")
        world.deliver()
        world.work()
        assert last4(person) is None
        assert person.save_card("5555555555554444").status == 200
        assert person.buy().status == 201
        living = [c["id"] for c in world.at_stripe("customer") if "deleted" not in c]
        assert len(living) == 1 and living != [customer["id"]]
        assert world.at_stripe("payment_intent")[0]["customer"] == living[0]
        world.settle()
        check_books(world)
