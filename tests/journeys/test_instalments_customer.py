"""What a customer does with a plan that they pay by instalments: early, all at once, no more; and what certifies it."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from tests.books import check_books
from tests.journeys.test_cancel import ASKS, DECLINED, GOOD, failing, intents
from tests.journeys.test_catalog import staff
from tests.journeys.test_declines import authenticate, refused
from tests.journeys.test_staff_refunds import refund
from tests.recurring import ask, holding, live, paid, path_of, run, shown, subscribed
from tests.shop import BOOTCAMP, a_coupon, put
from tests.world import Person, Reply, World

KEY = {"Idempotency_Key": "a-click"}
ALL = {"all": True}
TWELVE: dict[str, Any] = {"chosen_period": None, "how_many_installments": 12}


def financed(world: World) -> Person:
    return subscribed(world, "bootcamp", **TWELVE)


def certificate(person: Person) -> Reply:
    return person.get(f"{path_of(holding(person))}/certificate")


class TestTheRest:
    def test_is_paid_as_one_invoice(self, world: World) -> None:
        person = financed(world)
        live(world, 35)
        answer = ask(person, "pay", ALL)
        assert answer.status == 200, answer.text
        assert (answer.json["amount"], len(answer.json["lines"])) == (2990.0, 10)
        found = shown(person)
        assert (found["status"], found["installments_paid"], found["next_payment_at"]) == ("FULLY_PAID", 12, None)
        assert found["plan_expires_at"] == "2027-11-21T12:00:00Z"
        live(world, 60)
        assert (paid(person), person.units("ai-chat")) == ([299.0, 299.0, 2990.0], 5000)
        check_books(world)

    def test_twice_is_paid_once(self, world: World) -> None:
        person = financed(world)
        first = ask(person, "pay", ALL, **KEY)
        assert (first.status, ask(person, "pay", ALL, **KEY).text) == (200, first.text)
        assert refused(ask(person, "pay", ALL), 409, "nothing-to-pay")
        assert refused(ask(person, "pay", {}, **KEY), 422, "idempotency-key-reused")
        assert paid(person) == [299.0, 3289.0]

    def test_by_two_clicks_at_once_is_paid_once(self, world: World) -> None:
        person = financed(world)
        gateway, answers = world.runtime.gateway, list[Any]()
        charge = gateway.charge

        def twice(wanted: Any) -> Any:
            if not answers:
                answers.append(None)
                answers.append(ask(person, "pay", ALL))
                answers.append(ask(person, "renew"))
            return charge(wanted)

        with patch.object(gateway, "charge", twice):
            assert ask(person, "pay", ALL).status == 200
        assert [answer.status for answer in answers[1:]] == [409, 409]
        assert paid(person) == [299.0, 3289.0]
        world.settle()
        check_books(world)

    def test_is_paid_after_a_refused_instalment(self, world: World) -> None:
        person = failing(world, DECLINED, "bootcamp", **TWELVE)
        with patch("chalicelib.flows.checkout.save_card.card_saved"):
            assert person.save_card(GOOD).status == 200
        assert ask(person, "pay", ALL).json["amount"] == 3289.0
        assert (shown(person)["status"], paid(person)) == ("FULLY_PAID", [299.0, 3289.0])
        world.settle()
        check_books(world)

    def test_closes_the_instalment_that_waits_for_the_bank(self, world: World) -> None:
        person = failing(world, ASKS, "bootcamp", **TWELVE)
        one = ask(person, "pay")
        assert (one.status, one.json["amount"]) == (202, 299.0)
        whole = ask(person, "pay", ALL)
        assert (whole.status, whole.json["amount"]) == (202, 3289.0)
        assert intents(world) == ["succeeded", "canceled", "canceled", "requires_action"]
        authenticate(world, whole.json["client_secret"], success=True)
        run(world)
        assert (shown(person)["status"], paid(person)) == ("FULLY_PAID", [299.0, 3289.0])
        check_books(world)

    @pytest.mark.parametrize("in_another_tab", [False, True])
    def test_is_less_by_the_instalment_that_was_confirmed_just_now(self, world: World, in_another_tab: bool) -> None:
        """By the mail's link, or by paying it: nobody has heard of it yet."""
        person = failing(world, ASKS, "bootcamp", **TWELVE)
        if in_another_tab:
            assert ask(person, "pay").status == 202
        with patch("chalicelib.flows.checkout.save_card.card_saved"):
            assert person.save_card(GOOD).status == 200
        world.settle()
        world.misbehave(webhooks={"drop": True})
        world.control(f"/_control/authenticate/{world.at_stripe('payment_intent')[-1]['id']}", {"success": True})
        answer = ask(person, "pay", ALL, **KEY)
        assert (answer.status, answer.json["amount"]) == (200, 2990.0)
        assert ask(person, "pay", ALL, **KEY).text == answer.text
        assert (shown(person)["status"], paid(person)) == ("FULLY_PAID", [299.0, 299.0, 2990.0])
        world.settle()
        check_books(world)

    def test_that_waits_gives_way_to_one_instalment(self, world: World) -> None:
        person = failing(world, ASKS, "bootcamp", **TWELVE)
        assert ask(person, "pay", ALL).json["amount"] == 3289.0
        one = ask(person, "pay")
        assert (one.status, one.json["amount"]) == (202, 299.0)
        authenticate(world, one.json["client_secret"], success=True)
        run(world)
        assert (shown(person)["status"], paid(person)) == ("ACTIVE", [299.0, 299.0])
        live(world, 31)
        check_books(world)

    def test_that_costs_nothing_is_done_with_at_once(self, world: World) -> None:
        gift = a_coupon(world.now, world.academy_id, slug="gift", discount_value=1, plan_ids=(BOOTCAMP,))
        put(world.table, gift)
        person = subscribed(world, "bootcamp", checking={"coupons": ["gift"]}, **TWELVE)
        assert ask(person, "pay", ALL).json["amount"] == 0
        assert (shown(person)["status"], shown(person)["installments_paid"]) == ("FULLY_PAID", 12)
        assert (paid(person), intents(world)) == ([0.0, 0.0], [])
        world.settle()
        check_books(world)

    def test_of_what_is_cancelled_is_not_paid(self, world: World) -> None:
        person = financed(world)
        ask(person, "cancel")
        assert refused(ask(person, "pay", ALL), 409, "nothing-to-pay")


