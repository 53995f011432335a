"""Coupons of an academy, made and changed by its staff: every field, every limit (facts 4.5, D64)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.referrals import own_coupon
from chalicelib.dynamo.table import Table
from chalicelib.flows.catalog.coupons import AUTOMATIC_COUPONS_MAX
from tests.books import check_books
from tests.journeys.test_crash import outside_calls
from tests.shop import BASIC, BOOTCAMP, a_coupon, a_plan, put
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, everything, refused
from tests.world import World

PATH = "/v1/payments/academy/coupon"
COUPON = {"slug": "spring", "discount_value": 0.25}
OTHER_EXPIRY = "2027-03-01T00:00:00Z"


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def made(staff: Clerk, **changes: Any) -> Any:
    answer = staff.post(PATH, {**COUPON, **changes})
    assert answer.status == 201, answer.text
    return answer.json


def changed(staff: Clerk, slug: str = "spring", **changes: Any) -> Any:
    answer = staff.put(f"{PATH}/{slug}", changes)
    assert answer.status == 200, answer.text
    return answer.json


def listed(staff: Clerk, query: str = "limit=100") -> list[str]:
    return [coupon["slug"] for coupon in staff.get(f"{PATH}?{query}").json]


def on_bag(world: World, *slugs: str, plan: str = "basic") -> tuple[list[str], dict[str, str]]:
    """The coupons of somebody's new bag, and why others are not on it."""
    bag = world.person().check(plan, coupons=list(slugs)).json
    return [c["slug"] for c in bag["coupons"]], {c["slug"]: c["reason"] for c in bag["coupons_refused"]}


