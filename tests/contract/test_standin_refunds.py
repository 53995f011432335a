"""Refunds and disputes: what comes back after a payment, and what is refused."""

from collections.abc import Iterator

import pytest
import stripe

from tests.contract.test_standin_harness import TRANSPORTS, Shop, error_of, opened, refused


@pytest.fixture(params=TRANSPORTS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with opened(request.param) as opened_shop:
        yield opened_shop


class TestRefunds:
    def test_a_whole_refund(self, shop: Shop) -> None:
        paid = shop.a_payment()
        refund = shop.v1.refunds.create(
            {"payment_intent": paid.id, "reason": "requested_by_customer", "metadata": {"invoice_id": "1"}}
        )
        assert (refund.amount, refund.status, refund.charge) == (5999, "succeeded", paid.latest_charge)
        charge = shop.v1.charges.retrieve(paid.latest_charge)
        assert (charge.refunded, charge.amount_refunded) == (True, 5999)
        assert shop.v1.refunds.retrieve(refund.id).metadata["invoice_id"] == "1"
        assert shop.event_types()[-2:] == ["refund.created", "charge.refunded"]
        event = shop.v1.events.list({"type": "charge.refunded"}).data[0]
        assert event.data.previous_attributes.to_dict() == {"amount_refunded": 0, "refunded": False}

    def test_parts_until_nothing_is_left(self, shop: Shop) -> None:
        paid = shop.a_payment()
        one = shop.v1.refunds.create({"charge": paid.latest_charge, "amount": 1000})
        too_much = {"payment_intent": paid.id, "amount": 5000}
        error = refused(stripe.InvalidRequestError, shop.v1.refunds.create, too_much)
        assert (error.http_status, error.param, error.code) == (400, "amount", None)
        assert "greater than unrefunded amount on charge" in error_of(error)["message"]
        rest = shop.v1.refunds.create({"payment_intent": paid.id})
        assert rest.amount == 4999
        error = refused(stripe.InvalidRequestError, shop.v1.refunds.create, {"payment_intent": paid.id})
        assert error.code == "charge_already_refunded"
        listed = shop.v1.refunds.list({"payment_intent": paid.id})
        assert [refund.id for refund in listed.data] == [rest.id, one.id]
        assert len(shop.v1.refunds.list({"charge": paid.latest_charge, "limit": 1}).data) == 1

    def test_the_bank_sends_it_back(self, shop: Shop) -> None:
        paid = shop.a_payment()
        refund = shop.v1.refunds.create({"payment_intent": paid.id, "amount": 1000})
        shop.order(f"/_control/fail_refund/{refund.id}")
        failed = shop.v1.refunds.retrieve(refund.id)
        assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
        assert shop.v1.charges.retrieve(paid.latest_charge).amount_refunded == 0
        assert shop.event_types()[-3:] == ["refund.updated", "refund.failed", "charge.updated"]
        assert shop.control("POST", f"/_control/fail_refund/{refund.id}")[0] == 400

    def test_somebody_refunds_at_the_dashboard(self, shop: Shop) -> None:
        paid = shop.a_payment()
        made = shop.order(f"/_control/refund/{paid.id}", amount=250)
        assert shop.v1.refunds.retrieve(made["id"]).amount == 250
        event = shop.v1.events.list({"type": "refund.created"}).data[0]
        assert event.request.id is None
        assert shop.order(f"/_control/refund/{paid.id}")["amount"] == 5749

    def test_what_did_not_succeed_is_not_refunded(self, shop: Shop) -> None:
        made = shop.v1.payment_intents.create({"amount": 500, "currency": "usd"})
        refused(stripe.InvalidRequestError, shop.v1.refunds.create, {"payment_intent": made.id})
        assert refused(stripe.InvalidRequestError, shop.v1.refunds.create, {}).code == "parameter_missing"
        bad = {"payment_intent": shop.a_payment().id, "amount": 0}
        assert refused(stripe.InvalidRequestError, shop.v1.refunds.create, bad).param == "amount"


class TestDisputes:
    @pytest.mark.parametrize(
        ("outcome", "last"), [("won", "charge.dispute.funds_reinstated"), ("lost", "charge.dispute.closed")]
    )
    def test_one_is_opened_and_decided(self, shop: Shop, outcome: str, last: str) -> None:
        paid = shop.a_payment()
        opened_one = shop.order(f"/_control/dispute/{paid.id}", outcome="open")
        assert (opened_one["status"], opened_one["amount"]) == ("needs_response", 5999)
        assert shop.v1.charges.retrieve(paid.latest_charge).disputed
        assert shop.event_types()[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
        decided = shop.order(f"/_control/dispute/{paid.id}", outcome=outcome)
        assert (decided["id"], decided["status"]) == (opened_one["id"], outcome)
        assert shop.v1.disputes.retrieve(decided["id"]).status == outcome
        assert shop.event_types()[-1] == last
        moved = [move["amount"] for move in decided["balance_transactions"]]
        assert moved == ([-5999, 5999] if outcome == "won" else [-5999])

    def test_a_decided_one_stays_decided(self, shop: Shop) -> None:
        paid = shop.a_payment()
        lost = shop.order(f"/_control/dispute/{paid.id}", outcome="lost")
        assert shop.order(f"/_control/dispute/{paid.id}", outcome="lost")["id"] == lost["id"]
        assert shop.control("POST", f"/_control/dispute/{paid.id}", outcome="won")[0] == 400
        assert [d.id for d in shop.v1.disputes.list({"payment_intent": paid.id}).data] == [lost["id"]]

    def test_one_card_disputes_by_itself(self, shop: Shop) -> None:
        paid = shop.pay(payment_method="pm_card_createDispute")
        (dispute,) = shop.v1.disputes.list({"charge": paid.latest_charge}).data
        assert (paid.status, dispute.reason, dispute.payment_intent) == ("succeeded", "fraudulent", paid.id)

    def test_a_disputed_charge_is_not_refunded_until_won(self, shop: Shop) -> None:
        paid = shop.a_payment()
        shop.order(f"/_control/dispute/{paid.id}", outcome="open")
        error = refused(stripe.InvalidRequestError, shop.v1.refunds.create, {"payment_intent": paid.id})
        assert error.code == "charge_disputed"
        shop.order(f"/_control/dispute/{paid.id}", outcome="won")
        assert shop.v1.refunds.create({"payment_intent": paid.id}).status == "succeeded"