class TestOneInstalment:
    def test_is_paid_early_and_only_one(self, world: World) -> None:
        person = financed(world)
        assert ask(person, "renew").json["amount"] == 299.0
        assert refused(ask(person, "renew"), 409, "too-early-to-renew")
        assert refused(ask(person, "pay"), 409, "nothing-to-pay")
        live(world, 30)
        assert (paid(person), shown(person)["next_payment_at"]) == ([299.0, 299.0], "2027-01-21T12:00:00Z")
        live(world, 31)
        assert len(paid(person)) == 3
        check_books(world)

    def test_is_none_after_the_last(self, world: World) -> None:
        person = financed(world)
        ask(person, "pay", ALL)
        for verb in ("renew", "cancel"):
            assert refused(ask(person, verb), 409, "all-installments-paid")
        assert refused(ask(person, "reactivate"), 400, "already-active")


class TestCancelled:
    def test_lasts_as_long_as_the_month_that_is_paid(self, world: World) -> None:
        person = financed(world)
        live(world, 35)
        found = ask(person, "cancel", {"reason": "moving"}).json
        assert (found["status"], found["cancel_at_period_end"], found["cancel_reason"]) == ("CANCELLED", True, "moving")
        assert found["plan_expires_at"] == "2027-01-21T12:00:00Z"
        live(world, 25)
        assert (person.units("ai-chat"), len(shown(person)["invoices"])) == (5000, 2)
        live(world, 2)
        assert (person.units("ai-chat"), paid(person)) == (0, [299.0, 299.0])
        assert person.get("/v1/payments/me/subscription").json["plan_financings"] == []
        live(world, 60)
        assert person.units("ai-chat") == 0
        check_books(world)

    def test_can_be_taken_up_again(self, world: World) -> None:
        person = financed(world)
        ask(person, "cancel")
        live(world, 10)
        found = ask(person, "reactivate").json
        assert (found["status"], found["next_payment_at"]) == ("ACTIVE", "2026-12-21T12:00:00Z")
        assert found["plan_expires_at"] == "2027-11-21T12:00:00Z"
        live(world, 20)
        assert (paid(person), person.units("ai-chat")) == ([299.0, 299.0], 5000)
        check_books(world)

    def test_now_ends_now(self, world: World) -> None:
        person = financed(world)
        found = ask(person, "cancel", {"when": "now"}).json
        assert (found["status"], found["plan_expires_at"], person.units("ai-chat")) == (
            "CANCELLED",
            found["ended_at"],
            0,
        )
        assert refused(ask(person, "reactivate"), 400, "reactivation-period-expired")
        run(world)
        check_books(world)

    def test_after_a_refused_instalment_ends_now(self, world: World) -> None:
        person = failing(world, DECLINED, "bootcamp", **TWELVE)
        assert ask(person, "cancel").json["ended_at"] is not None
        live(world, 20)
        assert (paid(person), person.units("ai-chat")) == ([299.0], 0)
        check_books(world)


class TestTheCertificate:
    def test_is_given_once_all_is_paid(self, world: World) -> None:
        person = financed(world)
        assert refused(certificate(person), 409, "plan-financing-not-fully-paid")
        live(world, 31)
        answer = ask(person, "pay", ALL)
        world.settle()
        found = certificate(person).json
        assert (found["amount"], found["currency"]["code"], found["how_many_installments"]) == (3588.0, "USD", 12)
        assert (found["plan"]["slug"], found["user"]["email"]) == ("bootcamp", person.email)
        assert (found["began_at"], found["completed_at"]) == ("2026-11-21T12:00:00Z", "2026-12-22T12:00:00Z")
        assert [one["amount"] for one in found["invoices"]] == [299.0, 299.0, 2990.0]
        assert found["invoices"][-1]["id"] == answer.json["id"]
        assert found["plan_financing"] == holding(person).id

    def test_is_not_given_for_what_was_refunded(self, world: World) -> None:
        person = financed(world)
        ask(person, "pay", ALL)
        world.settle()
        clerk = staff(world, "issue_refund")
        assert refund(clerk, holding(person).invoice_ids[-1], amount=90).status == 201
        world.settle()
        found = certificate(person).json
        assert (found["amount"], found["invoices"][-1]["amount_refunded"]) == (3498.0, 90.0)
        assert refund(clerk, holding(person).invoice_ids[-1], key="two").status == 201
        world.settle()
        assert refused(certificate(person), 409, "plan-financing-not-fully-paid")

    def test_is_its_holders(self, world: World) -> None:
        person, other = financed(world), world.person()
        path = f"{path_of(holding(person))}/certificate"
        assert refused(other.get(path), 404, "plan-financing-not-found")