class TestFields:
    def test_have_their_defaults(self, staff: Clerk, world: World) -> None:
        coupon = made(staff)
        assert coupon == {
            "id": coupon["id"],
            "slug": "spring",
            "discount_type": "PERCENT_OFF",
            "discount_value": 0.25,
            "currency": {"code": "USD", "name": "US Dollar"},
            "referral_type": "NO_REFERRAL",
            "referral_value": 0.0,
            "auto": False,
            "how_many_offers": -1,
            "how_many_per_person": 1,
            "renewals": None,
            "allowed_user": None,
            "seller": None,
            "plans": [],
            "offered_at": "2026-11-21T12:00:00Z",
            "expires_at": None,
            "is_revoked": False,
            "times_used": None,
        }
        assert staff.get(f"{PATH}/spring").json == coupon

    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ({"discount_type": "NO_DISCOUNT", "discount_value": 0}, {"discount_type": "NO_DISCOUNT"}),
            ({"discount_type": "PERCENT_OFF", "discount_value": 1}, {"discount_value": 1.0}),
            ({"discount_type": "FIXED_PRICE", "discount_value": 12.5}, {"discount_value": 12.5}),
            ({"discount_type": "HAGGLING", "discount_value": 300}, {"discount_value": 300.0}),
            ({"currency": "eur"}, {"currency": {"code": "EUR", "name": "Euro"}}),
            ({"referral_type": "PERCENTAGE", "referral_value": 0.1}, {"referral_value": 0.1}),
            ({"referral_type": "FIXED_PRICE", "referral_value": 20}, {"referral_value": 20.0}),
            ({"auto": True}, {"auto": True}),
            ({"how_many_offers": 0}, {"how_many_offers": 0, "times_used": 0}),
            ({"how_many_offers": 7}, {"how_many_offers": 7, "times_used": 0}),
            ({"how_many_per_person": 3}, {"how_many_per_person": 3}),
            ({"renewals": 0}, {"renewals": 0}),
            ({"renewals": 12}, {"renewals": 12}),
            ({"plans": ["bootcamp", BASIC, "basic"]}, {"plans": [BOOTCAMP, BASIC]}),
            ({"offered_at": "2026-12-24T18:00:00+01:00"}, {"offered_at": "2026-12-24T17:00:00Z"}),
            ({"offered_at": None}, {"offered_at": "2026-11-21T12:00:00Z"}),
            ({"expires_at": OTHER_EXPIRY}, {"expires_at": OTHER_EXPIRY}),
            ({"expires_at": None}, {"expires_at": None}),
        ],
    )
    def test_are_kept_and_changed_as_they_are_given(self, staff: Clerk, given: Any, shown: Any) -> None:
        plain = made(staff, slug="other")
        assert made(staff, **given).items() >= shown.items()
        assert changed(staff, "other", **given) == {**plain, **given, **shown, "currency": plain["currency"]} | (
            shown if "currency" in shown else {}
        )

    def test_of_people_are_those_that_are_there(self, staff: Clerk, world: World) -> None:
        person = world.person()
        coupon = made(staff, allowed_user=person.user_id, seller=staff.person.user_id)
        assert (coupon["allowed_user"], coupon["seller"]) == (person.user_id, staff.person.user_id)
        assert changed(staff, allowed_user=None, seller=None) == {**coupon, "allowed_user": None, "seller": None}

    @pytest.mark.parametrize(
        ("given", "status", "slug"),
        [
            ({"discount_type": "HALF"}, 400, "invalid-discount-type"),
            ({"discount_value": 1.01}, 400, "invalid-discount-value"),
            ({"discount_value": -0.1}, 400, "invalid-discount-value"),
            ({"discount_value": None}, 400, "invalid-discount-value"),
            ({"discount_value": "a half"}, 400, "invalid-discount-value"),
            ({"discount_type": "FIXED_PRICE", "discount_value": -1}, 400, "invalid-discount-value"),
            ({"discount_type": "FIXED_PRICE", "discount_value": 1e12}, 400, "invalid-price"),
            ({"discount_value": 1e-12}, 400, "invalid-price"),
            ({"currency": "XXQ"}, 400, "currency-not-found"),
            ({"currency": None}, 400, "currency-not-found"),
            ({"referral_type": "HALF"}, 400, "invalid-referral-type"),
            ({"referral_value": 0.1}, 400, "invalid-referral-value"),
            ({"referral_type": "PERCENTAGE", "referral_value": 1.1}, 400, "invalid-referral-value"),
            ({"referral_type": "PERCENTAGE", "referral_value": -0.1}, 400, "invalid-referral-value"),
            ({"auto": "yes"}, 400, "invalid-auto"),
            ({"auto": True, "discount_type": "NO_DISCOUNT"}, 400, "auto-without-discount"),
            ({"how_many_offers": -2}, 400, "invalid-how-many-offers"),
            ({"how_many_offers": 1.5}, 400, "invalid-how-many-offers"),
            ({"how_many_offers": None}, 400, "invalid-how-many-offers"),
            ({"how_many_per_person": 0}, 400, "invalid-how-many-per-person"),
            ({"renewals": -1}, 400, "invalid-renewals"),
            ({"allowed_user": 9}, 404, "user-not-found"),
            ({"allowed_user": "ada"}, 400, "invalid-allowed-user"),
            ({"seller": 9}, 404, "user-not-found"),
            ({"plans": ["nothing"]}, 404, "plan-not-found"),
            ({"plans": [BASIC, 9]}, 404, "plan-not-found"),
            ({"plans": "basic"}, 400, "invalid-plans"),
            ({"plans": None}, 400, "invalid-plans"),
            ({"offered_at": "tomorrow"}, 400, "invalid-offered-at"),
            ({"offered_at": 5}, 400, "invalid-offered-at"),
            ({"expires_at": "2026-12-24T18:00:00"}, 400, "invalid-expires-at"),
            ({"expires_at": "0001-01-01T00:00:00+10:00"}, 400, "invalid-expires-at"),
            ({"expires_at": "2026-11-21T12:00:00Z"}, 400, "invalid-expires-at"),
        ],
    )
    def test_that_none_can_have_are_refused(
        self, staff: Clerk, world: World, given: Any, status: int, slug: str
    ) -> None:
        made(staff, slug="other")
        before = everything(world)
        refused(staff.post(PATH, {**COUPON, **given}), status, slug)
        refused(staff.put(f"{PATH}/other", given), status, slug)
        assert everything(world) == before

    def test_of_a_discount_need_its_value(self, staff: Clerk) -> None:
        refused(staff.post(PATH, {"slug": "spring"}), 400, "invalid-discount-value")
        refused(staff.post(PATH, {"discount_value": 0.5}), 400, "invalid-slug")
        assert staff.post(PATH, {"slug": "plain", "discount_type": "NO_DISCOUNT"}).json["discount_value"] == 0.0

    def test_that_are_amounts_need_a_currency(self, world: World) -> None:
        other = clerk_elsewhere(world)  # an academy without a main currency
        assert made(other)["currency"] is None
        refused(other.put(f"{PATH}/spring", {"discount_type": "HAGGLING"}), 400, "currency-required")
        refused(
            other.put(f"{PATH}/spring", {"referral_type": "FIXED_PRICE", "referral_value": 5}), 400, "currency-required"
        )
        assert changed(other, discount_type="HAGGLING", currency="EUR")["currency"]["code"] == "EUR"


