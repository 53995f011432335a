"""Coupons that one person only may use: they see them, and have them apply to their renewals."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy
from chalicelib.dynamo.table import Table
from tests.journeys.test_referrals import PERSONAL, personal
from tests.shop import TEAM, a_coupon, put
from tests.staffing import Clerk, clerk, everything, refused
from tests.world import Person, World


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


@pytest.fixture
def seller(world: World) -> Person:
    return world.paying()


class TestPersonalCoupons:
    def test_are_those_of_the_person_at_every_academy(self, world: World, staff: Clerk, seller: Person) -> None:
        other = identity.create_academy(world.table, NewAcademy(name="Lakeside", slug="lakeside"), now=world.now)
        mine = {"allowed_user_id": seller.user_id}
        put(
            world.table,
            a_coupon(world.now, world.academy_id, id=1, slug="one", **mine),
            a_coupon(world.now, other.id, id=2, slug="two", how_many_offers=0, **mine),
            a_coupon(world.now, world.academy_id, id=3, slug="public"),
            a_coupon(world.now, world.academy_id, id=4, slug="anothers", allowed_user_id=staff.person.user_id),
        )
        assert personal(seller) == [("two", False, False), ("one", True, False)]
        assert [c["slug"] for c in seller.get(f"{PERSONAL}?academy=lakeside").json] == ["two"]
        first = seller.get(f"{PERSONAL}?limit=1")
        link = first.headers["Link"]
        assert [c["slug"] for c in seller.get(link[1 : link.index(">")]).json] == ["one"]

    def test_apply_to_renewals_or_not(self, world: World, staff: Clerk, seller: Person) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, slug="gift", allowed_user_id=seller.user_id))
        path = f"{PERSONAL}/gift"
        for body, auto in ((None, True), (None, False), ({"auto": True}, True), ({"auto": True}, True)):
            answer = seller.put(path, body)
            assert (answer.status, answer.json["auto"], answer.json["is_valid"]) == (200, auto, True)
            assert personal(seller) == [("gift", True, auto)]
        assert seller.check("basic").json["coupons"] == []
        assert [c["slug"] for c in seller.check("basic", coupons=["gift"]).json["coupons"]] == ["gift"]

    def test_are_switched_by_two_at_once_one_after_the_other(self, world: World, seller: Person) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, slug="gift", allowed_user_id=seller.user_id))
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk == "COUPON#gift" and not raced:
                raced.append(True)
                assert seller.put(f"{PERSONAL}/gift").json["auto"]
            return row

        with patch.object(Table, "get", get):
            assert not seller.put(f"{PERSONAL}/gift").json["auto"]

    def test_are_switched_by_nobody_else(self, world: World, staff: Clerk, seller: Person) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, slug="gift", allowed_user_id=seller.user_id))
        put(world.table, a_coupon(world.now, world.academy_id, id=2, slug="public"))
        before = everything(world)
        for query in ("", f"?academy={world.academy_id}"):
            refused(staff.person.put(f"{PERSONAL}/gift{query}"), 404, "coupon-not-found")
            refused(seller.put(f"{PERSONAL}/public{query}"), 404, "coupon-not-found")
            refused(seller.put(f"{PERSONAL}/nothing{query}"), 404, "coupon-not-found")
        assert everything(world) == before

    def test_with_one_slug_at_two_academies_need_the_academy(self, world: World, seller: Person) -> None:
        other = identity.create_academy(world.table, NewAcademy(name="Lakeside", slug="lakeside"), now=world.now)
        for ident, academy_id in enumerate((world.academy_id, other.id), 1):
            mine = {"allowed_user_id": seller.user_id, "plan_ids": (TEAM,)}
            put(world.table, a_coupon(world.now, academy_id, id=ident, slug="gift", **mine))
        refused(seller.put(f"{PERSONAL}/gift"), 400, "academy-required")
        assert seller.put(f"{PERSONAL}/gift", {"academy": "lakeside"}).json["academy"] == other.id
        assert personal(seller) == [("gift", True, True), ("gift", True, False)]

    def test_that_take_nothing_off_do_not_apply(self, world: World, seller: Person) -> None:
        plain = {"discount_type": "NO_DISCOUNT", "discount_value": 0, "allowed_user_id": seller.user_id}
        put(world.table, a_coupon(world.now, world.academy_id, slug="gift", **plain))
        refused(seller.put(f"{PERSONAL}/gift"), 400, "auto-without-discount")
