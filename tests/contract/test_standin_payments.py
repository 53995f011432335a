"""Payment intents and charges: every test card, amounts, authentication, processing."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import stripe

from local.stripe_standin.cards import BY_NUMBER, CARDS, Card
from tests.contract.test_standin_harness import TRANSPORTS, Shop, error_of, opened, refused

GOOD = [card for card in CARDS if card.authentication == "never" and not card.decline and not card.dispute_reason]
REFUSED = [card for card in CARDS if card.decline and card.authentication == "never"]


@pytest.fixture(params=TRANSPORTS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with opened(request.param) as opened_shop:
        yield opened_shop


class TestCards:
    @pytest.mark.parametrize("card", GOOD, ids=lambda card: card.name)
    def test_a_good_card_pays(self, shop: Shop, card: Card) -> None:
        paid = shop.pay(payment_method=f"pm_card_{card.name}")
        charge = shop.v1.charges.retrieve(paid.latest_charge)
        shown = charge.payment_method_details.card
        assert (paid.status, paid.amount_received) == ("succeeded", 5999)
        assert (charge.paid, charge.status, charge.captured, charge.amount) == (True, "succeeded", True, 5999)
        assert (shown.brand, shown.last4, shown.funding) == (card.brand, card.last4, card.funding)

    @pytest.mark.parametrize("card", REFUSED, ids=lambda card: card.name)
    def test_a_refused_card_leaves_a_failed_charge(self, shop: Shop, card: Card) -> None:
        assert card.decline
        caught = refused(stripe.CardError, shop.pay, payment_method=f"pm_card_{card.name}")
        error = error_of(caught)
        assert (caught.http_status, error["type"]) == (402, "card_error")
        assert (error["code"], error["decline_code"]) == (card.decline.code, card.decline.decline_code)
        assert error["message"] == card.decline.message
        assert error["payment_method"]["card"]["last4"] == card.last4
        intent = shop.v1.payment_intents.retrieve(error["payment_intent"]["id"])
        assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
        assert intent.last_payment_error.decline_code == card.decline.decline_code
        assert intent.latest_charge == error["charge"]
        charge = shop.v1.charges.retrieve(error["charge"])
        assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, card.decline.code)
        assert shop.event_types() == [
            "payment_intent.created",
            "charge.failed",
            "payment_intent.payment_failed",
        ]

    def test_one_card_attaches_and_fails_when_charged(self, shop: Shop) -> None:
        customer = shop.a_customer().id
        card = shop.a_card(customer, "pm_card_chargeCustomerFail").id
        pay = partial(shop.pay, customer=customer, payment_method=card, off_session=True)
        assert refused(stripe.CardError, pay).code == "card_declined"

    def test_the_names_without_the_brand_are_the_same_cards(self, shop: Shop) -> None:
        pay = partial(shop.pay, payment_method="pm_card_chargeDeclinedInsufficientFunds")
        assert error_of(refused(stripe.CardError, pay))["decline_code"] == "insufficient_funds"

    def test_the_table_is_found_by_number(self) -> None:
        assert BY_NUMBER["4000000000009995"].name == "visa_chargeDeclinedInsufficientFunds"
        assert len(BY_NUMBER) == len(CARDS)


class TestSucceeding:
    def test_the_events_come_in_order(self, shop: Shop) -> None:
        shop.a_payment(metadata={"invoice_id": "inv_1"})
        assert shop.event_types() == [
            "customer.created",
            "payment_method.attached",
            "payment_intent.created",
            "charge.succeeded",
            "charge.updated",
            "payment_intent.succeeded",
        ]
        last = shop.v1.events.list({"type": "payment_intent.succeeded"}).data[0]
        assert last.data.object.metadata["invoice_id"] == "inv_1"

    def test_what_was_asked_for_is_shown(self, shop: Shop) -> None:
        asked = {
            "description": "Plan",
            "receipt_email": "a@example.com",
            "statement_descriptor_suffix": "PLAN",
        }
        paid = shop.a_payment(**asked, expand=["latest_charge", "customer"])
        assert {name: paid[name] for name in asked} == asked
        assert paid.latest_charge.receipt_email == "a@example.com"
        assert paid.customer.email == "ada@example.com"
        assert paid.client_secret.startswith(f"{paid.id}_secret_")

    def test_it_is_confirmed_later(self, shop: Shop) -> None:
        made = shop.v1.payment_intents.create({"amount": 500, "currency": "eur", "payment_method_types": ["card"]})
        assert made.status == "requires_payment_method"
        assert shop.v1.payment_intents.confirm(made.id, {"payment_method": "pm_card_visa"}).status == "succeeded"
        again = refused(
            stripe.InvalidRequestError,
            shop.v1.payment_intents.confirm,
            made.id,
            {"payment_method": "pm_card_visa"},
        )
        assert again.code == "payment_intent_unexpected_state"
        assert error_of(again)["payment_intent"]["status"] == "succeeded"

    def test_a_declined_intent_takes_another_card(self, shop: Shop) -> None:
        error = error_of(refused(stripe.CardError, shop.pay, payment_method="pm_card_chargeDeclined"))
        confirmed = shop.v1.payment_intents.confirm(error["payment_intent"]["id"], {"payment_method": "pm_card_visa"})
        assert (confirmed.status, confirmed.last_payment_error) == ("succeeded", None)
        charges = shop.v1.charges.list({"payment_intent": confirmed.id}).data
        assert [charge.status for charge in charges] == ["succeeded", "failed"]

    def test_intents_are_listed_by_customer(self, shop: Shop) -> None:
        paid = shop.a_payment()
        shop.a_payment()
        listed = shop.v1.payment_intents.list({"customer": paid.customer, "created": {"gte": shop.clock.now}})
        assert [intent.id for intent in listed.data] == [paid.id]


class TestAmounts:
    @pytest.mark.parametrize(
        ("amount", "currency", "code"),
        [
            (49, "usd", "amount_too_small"),
            (29, "gbp", "amount_too_small"),
            (49, "jpy", "amount_too_small"),
            (0, "usd", "parameter_invalid_integer"),
            (-5, "usd", "parameter_invalid_integer"),
            (100_000_000, "usd", "amount_too_large"),
            (1234, "kwd", None),
            (1000, "zzz", None),
        ],
    )
    def test_a_bad_amount_is_refused(self, shop: Shop, amount: int, currency: str, code: str | None) -> None:
        create = shop.v1.payment_intents.create
        error = refused(stripe.InvalidRequestError, create, {"amount": amount, "currency": currency})
        assert (error.http_status, error.code) == (400, code)
        assert error.param in ("amount", "currency")

    @pytest.mark.parametrize(
        ("amount", "currency"), [(50, "usd"), (30, "gbp"), (50, "jpy"), (1230, "kwd"), (50, "USD")]
    )
    def test_a_good_amount_is_taken(self, shop: Shop, amount: int, currency: str) -> None:
        made = shop.v1.payment_intents.create({"amount": amount, "currency": currency})
        assert (made.amount, made.currency) == (amount, currency.lower())


class TestAuthentication:
    def test_on_session_the_cardholder_is_asked(self, shop: Shop) -> None:
        intent = shop.pay(payment_method="pm_card_authenticationRequired")
        assert (intent.status, intent.next_action.type) == ("requires_action", "use_stripe_sdk")
        assert intent.latest_charge is None
        shop.order(f"/_control/authenticate/{intent.id}", success=True)
        done = shop.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
        assert (done.status, done.next_action) == ("succeeded", None)
        assert done.latest_charge.payment_method_details.card.three_d_secure.result == "authenticated"

    def test_a_return_url_makes_it_a_redirect(self, shop: Shop) -> None:
        intent = shop.pay(payment_method="pm_card_authenticationRequired", return_url="https://example.com/back")
        assert intent.next_action.redirect_to_url.return_url == "https://example.com/back"

    def test_the_cardholder_fails(self, shop: Shop) -> None:
        intent = shop.pay(payment_method="pm_card_authenticationRequired")
        shop.order(f"/_control/authenticate/{intent.id}", success=False)
        failed = shop.v1.payment_intents.retrieve(intent.id)
        assert failed.status == "requires_payment_method"
        assert failed.last_payment_error.code == "payment_intent_authentication_failure"
        assert shop.event_types()[-1] == "payment_intent.payment_failed"

    def test_authenticated_and_then_declined(self, shop: Shop) -> None:
        name = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
        intent = shop.pay(payment_method=name)
        shop.order(f"/_control/authenticate/{intent.id}", success=True)
        failed = shop.v1.payment_intents.retrieve(intent.id)
        assert failed.last_payment_error.decline_code == "insufficient_funds"

    def test_some_callers_rather_fail_than_wait(self, shop: Shop) -> None:
        pay = partial(shop.pay, payment_method="pm_card_authenticationRequired", error_on_requires_action=True)
        error = error_of(refused(stripe.CardError, pay))
        assert error["code"] == "authentication_required"
        assert error["payment_intent"]["status"] == "requires_payment_method"

    @pytest.mark.parametrize(
        ("name", "set_up", "passes"),
        [
            ("pm_card_authenticationRequiredOnSetup", False, False),
            ("pm_card_authenticationRequiredOnSetup", True, True),
            ("pm_card_authenticationRequired", True, False),
            ("pm_card_authenticationRequiredSetupForOffSession", False, True),
        ],
    )
    def test_off_session_only_what_was_set_up_passes(self, shop: Shop, name: str, set_up: bool, passes: bool) -> None:
        customer = shop.a_customer().id
        card = self.saved(shop, customer, name) if set_up else shop.a_card(customer, name).id
        pay = partial(shop.pay, customer=customer, payment_method=card, off_session=True)
        if passes:
            assert pay().status == "succeeded"
            return
        error = error_of(refused(stripe.CardError, pay))
        assert (error["code"], error["decline_code"]) == (
            "authentication_required",
            "authentication_required",
        )
        assert error["payment_intent"]["status"] == "requires_payment_method"
        assert error["payment_intent"]["last_payment_error"]["payment_method"]["id"] == card
        assert shop.v1.charges.retrieve(error["charge"]).status == "failed"

    def test_on_session_a_card_that_was_set_up_passes_too(self, shop: Shop) -> None:
        customer = shop.a_customer().id
        card = self.saved(shop, customer, "pm_card_authenticationRequiredOnSetup")
        assert shop.pay(customer=customer, payment_method=card).status == "succeeded"

    def test_on_session_a_card_that_is_set_up_already_is_asked_for(self, shop: Shop) -> None:
        customer = shop.a_customer().id
        name = "pm_card_authenticationRequiredSetupForOffSession"
        assert shop.pay(customer=customer, payment_method=name).status == "requires_action"

    def test_a_payment_sets_a_card_up_too(self, shop: Shop) -> None:
        customer = shop.a_customer().id
        name = "pm_card_authenticationRequiredOnSetup"
        first = shop.pay(customer=customer, payment_method=name, setup_future_usage="off_session")
        shop.order(f"/_control/authenticate/{first.id}", success=True)
        assert shop.v1.payment_methods.retrieve(first.payment_method).customer == customer
        again = shop.pay(customer=customer, payment_method=first.payment_method, off_session=True)
        assert again.status == "succeeded"

    @staticmethod
    def saved(shop: Shop, customer: str, name: str) -> str:
        whole = {
            "customer": customer,
            "payment_method": name,
            "confirm": True,
            "payment_method_types": ["card"],
        }
        intent: Any = shop.v1.setup_intents.create(whole)
        shop.order(f"/_control/authenticate/{intent.id}", success=True)
        return str(intent.payment_method)


class TestProcessing:
    @pytest.mark.parametrize("success", [True, False])
    def test_the_network_takes_its_time(self, shop: Shop, success: bool) -> None:
        shop.order(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
        waiting = shop.a_payment()
        assert waiting.status == "processing"
        assert shop.v1.charges.retrieve(waiting.latest_charge).status == "pending"
        shop.order(f"/_control/process/{waiting.id}", success=success)
        decided = shop.v1.payment_intents.retrieve(waiting.id)
        assert decided.status == ("succeeded" if success else "requires_payment_method")
        assert decided.processing is None
        last = "payment_intent.succeeded" if success else "payment_intent.payment_failed"
        assert shop.event_types()[-1] == last
        assert shop.a_payment().status == "succeeded"


class TestWhoseCard:
    def test_somebody_elses_is_refused(self, shop: Shop) -> None:
        one, other = shop.a_customer().id, shop.a_customer().id
        card = shop.a_card(one).id
        error = refused(stripe.InvalidRequestError, shop.pay, customer=other, payment_method=card)
        assert (error.http_status, error.param) == (400, "payment_method")
        assert "does not belong to the Customer" in error_of(error)["message"]
        nobody = refused(stripe.InvalidRequestError, shop.pay, payment_method=card)
        assert "belongs to a Customer" in error_of(nobody)["message"]

    def test_a_loose_card_pays_once(self, shop: Shop) -> None:
        loose = shop.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id
        assert shop.pay(payment_method=loose).status == "succeeded"
        error = refused(stripe.InvalidRequestError, shop.pay, payment_method=loose)
        assert "may not be used again" in error_of(error)["message"]

    def test_confirming_needs_a_card(self, shop: Shop) -> None:
        customer = shop.a_customer().id
        error = refused(stripe.InvalidRequestError, shop.pay, customer=customer)
        assert (error.code, error.param) == ("parameter_missing", "payment_method")
        made = shop.v1.payment_intents.create({"amount": 500, "currency": "usd", "customer": customer})
        error = refused(stripe.InvalidRequestError, shop.v1.payment_intents.confirm, made.id)
        assert error.code == "payment_intent_unexpected_state"

    def test_off_session_belongs_to_confirm(self, shop: Shop) -> None:
        params = {"amount": 500, "currency": "usd", "off_session": True}
        assert refused(stripe.InvalidRequestError, shop.v1.payment_intents.create, params).param == "off_session"

    def test_unknown_ones_are_missing(self, shop: Shop) -> None:
        for name, ident in (("customer", "cus_x"), ("payment_method", "pm_x")):
            error = refused(stripe.InvalidRequestError, shop.pay, **{name: ident, "payment_method": ident})
            assert (error.http_status, error.code) == (400, "resource_missing")


class TestCancel:
    def test_it_is_canceled_once_with_a_reason(self, shop: Shop) -> None:
        made = shop.v1.payment_intents.create({"amount": 500, "currency": "usd"})
        done = shop.v1.payment_intents.cancel(made.id, {"cancellation_reason": "abandoned"})
        assert (done.status, done.cancellation_reason, done.canceled_at) == (
            "canceled",
            "abandoned",
            shop.clock.now,
        )
        again = refused(stripe.InvalidRequestError, shop.v1.payment_intents.cancel, made.id)
        assert again.code == "payment_intent_unexpected_state"
        assert shop.event_types() == ["payment_intent.created", "payment_intent.canceled"]

    def test_a_paid_one_stays_paid(self, shop: Shop) -> None:
        paid = shop.a_payment()
        error = refused(stripe.InvalidRequestError, shop.v1.payment_intents.cancel, paid.id)
        assert error_of(error)["payment_intent"]["status"] == "succeeded"