class TestSlugs:
    def test_are_taken_for_ever(self, staff: Clerk) -> None:
        made(staff)
        refused(staff.post(PATH, COUPON), 400, "slug-already-exists")
        assert staff.delete(f"{PATH}/spring").status == 204
        refused(staff.post(PATH, COUPON), 400, "slug-already-exists")

    def test_stay(self, staff: Clerk) -> None:
        coupon = made(staff)
        assert changed(staff, slug="spring") == coupon
        refused(staff.put(f"{PATH}/spring", {"slug": "autumn"}), 400, "invalid-slug")

    @pytest.mark.parametrize(
        "slug", ["2026", "0", "", "with space", "a" * 61, "ü", "a,b", "reward-1", "referral-me", None]
    )
    def test_that_are_none_or_follow_from_others_are_refused(self, staff: Clerk, slug: Any) -> None:
        refused(staff.post(PATH, {**COUPON, "slug": slug}), 400, "invalid-slug")


class TestChanging:
    def test_is_partial_and_audited(self, staff: Clerk, world: World) -> None:
        coupon = made(staff, plans=["basic"], expires_at=OTHER_EXPIRY)
        assert changed(staff, discount_value=0.3) == {**coupon, "discount_value": 0.3}
        assert changed(staff, discount_value=0.3) == {**coupon, "discount_value": 0.3}  # changes nothing
        staff.delete(f"{PATH}/spring")
        last, second, first = audited(world, "coupon:spring")
        assert {change[0] for change in (first, second, last)} == {f"user:{staff.person.user_id}"}
        assert first[1] is None and first[2]["discount_value"] == "0.25"
        assert (second[1]["discount_value"], second[2]["discount_value"]) == ("0.25", "0.3")
        assert (last[1]["expires_at"], last[2]["expires_at"]) == (OTHER_EXPIRY, "2026-11-21T12:00:00Z")

    def test_of_how_many_are_offered_offers_it_anew(self, staff: Clerk, world: World) -> None:
        made(staff)
        world.advance(days=1)
        assert changed(staff, discount_value=0.5)["offered_at"] == "2026-11-21T12:00:00Z"
        assert changed(staff, how_many_offers=5)["offered_at"] == "2026-11-22T12:00:00Z"
        later = changed(staff, how_many_offers=6, offered_at="2026-12-01T00:00:00Z")
        assert later["offered_at"] == "2026-12-01T00:00:00Z"
        assert on_bag(world, "spring") == ([], {"spring": "not-yet-offered"})

    def test_keeps_the_uses_and_fewer_offers_than_those_are_used_up(self, staff: Clerk, world: World) -> None:
        made(staff, how_many_offers=5)
        for _ in range(3):
            person = world.paying()
            assert person.pay(person.check("basic", coupons=["spring"]).json, chosen_period="MONTH").status == 200
        assert changed(staff, discount_value=0.5)["times_used"] == 3
        assert changed(staff, how_many_offers=2)["times_used"] == 3
        assert on_bag(world, "spring") == ([], {"spring": "used-up"})
        assert changed(staff, how_many_offers=4)["times_used"] == 3
        assert on_bag(world, "spring") == (["spring"], {})
        world.settle()
        check_books(world)

    def test_by_two_at_once_loses_neither_change(self, staff: Clerk) -> None:
        coupon = made(staff)
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk == "COUPON#spring" and not raced:
                raced.append(True)
                assert staff.put(f"{PATH}/spring", {"renewals": 6}).status == 200
            return row

        with patch.object(Table, "get", get):
            assert changed(staff, discount_value=0.5) == {**coupon, "discount_value": 0.5, "renewals": 6}

    def test_leaves_a_quote_as_it_was(self, staff: Clerk, world: World) -> None:
        made(staff, discount_value=0.5)
        person = world.paying()
        bag = person.check("basic", coupons=["spring"]).json
        changed(staff, discount_value=0.1)
        staff.delete(f"{PATH}/spring")
        assert person.pay(bag, chosen_period="MONTH").json["amount"] == 30.0


