"""Coupons: why one does not serve, which automatic one does, and for how many renewals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.books.catalog.coupons import Refusal, Uses, refusal, serves_renewal, the_automatic_one
from tests.shop import BASIC, BOOTCAMP, a_coupon, a_plan

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIXED: dict[str, Any] = {"discount_type": "FIXED_PRICE", "discount_value": 5}
REFERRAL: dict[str, Any] = {"referral_type": "PERCENTAGE"}


def why(uses: Uses | None = None, *, plan: dict[str, Any] | None = None, **coupon: Any) -> Refusal | None:
    """Why user 7 may not use the coupon at NOW on the Basic plan in dollars."""
    return refusal(
        a_coupon(NOW, 4, **coupon),
        a_plan(NOW, 4, **(plan or {})),
        user_id=7,
        now=NOW,
        uses=uses or Uses(),
        currency="USD",
    )


class TestRefusal:
    @pytest.mark.parametrize(
        ("coupon", "expected"),
        [
            ({}, None),
            ({"how_many_offers": 0}, Refusal.DISABLED),
            ({"offered_at": NOW + SECOND}, Refusal.NOT_YET),
            ({"offered_at": NOW}, None),
            ({"expires_at": NOW}, Refusal.EXPIRED),
            ({"expires_at": NOW + SECOND}, None),
            ({"plan_ids": (BOOTCAMP,)}, Refusal.OTHER_PLAN),
            ({"plan_ids": (BOOTCAMP, BASIC)}, None),
            ({"plan_ids": ()}, None),
            ({"allowed_user_id": 8}, Refusal.OTHER_PERSON),
            ({"allowed_user_id": 7}, None),
            ({"seller_user_id": 7}, Refusal.OWN),
            ({"seller_user_id": 8}, None),
            (REFERRAL, Refusal.NO_REFERRALS),
            ({**FIXED, "currency": "EUR"}, Refusal.OTHER_CURRENCY),
            ({**FIXED, "discount_type": "HAGGLING", "currency": "EUR"}, Refusal.OTHER_CURRENCY),
            ({**FIXED, "currency": "USD"}, None),
            ({**FIXED, "currency": None}, None),
            ({"currency": "EUR"}, None),
        ],
    )
    def test_names_what_the_coupon_lacks(self, coupon: dict[str, Any], expected: Refusal | None) -> None:
        assert why(**coupon) is expected

    def test_of_a_referral_is_the_plans_choice(self) -> None:
        assert why(plan={"exclude_from_referral_program": False}, **REFERRAL) is None

    @pytest.mark.parametrize(
        ("limits", "uses", "expected"),
        [
            ({"how_many_offers": 3}, Uses(total=2), None),
            ({"how_many_offers": 3}, Uses(total=3), Refusal.USED_UP),
            ({"how_many_offers": -1}, Uses(total=10**6), None),
            ({}, Uses(by_person=1), Refusal.USED_BY_YOU),
            ({"how_many_per_person": 2}, Uses(by_person=1), None),
            ({"how_many_per_person": 2}, Uses(by_person=2), Refusal.USED_BY_YOU),
        ],
    )
    def test_counts_uses_against_both_limits(
        self, limits: dict[str, Any], uses: Uses, expected: Refusal | None
    ) -> None:
        assert why(uses, **limits) is expected


class TestTheAutomaticOne:
    def test_is_the_oldest_and_no_other(self) -> None:
        found = [a_coupon(NOW, 4, id=ident, auto=auto) for ident, auto in ((5, True), (3, True), (1, False))]
        chosen = the_automatic_one(found)
        assert chosen is not None
        assert chosen.id == 3

    def test_may_be_none(self) -> None:
        assert the_automatic_one([]) is None
        assert the_automatic_one([a_coupon(NOW, 4, auto=False)]) is None

    def test_is_for_everybody(self) -> None:
        """What one person has for their renewals takes no other coupon's place."""
        everybodys = a_coupon(NOW, 4, id=5, auto=True)
        assert the_automatic_one([a_coupon(NOW, 4, id=3, auto=True, allowed_user_id=7), everybodys]) == everybodys


class TestServesRenewal:
    @pytest.mark.parametrize(
        ("coupon", "number", "serves"),
        [
            ({"renewals": None, "expires_at": None}, 99, True),
            ({"renewals": None, "expires_at": NOW}, 1, False),
            ({"renewals": None, "expires_at": NOW + SECOND}, 1, True),
            ({"renewals": 0}, 1, False),
            ({"renewals": 2}, 2, True),
            ({"renewals": 2}, 3, False),
            ({"renewals": 2, "expires_at": NOW - SECOND}, 2, True),
            ({"renewals": 2, "expires_at": NOW + SECOND}, 3, False),
        ],
    )
    def test_until_it_expires_or_so_many_times(self, coupon: dict[str, Any], number: int, serves: bool) -> None:
        assert serves_renewal(a_coupon(NOW, 4, **coupon), number=number, at=NOW) is serves
