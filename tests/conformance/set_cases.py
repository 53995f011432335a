"""Sets, cohorts and plan offers: slugs, claims, what moves an academy's links. Every write and every query."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.books.catalog import queries, set_queries, store
from chalicelib.books.catalog.model import Cohort, PlanOffer, ResourceSet, SetKind
from chalicelib.books.catalog.operations import creation
from chalicelib.dynamo.table import InvalidCursor
from chalicelib.dynamo.writes import Unexpected
from tests.conformance.cases import Case, rows_of
from tests.conformance.queries import Asked, by_page
from tests.conformance.things import ACADEMY, NOW, SECOND
from tests.shop import a_plan

OTHER = ACADEMY + 1
EVENTS = SetKind.EVENT_TYPE


def a_set(**changed: Any) -> ResourceSet:
    values = {"id": 5, "academy_id": ACADEMY, "kind": SetKind.COHORT, "slug": "s5", "name": "S"}
    return ResourceSet.model_validate(values | changed)


def a_cohort(ident: int = 6, **changed: Any) -> Cohort:
    return Cohort.model_validate({"id": ident, "academy_id": ACADEMY, "slug": f"c{ident}", "name": "C"} | changed)


def an_offer(ident: int = 1, **changed: Any) -> PlanOffer:
    values = {"id": ident, "academy_id": ACADEMY, "original_plan_id": 1, "suggested_plan_id": 2}
    return PlanOffer.model_validate(values | changed)


def claimed(offer: PlanOffer) -> list[Any]:
    return [store.offer_claimed(offer, now=NOW)]


CLAIM, COHORT_CLAIM = store.own_slug_claim(a_set()), store.own_slug_claim(a_cohort())
ELSEWHERE = (a_set(academy_id=OTHER, kind=EVENTS), a_cohort(academy_id=OTHER))
LINKS = store.links_key(ACADEMY)
MOVED = [store.links_moved_from(ACADEMY, version=3)]
LIVE = store.live_offer_key(ACADEMY, 1)
FOR_GOOD, UNTIL = an_offer(), an_offer(expires_at=NOW + timedelta(seconds=9))

CASES = (
    Case(of=store.own_slug_claim, name="where there is none", writes=[CLAIM, COHORT_CLAIM]),
    Case(
        of=store.own_slug_claim,
        name="of another kind and academy",
        writes=[store.own_slug_claim(a_set(kind=EVENTS)), store.own_slug_claim(a_set(academy_id=OTHER))],
        before=rows_of(CLAIM),
    ),
    Case(
        of=store.own_slug_claim,
        name="taken",
        writes=[store.own_slug_claim(a_set(id=7))],
        before=rows_of(CLAIM),
        refused=store.SlugTaken,
    ),
    Case(
        of=store.own_slug_claim,
        name="a cohort's",
        writes=[store.own_slug_claim(a_cohort(7, slug="c6"))],
        before=rows_of(COHORT_CLAIM),
        refused=store.SlugTaken,
    ),
    Case(
        of=store.own_slug_released,
        name="the own one",
        writes=[store.own_slug_released(a_set()), store.own_slug_released(a_cohort())],
        before=rows_of(CLAIM, COHORT_CLAIM),
    ),
    Case(of=store.own_slug_released, name="never claimed", writes=[store.own_slug_released(a_set()), COHORT_CLAIM]),
    Case(
        of=store.own_slug_released,
        name="another's",
        writes=[store.own_slug_released(a_set(id=7))],
        before=rows_of(CLAIM),
        refused=Unexpected,
    ),
    Case(
        of=store.links_moved_from,
        name="as read",
        writes=MOVED,
        before={LINKS: {"version": 3}},
        after={LINKS: {"version": 4}},
    ),
    Case(
        of=store.links_moved_from,
        name="the first",
        writes=[store.links_moved_from(ACADEMY, version=0)],
        after={LINKS: {"version": 1}},
    ),
    Case(
        of=store.links_moved_from,
        name="moved since",
        writes=MOVED,
        before={LINKS: {"version": 4}},
        refused=store.ChangedMeanwhile,
    ),
    Case(of=store.offer_claimed, name="the first, for good", writes=claimed(FOR_GOOD)),
    Case(of=store.offer_claimed, name="its own again", writes=claimed(UNTIL), before={LIVE: {"id": 1}}),
    Case(
        of=store.offer_claimed,
        name="after one that ended now",
        writes=claimed(UNTIL),
        before={LIVE: {"id": 2, "ends_at": SECOND}},
    ),
    Case(
        of=store.offer_claimed,
        name="beside one that ends",
        writes=claimed(UNTIL),
        before={LIVE: {"id": 2, "ends_at": SECOND + 1}},
        refused=store.ActiveOfferExists,
    ),
    Case(
        of=store.offer_claimed,
        name="beside one for good",
        writes=claimed(FOR_GOOD),
        before={LIVE: {"id": 2}},
        refused=store.ActiveOfferExists,
    ),
    Case(of=store.offer_released, name="the own one", writes=[store.offer_released(UNTIL)], before={LIVE: {"id": 1}}),
    Case(
        of=store.offer_released,
        name="another's",
        writes=[store.offer_released(UNTIL)],
        before={LIVE: {"id": 2}},
        refused=store.ChangedMeanwhile,
    ),
)

SETS = rows_of(
    *creation(a_set(member_ids=(6, 8, 7))),
    *creation(a_set(id=9, slug="s9")),
    *creation(a_set(kind=EVENTS, id=10, slug="s5")),
    *creation(a_set(id=11, academy_id=OTHER)),
    *(write for ident in (6, 7, 8) for write in creation(a_cohort(ident))),
    *creation(a_cohort(16, academy_id=OTHER, slug="theirs")),
)
OFFERS = rows_of(
    *(store.new(an_offer(ident)) for ident in (1, 2)),
    store.new(an_offer(3, academy_id=OTHER)),
    *claimed(an_offer(2)),
)
PLANS = rows_of(
    *(store.new(a_plan(NOW, academy, id=ident)) for academy, ident in ((ACADEMY, 1), (ACADEMY, 2), (OTHER, 3)))
)

ASKED = (
    Asked(
        of=set_queries.academies_naming,
        name="by kind and slug",
        rows=rows_of(CLAIM, COHORT_CLAIM, *(store.own_slug_claim(one) for one in ELSEWHERE)),
        ask=lambda table: [
            set_queries.academies_naming(table, kind=kind, slug=slug)
            for kind, slug in ((SetKind.COHORT, "c6"), (SetKind.COHORT, "s5"), (EVENTS, "s5"), (EVENTS, "c6"))
        ],
        answer=[(ACADEMY, OTHER), (), (OTHER,), ()],
    ),
    Asked(
        of=set_queries.set_id,
        name="by id and by slug",
        rows=SETS,
        ask=lambda table: [
            set_queries.set_id(table, ACADEMY, kind, ref)
            for kind, ref in ((SetKind.COHORT, "s9"), (EVENTS, "s5"), (EVENTS, 4))
        ],
        answer=[9, 10, 4],
    ),
    Asked(
        of=set_queries.set_id,
        name="of another kind",
        rows=SETS,
        ask=lambda table: set_queries.set_id(table, ACADEMY, EVENTS, "s9"),
        refused=set_queries.SetNotFound,
    ),
    Asked(
        of=set_queries.resource_set,
        name="by slug",
        rows=SETS,
        ask=lambda table: set_queries.resource_set(table, ACADEMY, SetKind.COHORT, "s9"),
        answer=a_set(id=9, slug="s9"),
    ),
    Asked(
        of=set_queries.resource_set,
        name="another academy's",
        rows=SETS,
        ask=lambda table: set_queries.resource_set(table, ACADEMY, SetKind.COHORT, 11),
        refused=set_queries.SetNotFound,
    ),
    Asked(
        of=set_queries.sets_page,
        name="newest first",
        rows=SETS,
        ask=lambda table: by_page(
            lambda cursor: set_queries.sets_page(table, ACADEMY, SetKind.COHORT, limit=1, cursor=cursor)
        ),
        answer=[[9], [5]],
    ),
    Asked(
        of=set_queries.all_sets,
        name="of a kind",
        rows=SETS,
        ask=lambda table: [found.id for found in set_queries.all_sets(table, ACADEMY, SetKind.COHORT)],
        answer=[5, 9],
    ),
    Asked(
        of=set_queries.cohort_ids,
        name="each once, in order",
        rows=SETS,
        ask=lambda table: set_queries.cohort_ids(table, ACADEMY, ["c8", 6, "c6", 99]),
        answer=(8, 6, 99),
    ),
    Asked(
        of=set_queries.cohort_ids,
        name="another academy's",
        rows=SETS,
        ask=lambda table: set_queries.cohort_ids(table, ACADEMY, ["theirs"]),
        refused=set_queries.CohortNotFound,
    ),
    Asked(
        of=set_queries.cohort,
        name="by slug",
        rows=SETS,
        ask=lambda table: set_queries.cohort(table, ACADEMY, "c7"),
        answer=a_cohort(7),
    ),
    Asked(
        of=set_queries.cohort,
        name="another academy's",
        rows=SETS,
        ask=lambda table: set_queries.cohort(table, ACADEMY, 16),
        refused=set_queries.CohortNotFound,
    ),
    Asked(
        of=set_queries.named_cohorts,
        name="in the order that was asked for",
        rows=SETS,
        ask=lambda table: [found.id for found in set_queries.named_cohorts(table, ACADEMY, [8, 6])],
        answer=[8, 6],
    ),
    Asked(
        of=set_queries.named_cohorts,
        name="one that is not there",
        rows=SETS,
        ask=lambda table: set_queries.named_cohorts(table, ACADEMY, [6, 16]),
        refused=set_queries.CohortNotFound,
    ),
    Asked(
        of=set_queries.cohorts_page,
        name="newest first",
        rows=SETS,
        ask=lambda table: by_page(lambda cursor: set_queries.cohorts_page(table, ACADEMY, limit=2, cursor=cursor)),
        answer=[[8, 7], [6]],
    ),
    Asked(
        of=set_queries.members_page,
        name="newest first",
        rows=SETS,
        ask=lambda table: by_page(
            lambda cursor: set_queries.members_page(table, a_set(member_ids=(6, 8, 7)), limit=2, cursor=cursor)
        ),
        answer=[[8, 7], [6]],
    ),
    Asked(
        of=set_queries.members_page,
        name="from another list's cursor",
        rows=SETS,
        ask=lambda table: set_queries.members_page(table, a_set(), limit=2, cursor="x"),
        refused=InvalidCursor,
    ),
    Asked(
        of=queries.plans_of,
        name="unknown ones left out",
        rows=PLANS,
        ask=lambda table: sorted(queries.plans_of(table, ACADEMY, [1, 2, 3], now=NOW)),
        answer=[1, 2],
    ),
    Asked(
        of=set_queries.plan_offer,
        name="own and another's",
        rows=OFFERS,
        ask=lambda table: [set_queries.plan_offer(table, ACADEMY, ident) for ident in (1, 3)],
        answer=[an_offer(1), None],
    ),
    Asked(
        of=set_queries.plan_offers,
        name="newest first",
        rows=OFFERS,
        ask=lambda table: by_page(lambda cursor: set_queries.plan_offers(table, ACADEMY, limit=1, cursor=cursor)),
        answer=[[2], [1]],
    ),
    Asked(
        of=set_queries.claimed_offer,
        name="of a plan that has one, and of one without",
        rows=OFFERS,
        ask=lambda table: [set_queries.claimed_offer(table, a_plan(NOW, ACADEMY, id=ident)) for ident in (1, 2)],
        answer=[an_offer(2), None],
    ),
)