class TestEnding:
    def test_is_for_now_and_again_changes_nothing(self, staff: Clerk, world: World) -> None:
        coupon = made(staff)
        assert staff.delete(f"{PATH}/spring").status == 204
        ended = staff.get(f"{PATH}/spring").json
        assert ended == {**coupon, "expires_at": "2026-11-21T12:00:00Z"}
        assert on_bag(world, "spring") == ([], {"spring": "expired"})
        world.advance(days=1)
        before = everything(world)
        assert staff.delete(f"{PATH}/spring").status == 204
        assert everything(world) == before and listed(staff) == ["spring"]

    def test_of_one_that_was_not_offered_yet_leaves_it_to_be_changed(self, staff: Clerk) -> None:
        made(staff, offered_at="2027-01-01T00:00:00Z")
        staff.delete(f"{PATH}/spring")
        assert changed(staff, discount_value=0.5)["expires_at"] == "2026-11-21T12:00:00Z"
        assert changed(staff, expires_at=OTHER_EXPIRY)["expires_at"] == OTHER_EXPIRY


class TestAutomaticOnes:
    def test_are_found_among_thousands_that_ended_or_are_of_one_person(self, staff: Clerk, world: World) -> None:
        """Each of these lists alone is longer than what a purchase reads."""
        day = timedelta(days=1)
        for number in range(150):
            ended = {"auto": True, "offered_at": world.now - 2 * day, "expires_at": world.now - day}
            put(world.table, a_coupon(world.now, world.academy_id, id=number + 1, slug=f"a{number}", **ended))
            person = {"allowed_user_id": 7, "auto": True}
            put(world.table, a_coupon(world.now, world.academy_id, id=number + 1001, slug=f"b{number}", **person))
            put(world.table, a_coupon(world.now, world.academy_id, id=number + 2001, slug=f"c{number}"))
        made(staff, auto=True)
        assert on_bag(world) == (["spring"], {})
        customer = world.person()
        with outside_calls(world) as outside:
            customer.check("basic", coupons=["c77"])
        calls = [call.removeprefix("table ") for call in outside.calls if call.startswith("table ")]
        assert calls == ["GetItem", "GetItem", "Query", "BatchGetItem", "BatchGetItem", "PutItem"]

    def test_follow_their_changes(self, staff: Clerk, world: World) -> None:
        made(staff, slug="other")
        for changes, applies in (
            ({"auto": True}, True),
            ({"how_many_offers": 0}, False),
            ({"how_many_offers": -1}, True),
            ({"allowed_user": staff.person.user_id}, False),
            ({"allowed_user": None}, True),
            ({"plans": ["bootcamp"]}, False),
            ({"plans": []}, True),
            ({"auto": False}, False),
            ({"auto": True, "expires_at": OTHER_EXPIRY}, True),
        ):
            changed(staff, "other", **changes)
            assert on_bag(world) == (["other"] if applies else [], {}), changes
        world.advance(days=120)
        assert on_bag(world) == ([], {})

    def test_do_not_stack_by_being_given(self, staff: Clerk, world: World) -> None:
        made(staff, slug="older", auto=True)
        world.advance(seconds=1)
        made(staff, slug="newer", auto=True)
        assert on_bag(world, "newer") == (["older"], {"newer": "another-applies-automatically"})
        assert on_bag(world, "older") == (["older"], {})

    def test_are_not_without_limit(self, staff: Clerk, world: World) -> None:
        for number in range(AUTOMATIC_COUPONS_MAX):
            coupon = a_coupon(world.now, world.academy_id, id=number + 1, slug=f"a{number}", auto=True)
            put(world.table, coupon)
        refused(staff.post(PATH, {**COUPON, "auto": True}), 400, "too-many-automatic-coupons")
        made(staff)
        refused(staff.put(f"{PATH}/spring", {"auto": True}), 400, "too-many-automatic-coupons")
        assert changed(staff, "a3", discount_value=0.3)["auto"]
        assert staff.delete(f"{PATH}/a3").status == 204
        world.advance(seconds=1)
        assert changed(staff, auto=True)["auto"]


