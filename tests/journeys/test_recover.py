"""The link of a mail, by which a customer confirms a payment at their bank without signing in."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from chalicelib.books.billing.gateway import PaymentServiceDown
from tests.books import check_books
from tests.changing import change, further_plans
from tests.journeys.test_cancel import ASKS, GOOD, failing, intents
from tests.journeys.test_declines import refused
from tests.recurring import ask, live, paid, run, shown, subscribed
from tests.world import Person, Reply, World


def secret(world: World) -> str:
    """The one of the latest mail that has one."""
    texts = [mail.text for mail, _ in world.mailer.sent if "/recover/" in mail.text]
    return texts[-1].partition("/recover/")[2].split()[0]


def recover(world: World, token: str) -> Reply:
    return world.call("GET", f"/v1/payments/recover/{token}")


def asked(world: World) -> tuple[Person, str]:
    """Somebody whose bank wants to see them, and the secret of the mail that says so."""
    person = failing(world, ASKS)
    return person, secret(world)


class TestTheLink:
    def test_gives_what_the_front_end_needs(self, world: World) -> None:
        person, token = asked(world)
        answer = recover(world, token)
        assert answer.status == 200, answer.text
        intent = world.at_stripe("payment_intent")[-1]
        found = answer.json
        assert (found["status"], found["client_secret"]) == ("requires_action", intent["client_secret"])
        assert (found["amount"], found["currency"]["code"], found["plan"]["slug"]) == (59.99, "USD", "basic")
        assert found["payment_method"].startswith("pm_")
        assert str(found["invoice"]) == intent["metadata"]["invoice_id"]
        assert shown(person)["payment_issue"]["authentication_needed"] is True

    def test_names_the_plan_that_is_paid_for(self, world: World) -> None:
        further_plans(world)
        person = subscribed(world, "pro")
        assert change(person, "basic").json["planned"]["plan"]["slug"] == "basic"
        setup = person.save_card(ASKS).json
        world.control(f"/_control/authenticate/{setup['client_secret'].partition('_secret_')[0]}", {"success": True})
        live(world, 30)
        token = secret(world)
        found = recover(world, token).json
        assert (found["plan"]["slug"], found["amount"], found["status"]) == ("basic", 59.99, "requires_action")
        world.control(f"/_control/authenticate/{world.at_stripe('payment_intent')[-1]['id']}", {"success": True})
        world.settle()
        found = recover(world, token).json
        assert (found["plan"]["slug"], found["status"]) == ("basic", "succeeded")

    @pytest.mark.parametrize("told", [True, False])
    def test_says_afterwards_that_it_is_paid(self, world: World, told: bool) -> None:
        person, token = asked(world)
        world.misbehave(webhooks={"drop": not told})
        world.control(f"/_control/authenticate/{world.at_stripe('payment_intent')[-1]['id']}", {"success": True})
        if told:
            world.settle()
        for _ in range(2):
            found = recover(world, token).json
            assert (found["status"], found["client_secret"]) == ("succeeded", None)
        assert (shown(person)["status"], paid(person)) == ("ACTIVE", [59.99, 59.99])
        run(world)
        world.misbehave()
        world.settle()
        check_books(world)

    def test_says_that_it_is_paid_where_it_was_by_another_card(self, world: World) -> None:
        person, token = asked(world)
        assert person.save_card(GOOD).status == 200
        run(world)
        assert (paid(person), recover(world, token).json["status"]) == ([59.99, 59.99], "succeeded")

    def test_of_an_attempt_before_is_none_any_more(self, world: World) -> None:
        _, token = asked(world)
        live(world, 1)
        later = secret(world)
        assert later != token
        assert refused(recover(world, token), 404, "recovery-not-found")
        assert recover(world, later).json["status"] == "requires_action"
        assert intents(world) == ["succeeded", "canceled", "requires_payment_method"]

    def test_of_what_is_cancelled_is_none_any_more(self, world: World) -> None:
        person, token = asked(world)
        assert ask(person, "cancel").status == 200
        assert refused(recover(world, token), 404, "recovery-not-found")

    def test_of_what_was_given_up_is_none_any_more(self, world: World) -> None:
        person, token = asked(world)
        live(world, 9)
        assert person.get("/v1/payments/me/subscription?status=EXPIRED").json["subscriptions"]
        assert refused(recover(world, token), 404, "recovery-not-found")

    def test_while_its_customer_pays_elsewhere_leads_to_that(self, world: World) -> None:
        person, token = asked(world)
        waiting = ask(person, "pay").json
        assert recover(world, token).json["client_secret"] == waiting["client_secret"]

    def test_that_the_bank_is_looking_at_says_so(self, world: World) -> None:
        _, token = asked(world)
        world.at_stripe("payment_intent")[-1].update(status="processing", last_payment_error=None)
        found = recover(world, token).json
        assert (found["status"], found["client_secret"]) == ("processing", None)

    def test_is_later_where_the_processor_is_away(self, world: World) -> None:
        _, token = asked(world)
        with patch.object(world.runtime.gateway, "payment", side_effect=PaymentServiceDown()):
            assert recover(world, token).status == 503


class TestAGuess:
    def test_is_not_found(self, world: World) -> None:
        person, token = asked(world)
        prefix, _, rest = token.partition(".")
        ident, _, random = rest.partition(".")
        wrong = [
            token[:-1],
            token[:-1] + ("a" if token[-1] != "a" else "b"),
            token + "a",
            f"{prefix}.{ident}.",
            f"{prefix}.{ident}",
            prefix,
            "purser_recover_",
            "purser_recover_1.2.3",
            f"purser_recover_1{prefix[15:]}.{ident}.{random}",
            f"{prefix}.{person.invoices()[-1]['id']}.{random}",
            f"{prefix}.-1.{random}",
            f"{prefix}.{'9' * 40}.{random}",
            f"{prefix}.\u0661.{random}",
            token.replace("recover", "invite"),
            "x" * 150,
        ]
        for guess in wrong:
            answer = recover(world, guess)
            assert refused(answer, 404, "recovery-not-found"), guess

    def test_is_not_found_once_it_is_paid_either(self, world: World) -> None:
        person, token = asked(world)
        assert person.save_card(GOOD).status == 200
        run(world)
        assert recover(world, token).status == 200
        assert refused(recover(world, token + "a"), 404, "recovery-not-found")
        assert refused(recover(world, token.rpartition(".")[0] + "."), 404, "recovery-not-found")

    def test_is_compared_in_constant_time(self, world: World) -> None:
        _, token = asked(world)
        with patch("hmac.compare_digest", return_value=False) as compared:
            assert recover(world, token).status == 404
        assert compared.called

    def test_of_a_secret_is_in_no_row_and_no_log(self, world: World, capfd: pytest.CaptureFixture[str]) -> None:
        _, token = asked(world)
        recover(world, token)
        assert token not in str(world.snapshot())
        assert token not in "".join(capfd.readouterr())
