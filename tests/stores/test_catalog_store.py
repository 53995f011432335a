"""The catalog's rows: slugs that belong to one row, versions, and coupons that run out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.books.catalog import coupon_queries, coupon_store, operations, queries, store
from chalicelib.books.catalog.coupon_store import CouponUsedUp
from chalicelib.books.catalog.model import (
    Cohort,
    Coupon,
    FinancingOption,
    ResourceSet,
    ServicePrice,
    SetKind,
)
from chalicelib.books.catalog.referrals import own_coupon
from chalicelib.books.catalog.store import AcademyServiceExists, ChangedMeanwhile, SlugTaken
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Unexpected, commit
from chalicelib.kernel.documents import Document
from tests.billing_rows import ACADEMY, NOW, USER
from tests.moto_table import all_rows
from tests.refusals import assert_refused
from tests.shop import (
    BASIC,
    BOOTCAMP,
    CHAT,
    COURSES,
    SEAT,
    TEAM,
    a_coupon,
    a_plan,
    a_price,
    a_service,
    an_item,
    open_shop,
)


def an_option(**changed: Any) -> FinancingOption:
    values = {"id": 10, "academy_id": ACADEMY, "monthly_price": 1, "how_many_months": 2, "currency": "USD"}
    return FinancingOption.model_validate(values | changed)


ROWS: list[Document] = [
    a_service(),
    an_item(),
    a_plan(NOW, ACADEMY),
    a_price(ACADEMY),
    an_option(),
    ResourceSet(id=5, academy_id=ACADEMY, kind=SetKind.COHORT, slug="c", name="C"),
    Cohort(id=6, academy_id=ACADEMY, slug="c", name="C"),
]


def name_of(row: Document) -> str:
    return type(row).__name__


class TestARow:
    @pytest.mark.parametrize("row", [row for row in ROWS if not isinstance(row, ServicePrice)], ids=name_of)
    def test_with_an_id_that_is_taken_is_a_defect(self, table: Table, row: Document) -> None:
        commit(table, [store.new(row)])
        assert_refused(table, [store.new(row)], Unexpected, f"two {type(row).__name__} rows with one id")

    def test_of_a_second_price_of_a_service_is_refused(self, table: Table) -> None:
        operations.create(table, a_price(ACADEMY))
        assert_refused(table, [store.new(a_price(ACADEMY, id=901))], AcademyServiceExists, "has a price")
        operations.create(table, a_price(ACADEMY + 1))

    @pytest.mark.parametrize("row", ROWS, ids=name_of)
    def test_is_changed_by_whoever_read_it_last(self, table: Table, row: Document) -> None:
        assert_refused(table, [store.changed(row, version=1)], ChangedMeanwhile)
        commit(table, [store.new(row)])
        commit(table, [store.changed(row, version=1)])
        for version in (0, 1, 3):
            assert_refused(table, [store.changed(row, version=version)], ChangedMeanwhile)
        found = table.get(store.key_of(row))
        assert found is not None
        assert (type(row).model_validate_json(found.doc), found.version) == (row, 2)

    def test_of_another_kind_has_no_place(self) -> None:
        with pytest.raises(TypeError, match="is no catalog row"):
            store.key_of(Document())


class TestSlugs:
    def test_of_a_plan_belong_to_it_for_ever(self, table: Table) -> None:
        operations.create(table, a_plan(NOW, ACADEMY))
        other = a_plan(NOW, ACADEMY + 1, id=BOOTCAMP)
        assert_refused(table, operations.creation(other), SlugTaken, "The slug basic is taken")
        assert queries.plan(table, "basic", now=NOW).id == queries.plan(table, BASIC, now=NOW).id == BASIC

    def test_of_a_service_belong_to_it_for_ever(self, table: Table) -> None:
        operations.create(table, a_service())
        assert_refused(table, operations.creation(a_service(id=94)), SlugTaken, "The slug ai-chat is taken")
        assert queries.service_id(table, "ai-chat") == CHAT

    def test_of_a_coupon_are_its_academys(self, table: Table) -> None:
        operations.create(table, a_coupon(NOW, ACADEMY))
        assert_refused(table, operations.creation(a_coupon(NOW, ACADEMY, id=501)), SlugTaken, "The slug half is taken")
        operations.create(table, a_coupon(NOW, ACADEMY + 1, id=501))

    def test_that_nobody_has_find_nothing(self, table: Table) -> None:
        for ref in ("basic", BASIC):
            with pytest.raises(queries.PlanNotFound):
                queries.plan(table, ref, now=NOW)
            with pytest.raises(queries.ServiceNotFound):
                queries.service(table, ref)

    def test_of_a_plan_name_its_academy_once_and_for_all(self, table: Table) -> None:
        operations.create(table, a_plan(NOW, ACADEMY))
        row = table.get(store.slug_key("plan", "basic"))
        assert row is not None
        assert store.claimed(row) == (BASIC, ACADEMY)


def used(table: Table, coupon: Coupon) -> tuple[int, int]:
    """How often it was used in total, and by this person."""
    rows = [table.get(store.key_of(coupon)), table.get(coupon_store.person_coupon_key(USER, coupon.id))]
    total, by_person = (0 if row is None else coupon_queries.used_of(row) for row in rows)
    return total, by_person


class TestACoupon:
    def coupon(self, table: Table, **changed: Any) -> Coupon:
        made = a_coupon(NOW, ACADEMY, **({"how_many_offers": 2, "how_many_per_person": 1} | changed))
        operations.create(table, made)
        return made

    def test_runs_out_in_total(self, table: Table) -> None:
        coupon = self.coupon(table)
        for user_id in (USER, USER + 1):
            commit(table, coupon_store.take_coupon(coupon, user_id))
        assert used(table, coupon) == (2, 1)
        error = assert_refused(table, coupon_store.take_coupon(coupon, USER + 2), CouponUsedUp)
        assert "half was used up" in str(error)

    def test_runs_out_for_a_person(self, table: Table) -> None:
        coupon = self.coupon(table)
        commit(table, coupon_store.take_coupon(coupon, USER))
        assert_refused(table, coupon_store.take_coupon(coupon, USER), CouponUsedUp)
        assert used(table, coupon) == (1, 1)

    def test_without_a_limit_is_counted_for_the_person_only(self, table: Table) -> None:
        """So that a sale does not queue at one row."""
        coupon = self.coupon(table, how_many_offers=-1)
        assert len(coupon_store.take_coupon(coupon, USER)) == 1
        commit(table, coupon_store.take_coupon(coupon, USER))
        assert used(table, coupon) == (0, 1)
        assert_refused(table, coupon_store.take_coupon(coupon, USER), CouponUsedUp)

    @pytest.mark.parametrize("offers", [2, -1])
    def test_that_is_given_back_can_be_taken_again(self, table: Table, offers: int) -> None:
        coupon = self.coupon(table, how_many_offers=offers)
        commit(table, coupon_store.take_coupon(coupon, USER))
        commit(table, coupon_store.return_coupon(coupon, USER))
        assert used(table, coupon) == (0, 0)
        commit(table, coupon_store.take_coupon(coupon, USER))

    @pytest.mark.parametrize("offers", [2, -1])
    def test_that_was_not_taken_is_not_given_back(self, table: Table, offers: int) -> None:
        coupon = self.coupon(table, how_many_offers=offers)
        assert_refused(table, coupon_store.return_coupon(coupon, USER), Unexpected, "given back was taken")
        commit(table, coupon_store.take_coupon(coupon, USER))
        commit(table, coupon_store.return_coupon(coupon, USER))
        assert_refused(table, coupon_store.return_coupon(coupon, USER), Unexpected, "given back was taken")

    def test_is_listed_with_its_uses(self, table: Table) -> None:
        coupon = self.coupon(table)
        commit(table, coupon_store.take_coupon(coupon, USER))
        assert coupon_queries.coupons(table, ACADEMY, limit=9).items == ((coupon, 1),)
        assert coupon_queries.coupons(table, ACADEMY + 1, limit=9).items == ()

    def test_that_was_revoked_is_used_up_for_whoever_was_quoted_it(self, table: Table) -> None:
        coupon = self.coupon(table)
        commit(table, operations.change(coupon, coupon.model_copy(update={"revoked": True}), version=1))
        assert_refused(table, coupon_store.take_coupon(coupon, USER), CouponUsedUp)
        revoked = coupon_queries.coupon(table, ACADEMY, "half")
        assert revoked is not None and revoked.coupon.revoked
        commit(table, operations.change(revoked.coupon, coupon, version=2))
        commit(table, coupon_store.take_coupon(coupon, USER))

    def test_that_is_automatic_is_found_until_it_expires_or_is_not_any_more(self, table: Table) -> None:
        coupon = self.coupon(table, auto=True)
        later = coupon.model_copy(update={"expires_at": NOW + timedelta(days=2)})
        personal = later.model_copy(update={"allowed_user_id": USER})
        steps = ((coupon, (True, True)), (later, (True, False)), (personal, (False, False)), (coupon, (True, True)))
        before = coupon
        for version, (after, found) in enumerate(steps, 1):
            commit(table, operations.change(before, after, version=version))
            days = (1, 3)
            assert tuple(self.automatic(table, day) == ("half",) for day in days) == found
            before = after

    def automatic(self, table: Table, day: int) -> tuple[str, ...]:
        return coupon_queries.automatic_coupons(table, ACADEMY, NOW + timedelta(days=day))

    def test_stands_in_the_list_of_whom_it_is_for(self, table: Table) -> None:
        everybodys = self.coupon(table)
        personal = self.coupon(table, id=501, slug="gift", allowed_user_id=USER)
        own = own_coupon(ident=502, academy_id=ACADEMY, user_id=USER, now=NOW)
        operations.create(table, own)
        assert slugs(coupon_queries.coupons(table, ACADEMY, limit=9)) == ["half"]
        assert slugs(coupon_queries.other_coupons(table, ACADEMY, limit=9)) == [own.slug, "gift"]
        assert slugs(coupon_queries.persons_coupons(table, USER, limit=9)) == ["gift"]
        commit(table, operations.change(personal, personal.model_copy(update={"allowed_user_id": None}), version=1))
        assert slugs(coupon_queries.coupons(table, ACADEMY, limit=9)) == ["gift", "half"]
        assert slugs(coupon_queries.persons_coupons(table, USER, limit=9)) == []
        assert everybodys.slug == "half"


def slugs(page: Any) -> list[str]:
    return [found.coupon.slug for found in page.items]


class TestReads:
    @pytest.fixture
    def shop(self, table: Table) -> Table:
        open_shop(table, ACADEMY, NOW)
        return table

    def test_of_an_offer_have_all_that_selling_needs(self, shop: Table) -> None:
        offer = queries.offer(shop, queries.plan(shop, "team", now=NOW), add_ons=[CHAT])
        assert [item.item.id for item in offer.items] == [1, 2, 3]
        assert offer.seat_price is not None
        assert (offer.seat_price.service_id, offer.add_on_prices[0].service_id) == (SEAT, CHAT)
        assert {found.kind for found in offer.sets} == {SetKind.MENTORSHIP_SERVICE, SetKind.COHORT}
        assert offer.set_of(offer.items[2].service) == offer.sets[0]
        assert offer.items[2].service.id == COURSES

    def test_of_an_offer_refuse_what_has_no_price(self, shop: Table) -> None:
        with pytest.raises(queries.PriceNotFound):
            queries.offer(shop, queries.plan(shop, TEAM, now=NOW), add_ons=[COURSES])

    @pytest.mark.parametrize("ref", [COURSES, "all-courses"])
    def test_of_a_price_refuse_what_is_not_sold(self, shop: Table, ref: int | str) -> None:
        with pytest.raises(queries.PriceNotFound):
            queries.service_and_price(shop, ref, ACADEMY)

    def test_of_a_price_to_buy_by_itself_refuse_seats(self, shop: Table) -> None:
        rows = shop.get_many([store.service_key(SEAT), store.price_key(ACADEMY, SEAT)])
        with pytest.raises(queries.PriceNotFound):
            queries.priced_service(rows, SEAT, ACADEMY, "seat")
        assert queries.service_and_price(shop, "seat", ACADEMY)[1].service_id == SEAT

    def test_of_plans_go_on_after_their_page(self, table: Table) -> None:
        for number in range(5):
            operations.create(table, a_plan(NOW, ACADEMY, id=number + 1, slug=f"p{number}"))
        seen: list[int] = []
        cursor: str | None = None
        for limit in (2, 2, 1):
            page = queries.plans(table, ACADEMY, limit=limit, now=NOW, cursor=cursor)
            assert len(page.items) == limit
            seen += [plan.id for plan in page.items]
            cursor = page.next_cursor
        assert seen == [5, 4, 3, 2, 1]

    def test_of_several_offers_are_those_of_each(self, shop: Table) -> None:
        plans = [queries.plan(shop, slug, now=NOW) for slug in ("team", "bootcamp", "free")]
        assert queries.offers(shop, plans) == [queries.offer(shop, plan) for plan in plans]
        whole = [queries.offer(shop, plan, add_ons=plan.add_on_service_ids) for plan in plans]
        assert queries.whole_offers(shop, plans) == whole and any(offer.add_on_prices for offer in whole)

    def test_of_services_are_of_their_list(self, shop: Table) -> None:
        public = queries.services(shop, "public", limit=9)
        assert sorted(service.slug for service in public.items) == [
            "ai-chat",
            "all-courses",
            "mentorship-service",
            "seat",
        ]
        assert [service.slug for service in queries.services(shop, "private#0", limit=9).items] == ["events"]

    def test_of_sets_leave_unknown_ones_out(self, shop: Table) -> None:
        assert [found.slug for found in queries.sets(shop, ACADEMY, SetKind.COHORT, [5, 6])] == ["cohorts"]
        assert queries.sets(shop, ACADEMY + 1, SetKind.COHORT, [5]) == ()

    def test_leave_nothing_behind(self, shop: Table) -> None:
        before = all_rows(shop)
        queries.service_items(shop, queries.plan(shop, BASIC, now=NOW))
        assert all_rows(shop) == before