class TestCurrencies:
    @pytest.mark.parametrize(
        "changes",
        [
            {"discount_type": "FIXED_PRICE", "discount_value": 10},
            {"discount_type": "HAGGLING", "discount_value": 10},
            {"referral_type": "FIXED_PRICE", "referral_value": 10},
        ],
    )
    def test_of_amounts_are_those_of_the_purchase(self, staff: Clerk, world: World, changes: Any) -> None:
        plan = a_plan(world.now, world.academy_id, id=8000, slug="open", exclude_from_referral_program=False)
        put(world.table, plan)
        made(staff, **changes, currency="EUR")
        assert on_bag(world, "spring", plan="open") == ([], {"spring": "other-currency"})
        changed(staff, currency="USD")
        assert on_bag(world, "spring", plan="open") == (["spring"], {})


class TestLists:
    def test_are_newest_first_with_those_of_single_persons_last(self, staff: Clerk, world: World) -> None:
        own = own_coupon(ident=9, academy_id=world.academy_id, user_id=7, now=world.now)
        put(world.table, own, a_coupon(world.now, world.academy_id, id=8, slug="gift", allowed_user_id=7))
        for slug in ("b", "c", "a"):
            made(staff, slug=slug)
            world.advance(seconds=1)
        made(clerk_elsewhere(world), slug="theirs")
        assert listed(staff) == ["a", "c", "b", own.slug, "gift"]
        seen: list[str] = []
        path = f"{PATH}?limit=2"
        while path:
            page = staff.get(path)
            seen += [coupon["slug"] for coupon in page.json]
            link = page.headers.get("Link", "")
            path = link[1 : link.index(">")] if link else ""
        assert seen == ["a", "c", "b", own.slug, "gift"]
        assert listed(staff, "offset=1&limit=2") == ["c", "b"]

    def test_show_how_often_each_was_used(self, staff: Clerk, world: World) -> None:
        made(staff, how_many_offers=3)
        person = world.paying()
        assert person.pay(person.check("basic", coupons=["spring"]).json, chosen_period="MONTH").status == 200
        assert [coupon["times_used"] for coupon in staff.get(PATH).json] == [1]


class TestTenants:
    def test_never_meet(self, staff: Clerk, world: World) -> None:
        made(staff)
        other = clerk_elsewhere(world)
        before = everything(world)
        for method, body in (("GET", None), ("PUT", {"discount_value": 1}), ("DELETE", None)):
            refused(other.call(method, f"{PATH}/spring", body), 404, "coupon-not-found")
        assert everything(world) == before
        refused(other.post(PATH, {**COUPON, "plans": [BASIC]}), 404, "plan-not-found")
        assert made(other)["slug"] == "spring"

    @pytest.mark.parametrize(("method", "path"), [("POST", PATH), ("PUT", f"{PATH}/1"), ("DELETE", f"{PATH}/1")])
    def test_need_the_capability(self, world: World, method: str, path: str) -> None:
        reader = clerk(world, "read_subscription")
        assert reader.get(PATH).status == 200
        refused(reader.call(method, path, COUPON), 403, "permission-denied")
