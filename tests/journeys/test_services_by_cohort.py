"""Services that are sold for a cohort, or for a set of mentorship services, wherever it is."""

from __future__ import annotations

import pytest

from chalicelib.books.catalog.model import Cohort, ResourceSet, SetKind
from chalicelib.books.catalog.store import set_key
from tests.enrolling import change
from tests.shop import CHAT, COHORT_SET, COURSES, a_price, put
from tests.staffing import Clerk, clerk, clerk_elsewhere
from tests.world import Reply, World

PUBLIC = "/v1/payments/service"


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def slugs(answer: Reply) -> list[str]:
    assert answer.status == 200, answer.text
    return [service["slug"] for service in answer.json]


class TestServices:
    def test_are_those_of_any_academy_where_none_is_named(self, staff: Clerk, world: World) -> None:
        other = clerk_elsewhere(world)
        for ident, clerk_of, service in ((70, staff, COURSES), (80, other, CHAT)):
            at = clerk_of.academy_id
            rows = [
                Cohort(id=ident, academy_id=at, slug="miami", name="Miami"),
                ResourceSet(id=ident, academy_id=at, kind=SetKind.COHORT, slug="c", name="C", member_ids=(ident,)),
                a_price(at, id=ident, service_id=service, set_ids={SetKind.COHORT: (ident,)}),
            ]
            put(world.table, *rows)
        assert slugs(world.call("GET", f"{PUBLIC}?cohort_slug=miami")) == ["ai-chat", "all-courses"]
        assert slugs(world.call("GET", f"{PUBLIC}?cohort_slug=miami&academy={other.academy_id}")) == ["ai-chat"]
        assert slugs(world.call("GET", f"{PUBLIC}?mentorship_service_slug=mentors")) == ["mentorship-service"]
        assert slugs(world.call("GET", f"{PUBLIC}?cohort_slug=lisbon")) == []
        assert slugs(world.call("GET", f"{PUBLIC}?mentorship_service_slug=lisbon")) == []

    def test_follow_a_cohort_to_another_name(self, staff: Clerk, world: World) -> None:
        path = "/v1/admissions/academy/cohort"
        made = staff.post(path, {"slug": "miami", "name": "Miami", "available_as_saas": True}).json
        change(world, ResourceSet, set_key(world.academy_id, SetKind.COHORT, COHORT_SET), member_ids=(made["id"],))
        assert slugs(world.call("GET", f"{PUBLIC}?cohort_slug=miami")) == ["all-courses"]
        assert staff.put(f"{path}/{made['id']}", {"slug": "lisbon"}).status == 200
        assert slugs(world.call("GET", f"{PUBLIC}?cohort_slug=miami")) == []
        assert slugs(world.call("GET", f"{PUBLIC}?cohort_slug=lisbon")) == ["all-courses"]
