"""Lists of an academy's plans: filtered, in pages that lose nothing (document 3, 1)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.books.catalog import operations as catalog
from chalicelib.books.catalog.model import Cohort, ResourceSet, SetKind
from tests.journeys.test_staff_plans import PATH, made, slugs
from tests.shop import a_plan
from tests.staffing import Clerk, clerk, refused
from tests.world import World


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


class TestLists:
    def test_are_filtered(self, staff: Clerk, world: World) -> None:
        made(staff, slug="onboarding", currency="EUR")
        assert slugs(staff, "currency__code=eur") == ["onboarding"]
        assert slugs(staff, "is_onboarding=true") == ["onboarding"]
        assert "onboarding" not in slugs(staff, "is_onboarding=false")
        assert slugs(staff, "status=DRAFT") == ["onboarding"]
        assert "onboarding" not in slugs(staff, "status=ACTIVE,UNLISTED") and "basic" in slugs(staff, "status=active")
        assert "onboarding" not in slugs(staff, "service_slug=ai-chat") and "basic" in slugs(
            staff, "service_slug=ai-chat"
        )
        assert slugs(staff, "service_slug=nothing") == []
        refused(staff.get(f"{PATH}?status=LIVE"), 400, "invalid-status")

    def test_of_a_cohort_have_the_plans_with_it(self, staff: Clerk, world: World) -> None:
        rows: dict[str, Any] = {"academy_id": world.academy_id, "name": "Any"}
        for ident, syllabus in ((1428, "full-stack"), (1429, None)):
            cohort = Cohort(id=ident, slug=f"c{ident}", available_as_saas=True, syllabus=syllabus, **rows)
            catalog.create(world.table, cohort)
        for ident, members in ((801, (1428, 1429)), (802, (1429,))):
            found = ResourceSet(id=ident, kind=SetKind.COHORT, slug=f"s{ident}", member_ids=members, **rows)
            catalog.create(world.table, found)
            made(staff, slug=f"plan-{ident}", cohort_set=ident)
        assert sorted(slugs(staff, "cohort=1429")) == ["plan-801", "plan-802"]
        assert slugs(staff, "cohort=1428") == slugs(staff, "syllabus=full-stack") == ["plan-801"]
        assert slugs(staff, "cohort=1429&syllabus=full-stack") == []
        assert slugs(staff, "cohort=987654321") == slugs(staff, "syllabus=nothing") == []
        shown = staff.get(f"{PATH}/plan-801").json["cohort_set"]
        assert (shown["id"], [cohort["id"] for cohort in shown["cohorts"]]) == (801, [1428, 1429])

    def test_that_are_filtered_are_whole_in_every_page(self, staff: Clerk, world: World) -> None:
        """One in sixty is wanted, among more plans than one read has."""
        for number in range(360):
            wanted = {"currency": "EUR"} if number % 60 == 0 else {}
            plan = a_plan(world.now, world.academy_id, id=20_000 + number, slug=f"many-{number}", **wanted)
            catalog.create(world.table, plan)
        whole = slugs(staff, "currency__code=EUR")
        assert whole == [f"many-{number}" for number in range(300, -1, -60)]
        for limit in (1, 4, 5, 6):
            for offset in range(7):
                page = staff.get(f"{PATH}?currency__code=EUR&limit={limit}&offset={offset}").json
                assert [plan["slug"] for plan in page] == whole[offset : offset + limit], (limit, offset)

    def test_come_in_pages(self, staff: Clerk) -> None:
        whole = slugs(staff)
        seen: list[str] = []
        path: str | None = f"{PATH}?limit=2"
        while path is not None:
            page = staff.get(path)
            seen += [plan["slug"] for plan in page.json]
            link = page.headers.get("Link")
            path = None if link is None else link[1 : link.index(">")]
        assert seen == whole and len(whole) > 4
        assert [plan["slug"] for plan in staff.get(f"{PATH}?limit=2&offset=1").json] == whole[1:3]
