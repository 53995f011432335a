"""Setup intents: saving a card, with and without the cardholder's bank asking."""

from collections.abc import Iterator

import pytest
import stripe

from local.stripe_standin.cards import CARDS, Card
from tests.contract.test_standin_harness import TRANSPORTS, Shop, error_of, opened, refused

REFUSED_ON_SETUP = [card for card in CARDS if card.decline and card.declines_on_setup]


@pytest.fixture(params=TRANSPORTS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with opened(request.param) as opened_shop:
        yield opened_shop


def set_up(shop: Shop, customer: str, name: str, **params: object) -> stripe.SetupIntent:
    whole = {"customer": customer, "payment_method": name, "confirm": True, "payment_method_types": ["card"]}
    made: stripe.SetupIntent = shop.v1.setup_intents.create({**whole, **params})
    return made


def test_a_good_card_is_attached_at_once(shop: Shop) -> None:
    customer = shop.a_customer().id
    intent = set_up(shop, customer, "pm_card_visa", metadata={"academy": "1"})
    assert intent.status == "succeeded"
    assert shop.v1.payment_methods.retrieve(intent.payment_method).customer == customer
    assert shop.event_types()[1:] == [
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]


def test_it_waits_for_a_card_and_for_confirmation(shop: Shop) -> None:
    made = shop.v1.setup_intents.create({"customer": shop.a_customer().id, "payment_method_types": ["card"]})
    assert made.status == "requires_payment_method"
    error = refused(stripe.InvalidRequestError, shop.v1.setup_intents.confirm, made.id)
    assert error.code == "setup_intent_unexpected_state"
    done = shop.v1.setup_intents.confirm(made.id, {"payment_method": "pm_card_visa"})
    assert done.status == "succeeded"
    error = refused(stripe.InvalidRequestError, shop.v1.setup_intents.confirm, made.id)
    assert error_of(error)["setup_intent"]["id"] == made.id


@pytest.mark.parametrize("card", REFUSED_ON_SETUP, ids=lambda card: card.name)
def test_a_refused_card_is_refused_already_here(shop: Shop, card: Card) -> None:
    assert card.decline
    customer = shop.a_customer().id
    error = error_of(refused(stripe.CardError, set_up, shop, customer, f"pm_card_{card.name}"))
    assert (error["code"], error["decline_code"]) == (card.decline.code, card.decline.decline_code)
    assert error["message"] == card.decline.message
    assert error["type"] == "card_error"
    assert error["doc_url"].endswith(card.decline.code.replace("_", "-"))
    assert error["payment_method"]["card"]["last4"] == card.last4
    intent = error["setup_intent"]
    assert (intent["status"], intent["payment_method"]) == ("requires_payment_method", None)
    assert intent["last_setup_error"]["code"] == card.decline.code
    assert shop.event_types()[-1] == "setup_intent.setup_failed"
    attach = shop.v1.payment_methods.attach
    named = refused(stripe.CardError, attach, f"pm_card_{card.name}", {"customer": customer})
    assert named.code == card.decline.code


class TestAuthentication:
    def test_the_bank_asks_and_the_cardholder_agrees(self, shop: Shop) -> None:
        customer = shop.a_customer().id
        intent = set_up(shop, customer, "pm_card_authenticationRequiredOnSetup")
        assert intent.status == "requires_action"
        assert intent.next_action and intent.next_action.type == "use_stripe_sdk"
        assert shop.v1.payment_methods.retrieve(intent.payment_method).customer is None
        shop.order(f"/_control/authenticate/{intent.id}", success=True)
        assert shop.v1.setup_intents.retrieve(intent.id).status == "succeeded"
        assert shop.v1.payment_methods.retrieve(intent.payment_method).customer == customer
        assert shop.event_types()[-3:] == [
            "setup_intent.requires_action",
            "payment_method.attached",
            "setup_intent.succeeded",
        ]

    def test_a_page_to_return_to_makes_it_a_redirect(self, shop: Shop) -> None:
        back = "https://example.com/back"
        intent = set_up(shop, shop.a_customer().id, "pm_card_authenticationRequired", return_url=back)
        assert intent.next_action and intent.next_action.redirect_to_url
        assert intent.next_action.redirect_to_url.return_url == back

    def test_the_cardholder_fails(self, shop: Shop) -> None:
        intent = set_up(shop, shop.a_customer().id, "pm_card_authenticationRequiredOnSetup")
        shop.order(f"/_control/authenticate/{intent.id}", success=False)
        failed = shop.v1.setup_intents.retrieve(intent.id)
        assert (failed.status, failed.payment_method) == ("requires_payment_method", None)
        assert failed.last_setup_error.code == "setup_intent_authentication_failure"
        status, answer = shop.control("POST", f"/_control/authenticate/{intent.id}", success=True)
        assert (status, answer["error"]["code"]) == (400, "setup_intent_unexpected_state")


def test_it_is_canceled_once(shop: Shop) -> None:
    made = shop.v1.setup_intents.create({"payment_method_types": ["card"]})
    assert shop.v1.setup_intents.cancel(made.id, {"cancellation_reason": "abandoned"}).status == "canceled"
    error = refused(stripe.InvalidRequestError, shop.v1.setup_intents.cancel, made.id)
    assert error.code == "setup_intent_unexpected_state"
    assert shop.event_types()[-1] == "setup_intent.canceled"


def test_redirects_must_be_possible_or_ruled_out(shop: Shop) -> None:
    bare = {"payment_method": "pm_card_visa", "confirm": True}
    error = refused(stripe.InvalidRequestError, shop.v1.setup_intents.create, bare)
    assert "return_url" in error_of(error)["message"]
    never = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    assert shop.v1.setup_intents.create({**bare, **never}).status == "succeeded"


def test_somebody_elses_card_is_refused(shop: Shop) -> None:
    one, other = shop.a_customer().id, shop.a_customer().id
    card = shop.a_card(one).id
    error = refused(stripe.InvalidRequestError, set_up, shop, other, card)
    assert f"does not belong to the Customer you supplied {other}" in error_of(error)["message"]
