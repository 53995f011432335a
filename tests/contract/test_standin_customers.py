"""Customers and their payment methods, through the real library over both transports."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import stripe

from tests.contract.test_standin_harness import TRANSPORTS, Shop, error_of, opened, refused


@pytest.fixture(params=TRANSPORTS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with opened(request.param) as opened_shop:
        yield opened_shop


class TestCustomers:
    def test_what_is_created_is_retrieved(self, shop: Shop) -> None:
        made = shop.a_customer(metadata={"user_id": "7"})
        found = shop.v1.customers.retrieve(made.id)
        assert (found.email, found.name, found.metadata["user_id"]) == ("ada@example.com", "Ada", "7")
        assert found.created == shop.clock.now

    def test_metadata_is_merged_and_an_empty_value_removes_its_key(self, shop: Shop) -> None:
        made = shop.a_customer(metadata={"a": "1", "b": "2"})
        changed = shop.v1.customers.update(made.id, {"metadata": {"b": "", "c": "3"}})
        assert changed.metadata.to_dict() == {"a": "1", "c": "3"}

    def test_an_update_tells_what_was_before(self, shop: Shop) -> None:
        made = shop.a_customer(metadata={"a": "1"})
        shop.v1.customers.update(made.id, {"name": "Grace", "metadata": {"a": "2"}})
        event = shop.v1.events.list({"type": "customer.updated"}).data[0]
        assert event.data.previous_attributes.to_dict() == {"name": "Ada", "metadata": {"a": "1"}}

    def test_a_deleted_customer_is_a_tombstone(self, shop: Shop) -> None:
        made = shop.a_customer()
        card = shop.a_card(made.id)
        assert shop.v1.customers.delete(made.id).deleted
        tombstone = shop.v1.customers.retrieve(made.id)
        assert tombstone.to_dict() == {"id": made.id, "object": "customer", "deleted": True}
        assert shop.v1.payment_methods.retrieve(card.id).customer is None
        error = refused(stripe.InvalidRequestError, shop.v1.customers.update, made.id, {"name": "x"})
        assert error.code == "resource_missing"
        assert shop.v1.customers.list().data == []

    def test_an_unknown_customer_is_missing(self, shop: Shop) -> None:
        error = refused(stripe.InvalidRequestError, shop.v1.customers.retrieve, "cus_nobody")
        assert (error.http_status, error.code, error.param) == (404, "resource_missing", "id")
        assert error_of(error)["message"] == "No such customer: 'cus_nobody'"

    def test_the_default_payment_method_must_be_theirs(self, shop: Shop) -> None:
        one, other = shop.a_customer().id, shop.a_customer().id
        card = shop.a_card(one).id
        settings = {"invoice_settings": {"default_payment_method": card}}
        assert shop.v1.customers.update(one, settings).invoice_settings.default_payment_method == card
        error = refused(stripe.InvalidRequestError, shop.v1.customers.update, other, settings)
        assert error.code == "resource_missing"


class TestListing:
    def test_pages_go_from_new_to_old_and_back(self, shop: Shop) -> None:
        idents: list[str] = []
        for _ in range(5):
            idents.insert(0, shop.a_customer().id)
            shop.clock.advance(10)
        first = shop.v1.customers.list({"limit": 2})
        assert ([c.id for c in first.data], first.has_more) == (idents[:2], True)
        second = shop.v1.customers.list({"limit": 3, "starting_after": idents[1]})
        assert ([c.id for c in second.data], second.has_more) == (idents[2:], False)
        back = shop.v1.customers.list({"limit": 2, "ending_before": idents[3]})
        assert ([c.id for c in back.data], back.has_more) == (idents[1:3], True)
        assert [c.id for c in shop.v1.customers.list({"limit": 2}).auto_paging_iter()] == idents

    def test_created_and_email_filter(self, shop: Shop) -> None:
        shop.a_customer(email="old@example.com")
        shop.clock.advance(100)
        young = shop.a_customer(email="young@example.com").id
        after = shop.v1.customers.list({"created": {"gt": shop.clock.now - 1, "lte": shop.clock.now}})
        assert [c.id for c in after.data] == [young]
        assert [c.id for c in shop.v1.customers.list({"email": "young@example.com"}).data] == [young]
        assert shop.v1.customers.list({"created": {"lt": 5}}).data == []

    def test_a_bad_page_is_refused(self, shop: Shop) -> None:
        for params, code in (
            ({"limit": 101}, "parameter_invalid_integer"),
            ({"starting_after": "cus_x"}, "resource_missing"),
        ):
            assert refused(stripe.InvalidRequestError, shop.v1.customers.list, params).code == code


class TestParameters:
    def test_unknown_missing_and_misspelt_ones_are_refused(self, shop: Shop) -> None:
        create = shop.v1.payment_intents.create
        cases = (
            ({"amount": 100, "currency": "usd", "colour": "red"}, "parameter_unknown", "colour"),
            ({"amount": 100}, "parameter_missing", "currency"),
            ({"amount": "ten", "currency": "usd"}, "parameter_invalid_integer", "amount"),
            ({"amount": 100, "currency": ""}, "parameter_invalid_empty", "currency"),
            (
                {"amount": 100, "currency": "usd", "automatic_payment_methods": {"x": 1}},
                "parameter_unknown",
                "automatic_payment_methods[x]",
            ),
        )
        for params, code, param in cases:
            error = refused(stripe.InvalidRequestError, create, params)
            assert (error.http_status, error.code, error.param) == (400, code, param)

    def test_metadata_has_limits(self, shop: Shop) -> None:
        for metadata in ({"k" * 41: "v"}, {"k": "v" * 501}, {f"k{n}": "v" for n in range(51)}):
            refused(stripe.InvalidRequestError, shop.v1.customers.create, {"metadata": metadata})


class TestPaymentMethods:
    def test_a_token_makes_a_card(self, shop: Shop) -> None:
        made = shop.v1.payment_methods.create(
            {"type": "card", "card": {"token": "tok_mastercard"}, "billing_details": {"name": "Ada"}}
        )
        assert (made.card.brand, made.card.last4, made.billing_details.name) == ("mastercard", "4444", "Ada")
        assert made.customer is None

    def test_raw_card_numbers_are_refused(self, shop: Shop) -> None:
        card = {"number": "4242424242424242", "exp_month": 10, "exp_year": 2030, "cvc": "123"}
        error = refused(stripe.CardError, shop.v1.payment_methods.create, {"type": "card", "card": card})
        assert "Sending credit card numbers directly" in error_of(error)["message"]
        assert error_of(error)["type"] == "invalid_request_error"

    def test_a_name_makes_a_new_card_each_time_with_one_fingerprint(self, shop: Shop) -> None:
        customer = shop.a_customer().id
        one, two = shop.a_card(customer), shop.a_card(customer)
        assert one.id != two.id
        assert one.card.fingerprint == two.card.fingerprint
        listed = shop.v1.customers.payment_methods.list(customer, {"type": "card"})
        assert [method.id for method in listed.data] == [two.id, one.id]

    def test_a_card_is_attached_once(self, shop: Shop) -> None:
        one, other = shop.a_customer().id, shop.a_customer().id
        card = shop.a_card(one)
        assert shop.v1.payment_methods.attach(card.id, {"customer": one}).customer == one
        refused(stripe.InvalidRequestError, shop.v1.payment_methods.attach, card.id, {"customer": other})

    def test_a_detached_card_is_gone_for_good(self, shop: Shop) -> None:
        customer = shop.a_customer().id
        card = shop.a_card(customer).id
        shop.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": card}})
        assert shop.v1.payment_methods.detach(card).customer is None
        assert shop.v1.customers.retrieve(customer).invoice_settings.default_payment_method is None
        error = refused(stripe.InvalidRequestError, shop.v1.payment_methods.attach, card, {"customer": customer})
        assert "may not be used again" in error_of(error)["message"]
        refused(stripe.InvalidRequestError, shop.v1.payment_methods.detach, card)

    def test_the_expiry_may_change_to_a_future_one(self, shop: Shop) -> None:
        year = datetime.fromtimestamp(shop.clock.now, UTC).year
        card = shop.a_card(shop.a_customer().id).id
        changed = shop.v1.payment_methods.update(card, {"card": {"exp_month": 2, "exp_year": year + 3}})
        assert (changed.card.exp_month, changed.card.exp_year) == (2, year + 3)
        event = shop.v1.events.list({"type": "payment_method.updated"}).data[0]
        assert set(event.data.previous_attributes.to_dict()["card"]) == {"exp_month", "exp_year"}
        for expiry, code in (
            ({"exp_year": year - 1}, "invalid_expiry_year"),
            ({"exp_month": 13}, "invalid_expiry_month"),
            ({"exp_month": 1, "exp_year": year}, "invalid_expiry_month"),
        ):
            assert refused(stripe.CardError, shop.v1.payment_methods.update, card, {"card": expiry}).code == code

    def test_a_loose_card_cannot_change(self, shop: Shop) -> None:
        loose = shop.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id
        refused(stripe.InvalidRequestError, shop.v1.payment_methods.update, loose, {"metadata": {"a": "b"}})
