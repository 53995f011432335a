"""What the queries of services, service items and their prices find, and what beside it they must not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.model import Cohort, PlanItem, PlanStatus, ResourceSet, ServiceType, SetKind
from chalicelib.books.catalog.operations import creation
from chalicelib.books.catalog.service_items import ItemNotFound
from chalicelib.kernel.pages import Page
from tests.conformance.cases import rows_of
from tests.conformance.queries import Asked
from tests.conformance.things import ACADEMY, NOW
from tests.shop import CHAT, a_plan, a_price, a_service, an_item

OTHER = ACADEMY + 1
OFFERED = {PlanStatus.ACTIVE}
COHORTS = ResourceSet(id=5, academy_id=ACADEMY, kind=SetKind.COHORT, slug="cohorts", name="C", member_ids=(7,))
MENTORS = ResourceSet(id=6, academy_id=ACADEMY, kind=SetKind.MENTORSHIP_SERVICE, slug="mentors", name="M")
OWN = a_service(id=94, slug="own", private=True, owner_id=ACADEMY)
COURSES = a_service(id=96, slug="courses", type=ServiceType.COHORT_SET)
PRICES = (a_price(ACADEMY, set_ids={SetKind.COHORT: (5,)}, service_id=CHAT), a_price(ACADEMY, id=901, service_id=94))
PLAN = a_plan(
    NOW,
    ACADEMY,
    items=tuple(PlanItem(link_id=number, item_id=number, service_id=number) for number in (94, 96)),
    cohort_set_id=5,
    mentorship_service_set_id=None,
)
ROWS = rows_of(
    *creation(a_service()),
    *creation(OWN),
    *creation(a_service(id=95, slug="hidden", private=True, owner_id=OTHER)),
    *creation(COURSES),
    *creation(an_item(id=1)),
    *creation(an_item(id=2, service_id=94, owner_id=ACADEMY)),
    *creation(an_item(id=3, service_id=95)),
    *creation(an_item(id=4, service_id=94, owner_id=OTHER)),
    *creation(an_item(id=5, service_id=95, owner_id=ACADEMY)),
    *creation(COHORTS),
    *creation(MENTORS),
    *creation(Cohort(id=7, academy_id=ACADEMY, slug="miami", name="Miami")),
    *creation(PRICES[0]),
    *creation(PRICES[1]),
    *creation(a_price(OTHER, id=902)),
    *creation(PLAN),
    *creation(a_plan(NOW, ACADEMY, id=2, slug="draft", status=PlanStatus.DRAFT, mentorship_service_set_id=6)),
)


def pages(read: Callable[[str | None], Page[Any]]) -> list[Any]:
    """Everything of a list, a page after the other."""
    found: list[Any] = []
    cursor: str | None = None
    while True:
        page = read(cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


def seen(academy_id: int, ref: int | str) -> Asked:
    return Asked(
        of=catalog.visible_service,
        name=f"{ref} for {academy_id}",
        rows=ROWS,
        ask=lambda table: catalog.visible_service(table, academy_id, ref).id,
        **(
            {"answer": {"own": 94}.get(str(ref), ref)}
            if academy_id == ACADEMY
            else {"refused": catalog.ServiceNotFound}
        ),
    )


ASKED = (
    seen(ACADEMY, "own"),
    seen(ACADEMY, CHAT),
    seen(OTHER, "own"),
    seen(OTHER, 94),
    Asked(
        of=catalog.services_by_id,
        name="those that there are",
        rows=ROWS,
        ask=lambda table: catalog.services_by_id(table, [94, CHAT, 99]),
        answer={94: OWN, CHAT: a_service()},
    ),
    Asked(
        of=catalog.items_of,
        name="of an academy, newest first",
        rows=ROWS,
        ask=lambda table: [
            (item.id, service.id)
            for item, service in pages(
                lambda cursor: catalog.items_of(table, ACADEMY, reader=ACADEMY, limit=1, cursor=cursor)
            )
        ],
        answer=[(5, 95), (2, 94)],
    ),
    Asked(
        of=catalog.items_of,
        name="of everyone, but for services that are hidden",
        rows=ROWS,
        ask=lambda table: [
            [item.id for item, _ in catalog.items_of(table, None, reader=reader, limit=9).items]
            for reader in (ACADEMY, OTHER)
        ],
        answer=[[1], [3, 1]],
    ),
    Asked(
        of=catalog.item_and_service,
        name="an own one",
        rows=ROWS,
        ask=lambda table: catalog.item_and_service(table, ACADEMY, 2),
        answer=(an_item(id=2, service_id=94, owner_id=ACADEMY), OWN),
    ),
    *(
        Asked(
            of=catalog.item_and_service,
            name=f"{ident}, which is not for this academy",
            rows=ROWS,
            ask=lambda table, ident=ident: catalog.item_and_service(table, ACADEMY, ident),  # type: ignore[misc]
            refused=ItemNotFound,
        )
        for ident in (3, 4, 9)
    ),
    Asked(
        of=catalog.service_items_by_id,
        name="those that the academy may link, in order",
        rows=ROWS,
        ask=lambda table: [item.id for item in catalog.service_items_by_id(table, ACADEMY, [9, 5, 4, 2, 3, 1, 2])],
        answer=[2, 1],
    ),
    Asked(
        of=catalog.prices,
        name="page by page, newest first",
        rows=ROWS,
        ask=lambda table: pages(lambda cursor: catalog.prices(table, ACADEMY, limit=1, cursor=cursor)),
        answer=[*reversed(PRICES)],
    ),
    Asked(
        of=catalog.priced_with_sets,
        name="each with its own sets",
        rows=ROWS,
        ask=lambda table: [
            (one.service.id, [found.id for found in one.sets]) for one in catalog.priced_with_sets(table, PRICES)
        ],
        answer=[(CHAT, [5]), (94, [])],
    ),
    Asked(
        of=catalog.set_ids_for,
        name="a cohort, and a set of mentorship services",
        rows=ROWS,
        ask=lambda table: [
            catalog.set_ids_for(table, academy, kind=kind, slug=slug)
            for academy, kind, slug in (
                (ACADEMY, SetKind.COHORT, "miami"),
                (ACADEMY, SetKind.COHORT, "cohorts"),
                (ACADEMY, SetKind.MENTORSHIP_SERVICE, "mentors"),
                (ACADEMY, SetKind.EVENT_TYPE, "mentors"),
                (OTHER, SetKind.COHORT, "miami"),
            )
        ],
        answer=[{5}, set(), {6}, set(), set()],
    ),
)
