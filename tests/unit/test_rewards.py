"""What a referral earns, and when that is gone: amounts, people, refunds and disputes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.books.billing.model import Dispute, Invoice, InvoiceKind, InvoiceStatus, Refund
from chalicelib.books.catalog.referrals import earned, is_reserved, own_coupon, own_slug, reward
from chalicelib.flows.fulfillment.rewards import are_revoked
from chalicelib.kernel.ids import RANDOM_BITS
from chalicelib.kernel.money import Money
from tests.billing_rows import an_invoice
from tests.shop import a_coupon

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SELLER, BUYER, INVOICE = 7, 8, 244_010_188_800_006
REFERRAL: dict[str, Any] = {"referral_type": "PERCENTAGE", "referral_value": Decimal("0.1"), "seller_user_id": SELLER}


class TestEarned:
    @pytest.mark.parametrize(
        ("changes", "price", "most", "minor"),
        [
            ({}, Money(5999, "USD"), Money(5999, "USD"), 600),
            ({}, Money(5995, "USD"), Money(5995, "USD"), 600),
            ({}, Money(5994, "USD"), Money(5994, "USD"), 599),
            ({}, Money(5999, "USD"), Money(10, "USD"), 10),
            ({}, Money(5999, "USD"), Money(0, "USD"), 0),
            ({}, Money(1005, "JPY"), Money(1005, "JPY"), 101),
            ({}, Money(12340, "KWD"), Money(12340, "KWD"), 1230),
            ({"seller_user_id": None}, Money(5999, "USD"), Money(5999, "USD"), 0),
            ({"seller_user_id": BUYER}, Money(5999, "USD"), Money(5999, "USD"), 0),
            ({"referral_type": "NO_REFERRAL"}, Money(5999, "USD"), Money(5999, "USD"), 0),
            ({"referral_type": "FIXED_PRICE", "referral_value": 5}, Money(5999, "USD"), Money(5999, "USD"), 500),
            (
                {"referral_type": "FIXED_PRICE", "referral_value": 5, "currency": "EUR"},
                Money(5999, "USD"),
                Money(5999, "USD"),
                0,
            ),
        ],
    )
    def test_is_a_share_or_an_amount(self, changes: dict[str, Any], price: Money, most: Money, minor: int) -> None:
        coupon = a_coupon(NOW, 4, **(REFERRAL | changes))
        assert earned(coupon, buyer_id=BUYER, price=price, most=most) == Money(minor, price.code)


class TestReward:
    def test_follows_from_the_invoice_and_the_coupon(self) -> None:
        coupon = a_coupon(NOW, 4, **REFERRAL)
        other = coupon.model_copy(update={"slug": "other"})
        named = [
            reward(one, Money(600, "USD"), buyer_id=buyer, invoice_id=invoice, paid_at=NOW)
            for one, buyer, invoice in (
                (coupon, BUYER, INVOICE),
                (coupon, BUYER, INVOICE),
                (other, BUYER, INVOICE),
                (coupon, BUYER + 1, INVOICE),
                (coupon, BUYER, INVOICE + 1),
            )
        ]
        assert named[0] == named[1] and len({one.slug for one in named}) == 4 and len({one.id for one in named}) == 4
        assert all(one.id >> RANDOM_BITS == INVOICE >> RANDOM_BITS for one in named)
        assert all(is_reserved(one.slug) and len(one.slug) <= 60 for one in named)

    def test_is_told_apart_from_what_staff_may_make(self) -> None:
        assert is_reserved(own_slug(4, SELLER)) and own_slug(4, SELLER) != own_slug(5, SELLER)
        assert own_coupon(ident=1, academy_id=4, user_id=SELLER, now=NOW).slug == own_slug(4, SELLER)
        assert not is_reserved("rewarding") and not is_reserved("friend-reward-1")


class TestAreRevoked:
    @pytest.mark.parametrize(
        ("refunded", "disputed", "revoked"),
        [
            ((), None, False),
            ((2999, 2999), None, False),
            ((2999, 3000), None, True),
            ((), ("lost", 5999), True),
            ((), ("lost", 1000), True),
            ((), ("won", 5999), False),
            ((), ("needs_response", 5999), False),
        ],
    )
    def test_with_all_of_the_payment_or_a_lost_dispute(
        self, refunded: tuple[int, ...], disputed: tuple[str, int] | None, revoked: bool
    ) -> None:
        refunds = tuple(
            Refund(id=f"re_{number}", amount=amount, status="succeeded", created_at=NOW)
            for number, amount in enumerate(refunded)
        )
        disputes: tuple[Dispute, ...] = ()
        if disputed is not None:
            disputes = (Dispute(id="dp", amount=disputed[1], status=disputed[0], reason="", updated_at=NOW),)
        assert are_revoked(_paid(refunds=refunds, disputes=disputes)) is revoked


def _paid(**changes: Any) -> Invoice:
    values = {"kind": InvoiceKind.PLAN, "status": InvoiceStatus.FULFILLED, "amount": 5999, **changes}
    return an_invoice().model_copy(update=values)
