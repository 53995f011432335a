"""Services: who owns, sees and changes them, and what of them never changes (document 3)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog import operations as catalog
from chalicelib.books.catalog.model import Cohort, Group, Permission, PlanStatus, ResourceSet, ServiceType, SetKind
from chalicelib.dynamo.table import Table
from tests.shop import CHAT, COURSES, MENTORING, a_plan, a_price, a_service, put
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, every_page, everything, refused, table_calls
from tests.world import Reply, World

PATH = "/v1/payments/academy/service"
PUBLIC = "/v1/payments/service"
PRICES = "/v1/payments/academy/academyservice"
SERVICE = {
    "slug": "premium-mentorship",
    "title": "Premium Mentorship Sessions",
    "icon_url": "https://example.com/icon.png",
    "type": "MENTORSHIP_SERVICE_SET",
    "consumer": "JOIN_MENTORSHIP",
    "private": True,
    "session_duration": "3600",
}
GROUP = {"name": "Student", "permissions": [{"codename": "can_request_code_review", "name": "Can request code review"}]}


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def made(staff: Clerk, **changes: Any) -> Any:
    answer = staff.post(PATH, {**SERVICE, **changes})
    assert answer.status == 201, answer.text
    return answer.json


def slugs(answer: Reply) -> list[str]:
    assert answer.status == 200, answer.text
    return [service["slug"] for service in answer.json]


class TestMaking:
    def test_is_answered_as_the_document_shows_it(self, staff: Clerk, world: World) -> None:
        service = made(staff, groups=[GROUP])
        assert service == {
            **SERVICE,
            "id": service["id"],
            "description": "",
            "owner": {"id": world.academy_id, "name": "4Geeks Academy", "slug": "4geeks"},
            "session_duration": 3600,
            "groups": [GROUP],
        }
        assert staff.get(f"{PATH}/premium-mentorship").json == service
        assert staff.get(f"{PATH}/{service['id']}").json == service

    @pytest.mark.parametrize(
        ("type_sent", "type_kept"),
        [
            ("COHORT_SET", "COHORT_SET"),
            ("MENTORSHIP_SERVICE_SET", "MENTORSHIP_SERVICE_SET"),
            ("EVENT_TYPE_SET", "EVENT_TYPE_SET"),
            ("VOID", "VOID"),
            ("SEAT", "SEAT"),
            ("MENTORSHIP_SERVICE", "MENTORSHIP_SERVICE_SET"),
        ],
    )
    def test_takes_every_type_of_the_document(self, staff: Clerk, type_sent: str, type_kept: str) -> None:
        assert made(staff, type=type_sent)["type"] == type_kept
        assert {one.value for one in ServiceType} >= {type_kept}

    @pytest.mark.parametrize(
        "consumer",
        [
            "ADD_CODE_REVIEW",
            "LIVE_CLASS_JOIN",
            "EVENT_JOIN",
            "JOIN_MENTORSHIP",
            "READ_LESSON",
            "AI_INTERACTION",
            "NO_SET",
        ],
    )
    def test_takes_every_consumer_of_the_document(self, staff: Clerk, consumer: str) -> None:
        assert made(staff, consumer=consumer)["consumer"] == consumer

    @pytest.mark.parametrize(
        ("field", "value", "shown", "left_out"),
        [
            ("slug", "other-slug", "other-slug", None),
            ("title", "Other", "Other", None),
            ("icon_url", "https://example.com/a.png", "https://example.com/a.png", None),
            ("type", "VOID", "VOID", "COHORT_SET"),
            ("consumer", "READ_LESSON", "READ_LESSON", "NO_SET"),
            ("private", False, False, True),
            ("groups", [GROUP], [GROUP], []),
            ("session_duration", 1800, 1800, None),
            ("description", "Words", "Words", ""),
        ],
    )
    def test_takes_every_field_of_the_document(
        self, staff: Clerk, field: str, value: Any, shown: Any, left_out: Any
    ) -> None:
        smallest = {"slug": "smallest", "title": "Smallest"}
        assert made(staff, **{field: value})[field] == shown
        plain = staff.post(PATH, smallest)
        assert plain.status == 201 and plain.json[field] == smallest.get(field, left_out)

    @pytest.mark.parametrize(
        ("changes", "slug"),
        [
            ({"slug": "two words"}, "invalid-slug"),
            ({"slug": "under_score"}, "invalid-slug"),
            ({"slug": "ñandú"}, "invalid-slug"),
            ({"slug": "12345"}, "invalid-slug"),
            ({"slug": "---"}, "invalid-slug"),
            ({"slug": ""}, "invalid-slug"),
            ({"slug": "x" * 61}, "invalid-slug"),
            ({"slug": "ends\n"}, "invalid-slug"),
            ({"slug": 7}, "invalid-slug"),
            ({"slug": None}, "slug-required"),
            ({"slug": "ai-chat"}, "slug-already-exists"),
            ({"title": ""}, "invalid-request"),
            ({"title": None}, "invalid-request"),
            ({"type": "BUNDLE"}, "invalid-service-type"),
            ({"type": None}, "invalid-service-type"),
            ({"consumer": "EATING"}, "invalid-consumer"),
            ({"private": "yes"}, "invalid-request"),
            ({"icon_url": "javascript:alert(1)"}, "invalid-request"),
            ({"session_duration": 0}, "invalid-session-duration"),
            ({"session_duration": "-5"}, "invalid-session-duration"),
            ({"session_duration": "an hour"}, "invalid-session-duration"),
            ({"session_duration": 1.5}, "invalid-session-duration"),
            ({"session_duration": True}, "invalid-session-duration"),
            ({"session_duration": 10**9}, "invalid-session-duration"),
            ({"groups": [{"permissions": []}]}, "invalid-groups"),
            ({"groups": [GROUP, GROUP]}, "invalid-groups"),
        ],
    )
    def test_of_what_is_none_is_refused(self, staff: Clerk, world: World, changes: Any, slug: str) -> None:
        before = everything(world)
        refused(staff.post(PATH, {**SERVICE, **changes}), 400, slug)
        assert everything(world) == before

    def test_of_a_slug_belongs_to_one_academy_only(self, staff: Clerk, world: World) -> None:
        made(clerk_elsewhere(world))
        refused(staff.post(PATH, SERVICE), 400, "slug-already-exists")

    def test_is_for_the_academy_whatever_the_body_says(self, staff: Clerk, world: World) -> None:
        for owner in (None, 987):
            service = made(staff, slug=f"of-{owner}", owner=owner, owner_id=owner)
            assert service["owner"]["id"] == world.academy_id

    def test_is_audited(self, staff: Clerk, world: World) -> None:
        service = made(staff)
        staff.put(f"{PATH}/{service['slug']}", {"title": "Other"})
        staff.put(f"{PATH}/{service['slug']}", {"title": "Other"})  # changes nothing
        second, first = audited(world, f"service:{service['id']}")
        assert first[1] is None and first[2]["title"] == SERVICE["title"]
        assert (second[1]["title"], second[2]["title"]) == (SERVICE["title"], "Other")


class TestChanging:
    @pytest.mark.parametrize(
        "change",
        [
            {"title": "Other"},
            {"icon_url": None},
            {"private": False},
            {"session_duration": None},
            {"session_duration": 60},
            {"groups": [GROUP]},
            {"description": "Words"},
        ],
    )
    def test_is_partial(self, staff: Clerk, change: Any) -> None:
        service = made(staff)
        answer = staff.put(f"{PATH}/{service['id']}", change)
        assert answer.status == 200 and answer.json == {**service, **change}
        assert staff.get(f"{PATH}/{service['slug']}").json == answer.json

    def test_takes_the_whole_again(self, staff: Clerk) -> None:
        service = made(staff)
        answer = staff.put(f"{PATH}/{service['slug']}", {**SERVICE, "type": "MENTORSHIP_SERVICE"})
        assert answer.status == 200 and answer.json == service

    @pytest.mark.parametrize("change", [{"slug": "renamed"}, {"type": "VOID"}, {"consumer": "EVENT_JOIN"}])
    def test_of_what_units_were_granted_under_is_refused(self, staff: Clerk, world: World, change: Any) -> None:
        service = made(staff)
        before = everything(world)
        answer = staff.put(f"{PATH}/{service['slug']}", {"title": "Other", **change})
        refused(answer, 400, "service-field-immutable")
        assert next(iter(change)) in answer.json["detail"]
        assert everything(world) == before

    def test_moves_it_between_the_lists(self, staff: Clerk, world: World) -> None:
        service = made(staff)
        other = clerk_elsewhere(world)
        for private in (False, True):
            assert staff.put(f"{PATH}/{service['slug']}", {"private": private}).status == 200
            lists = (
                slugs(world.call("GET", f"{PUBLIC}?limit=100")),
                slugs(other.get(f"{PATH}?limit=100")),
            )
            assert [service["slug"] in found for found in lists] == [not private] * 2
            assert slugs(staff.get(f"{PATH}?limit=100")).count(service["slug"]) == 1
            assert (other.get(f"{PATH}/{service['slug']}").status == 404) is private

    def test_by_two_at_once_loses_neither_change(self, staff: Clerk) -> None:
        path = f"{PATH}/{made(staff)['slug']}"
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk == "SERVICE" and not raced:
                raced.append(True)
                assert staff.put(path, {"private": False}).status == 200
            return row

        with patch.object(Table, "get", get):
            assert staff.put(path, {"title": "Other"}).status == 200
        assert (staff.get(path).json["title"], staff.get(path).json["private"]) == ("Other", False)


class TestTenants:
    def test_never_see_anothers_private_service(self, staff: Clerk, world: World) -> None:
        service = made(staff)
        other = clerk_elsewhere(world)
        before = everything(world)
        for ref in (service["slug"], service["id"]):
            refused(other.get(f"{PATH}/{ref}"), 404, "service-not-found")
            refused(other.put(f"{PATH}/{ref}", {"title": "mine"}), 404, "service-not-found")
        assert service["slug"] not in slugs(other.get(f"{PATH}?limit=100"))
        assert service["slug"] not in slugs(other.get(f"{PUBLIC}?limit=100"))
        assert everything(world) == before

    @pytest.mark.parametrize("owned", [True, False], ids=["of another academy", "of nobody"])
    def test_see_a_public_one_and_change_it_not(self, staff: Clerk, world: World, owned: bool) -> None:
        slug = made(staff, private=False)["slug"] if owned else "ai-chat"
        other = clerk_elsewhere(world)
        assert other.get(f"{PATH}/{slug}").status == 200
        before = everything(world)
        refused(other.put(f"{PATH}/{slug}", {"title": "mine"}), 403, "not-the-owner")
        assert everything(world) == before

    def test_leave_what_is_nobodys_to_operators(self, staff: Clerk, world: World) -> None:
        operator = Clerk(world.person(operator=True), world.academy_id)
        assert operator.put(f"{PATH}/{CHAT}", {"title": "Chats"}).json["title"] == "Chats"
        assert operator.get(f"{PATH}/ai-chat").json["owner"] is None
        theirs = made(clerk_elsewhere(world), private=False)["slug"]
        refused(operator.put(f"{PATH}/{theirs}", {"title": "mine"}), 403, "not-the-owner")

    def test_need_the_capability(self, world: World) -> None:
        reader = clerk(world, "read_service")
        assert reader.get(PATH).status == 200
        refused(reader.post(PATH, SERVICE), 403, "permission-denied")
        refused(reader.put(f"{PATH}/ai-chat", {}), 403, "permission-denied")
        refused(clerk(world, "crud_service").get(PATH), 403, "permission-denied")

    def test_find_nothing_where_there_is_nothing(self, staff: Clerk) -> None:
        for ref in ("nothing", "987654"):
            refused(staff.get(f"{PATH}/{ref}"), 404, "service-not-found")
            refused(staff.put(f"{PATH}/{ref}", {"title": "x"}), 404, "service-not-found")


class TestLists:
    def test_are_the_own_ones_then_nobodys_then_the_public_ones(self, staff: Clerk, world: World) -> None:
        made(staff, slug="first")
        world.advance(seconds=1)
        made(staff, slug="second")
        found = slugs(staff.get(f"{PATH}?limit=100"))
        assert found[:3] == ["second", "first", "events"]
        assert sorted(found[3:]) == ["ai-chat", "all-courses", "mentorship-service", "seat"]

    def test_come_in_pages_that_end(self, staff: Clerk, world: World) -> None:
        for number in range(3):
            made(staff, slug=f"own-{number}")
            world.advance(seconds=1)
        whole = slugs(staff.get(f"{PATH}?limit=100"))
        for path in (PATH, PUBLIC):
            assert len(staff.get(f"{path}?limit=2").json) == 2
            assert [service["slug"] for service in every_page(staff, f"{path}?limit=2")] == whole

    @pytest.mark.parametrize("path", [PATH, PUBLIC])
    def test_are_filtered_by_group(self, staff: Clerk, world: World, path: str) -> None:
        group = Group(name="Student", permissions=(Permission(name="Can", codename="can_review"),))
        put(world.table, a_service(id=500, slug="grouped", groups=(group,)))
        for name, found in (("Student", ["grouped"]), ("can_review", ["grouped"]), ("Teacher", [])):
            assert slugs(staff.get(f"{path}?group={name}")) == found

    @pytest.mark.parametrize("path", [PATH, PUBLIC])
    def test_are_filtered_by_cohort_and_by_mentorships(self, staff: Clerk, world: World, path: str) -> None:
        academy = world.academy_id
        rows = [
            Cohort(id=70, academy_id=academy, slug="miami", name="Miami"),
            ResourceSet(id=71, academy_id=academy, kind=SetKind.COHORT, slug="c", name="C", member_ids=(70,)),
            a_plan(world.now, academy, id=8000, slug="miamis", cohort_set_id=71),
            a_price(academy, id=903, service_id=COURSES, set_ids={SetKind.COHORT: (71,)}),
        ]
        put(world.table, *rows)
        assert slugs(staff.get(f"{path}?cohort_slug=miami")) == ["all-courses"]
        assert slugs(staff.get(f"{path}?mentorship_service_slug=mentors")) == ["mentorship-service"]
        assert slugs(staff.get(f"{path}?cohort_slug=miami&mentorship_service_slug=mentors")) == []
        assert slugs(staff.get(f"{path}?cohort_slug=lisbon")) == []
        assert slugs(clerk_elsewhere(world).get(f"{path}?cohort_slug=miami")) == []

    def test_by_cohort_show_drafts_to_staff_only(self, staff: Clerk, world: World) -> None:
        cohorts = ResourceSet(
            id=71, academy_id=world.academy_id, kind=SetKind.COHORT, slug="c", name="C", member_ids=(70,)
        )
        put(world.table, Cohort(id=70, academy_id=world.academy_id, slug="miami", name="Miami"), cohorts)
        draft = a_plan(world.now, world.academy_id, id=8000, slug="m", cohort_set_id=71, status=PlanStatus.DRAFT)
        put(world.table, draft)
        assert slugs(staff.get(f"{PATH}?cohort_slug=miami")) == ["all-courses"]
        assert slugs(staff.get(f"{PUBLIC}?cohort_slug=miami")) == []

    def test_cost_a_query_and_the_owners_of_what_they_show(self, staff: Clerk, world: World) -> None:
        put(
            world.table,
            *(a_service(id=1000 + n, slug=f"s{n}", private=True, owner_id=staff.academy_id) for n in range(30)),
        )
        with table_calls() as calls:
            assert len(slugs(staff.get(PATH))) == 20
        assert (calls["Query"], calls["BatchGetItem"], calls["Scan"]) == (1, 1, 0)


class TestTheThreeEndpoints:
    """Document 3, "Three Endpoints Comparison", row by row."""

    def test_auth_is_required_but_for_the_public_one(self, world: World) -> None:
        assert [world.call("GET", path).status for path in (PUBLIC, PATH, PRICES)] == [200, 401, 401]

    def test_capabilities_are_these(self, world: World) -> None:
        headers = {"Academy": str(world.academy_id)}
        nobody = world.person()
        assert [nobody.get(path, **headers).status for path in (PUBLIC, PATH, PRICES)] == [200, 403, 403]
        for capability, statuses in (
            ("read_service", (200, 200, 403)),
            ("read_academyservice", (200, 403, 200)),
        ):
            reader = clerk(world, capability)
            assert tuple(reader.get(path).status for path in (PUBLIC, PATH, PRICES)) == statuses
            assert [reader.post(path, {}).status for path in (PATH, PRICES)] == [403, 403]

    def test_private_ones_are_shown_with_the_capability_only(self, world: World) -> None:
        reader = clerk(world, "read_service")
        assert "events" not in slugs(world.call("GET", f"{PUBLIC}?limit=100"))
        assert "events" not in slugs(clerk(world, "read_invoice").get(f"{PUBLIC}?limit=100"))
        assert "events" in slugs(reader.get(f"{PUBLIC}?limit=100"))
        assert "events" in slugs(reader.get(f"{PATH}?limit=100"))

    @pytest.mark.parametrize("field", ["price_per_unit", "discount_ratio"])
    def test_pricing_and_discounts_are_the_academys(self, staff: Clerk, field: str) -> None:
        shown = [all(field in row for row in staff.get(path).json) for path in (PUBLIC, PATH, PRICES)]
        assert shown == [False, False, True]

    def test_the_public_one_creates_nothing(self, staff: Clerk) -> None:
        with pytest.raises(LookupError):
            staff.post(PUBLIC, SERVICE)
        assert staff.post(PATH, SERVICE).status == 201
        price = {"service": SERVICE["slug"], "currency": "USD", "price_per_unit": 1}
        assert staff.post(PRICES, price).status == 201

    def test_ownership_is_shared_or_the_academys(self, staff: Clerk, world: World) -> None:
        theirs = made(clerk_elsewhere(world), private=False)["slug"]
        assert theirs in slugs(world.call("GET", f"{PUBLIC}?limit=100"))
        assert theirs in slugs(staff.get(f"{PATH}?limit=100"))
        assert {price["academy"]["id"] for price in staff.get(PRICES).json} == {world.academy_id}
        assert MENTORING in [price["service"]["id"] for price in staff.get(PRICES).json]


def test_a_service_of_an_older_release_is_still_found(staff: Clerk, world: World) -> None:
    catalog.create(world.table, a_service(id=600, slug="under_score"))
    assert staff.get(f"{PATH}/under_score").json["id"] == 600
