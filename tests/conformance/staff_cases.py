"""What staff change: audit rows, what plans name, financing options. Every write and every query."""

from __future__ import annotations

from decimal import Decimal

from chalicelib.books.audit import queries as audit_queries
from chalicelib.books.audit import store as audit
from chalicelib.books.audit.model import Change
from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.model import Cohort, FinancingOption, ResourceSet, SetKind
from chalicelib.books.subscriptions import queries as subscriptions_queries
from chalicelib.books.subscriptions import store as subscriptions_store
from chalicelib.dynamo.writes import Unexpected
from tests.conformance.cases import Case, rows_of
from tests.conformance.queries import Asked, by_page
from tests.conformance.things import ACADEMY, NOW, USER
from tests.shop import a_plan, a_price, a_service

OTHER = ACADEMY + 1


def a_change(ident: int, subject: str = "plan:1", academy_id: int = ACADEMY) -> Change:
    return Change(id=ident, academy_id=academy_id, by="user:7", at=NOW, subject=subject, after={"a": 1})


def an_option(ident: int, academy_id: int | None = ACADEMY) -> FinancingOption:
    return FinancingOption(id=ident, academy_id=academy_id, monthly_price=Decimal(9), how_many_months=3, currency="USD")


CHANGE = audit.new(a_change(1))
OPTION = store.new(an_option(1))
LINKS = store.links_key(ACADEMY)
CHANGES = rows_of(
    CHANGE, audit.new(a_change(2, "plan:2")), audit.new(a_change(3)), audit.new(a_change(4, academy_id=OTHER))
)
OPTIONS = rows_of(OPTION, store.new(an_option(2)), store.new(an_option(3, None)), store.new(an_option(4, OTHER)))
PLANS = rows_of(
    store.new(a_plan(NOW, ACADEMY, id=1)), store.new(a_plan(NOW, ACADEMY, id=2)), store.new(a_plan(NOW, OTHER, id=3))
)

PLAN = a_plan(NOW, ACADEMY, id=1)
PLAN_CLAIM = store.slug_claim("plan", PLAN.slug, ident=PLAN.id, academy_id=ACADEMY)
PLAN_ID_CLAIM = store.slug_claim("plan-id", str(PLAN.id), ident=PLAN.id, academy_id=ACADEMY)
OLD = store.past_version(PLAN.model_copy(update={"version": 3}))
COHORT = Cohort(id=11, academy_id=ACADEMY, slug="c", name="C", syllabus="full-stack")
SETS = rows_of(
    store.new(COHORT),
    store.new(COHORT.model_copy(update={"id": 12, "syllabus": None})),
    store.new(ResourceSet(id=1, academy_id=ACADEMY, kind=SetKind.COHORT, slug="a", name="A", member_ids=(11, 12))),
    store.new(ResourceSet(id=2, academy_id=ACADEMY, kind=SetKind.COHORT, slug="b", name="B", member_ids=(12,))),
    store.new(ResourceSet(id=3, academy_id=ACADEMY, kind=SetKind.EVENT_TYPE, slug="b", name="B", member_ids=(11,))),
    store.new(ResourceSet(id=4, academy_id=OTHER, kind=SetKind.COHORT, slug="b", name="B", member_ids=(11,))),
)
HAD = rows_of(subscriptions_store.claim_plan(USER, 1001, invoice_id=5, financed=False))

CASES = (
    Case(of=store.past_version, name="a version", writes=[OLD]),
    Case(of=store.past_version, name="the same again", writes=[OLD], before=rows_of(OLD)),
    Case(of=store.still_there, name="there", writes=[store.still_there(OPTION.key), CHANGE], before=rows_of(OPTION)),
    Case(of=store.still_there, name="gone", writes=[store.still_there(OPTION.key)], refused=store.ChangedMeanwhile),
    Case(
        of=store.slug_given_up,
        name="by whose it is",
        writes=[store.slug_given_up("plan", PLAN.slug, ident=PLAN.id)],
        before=rows_of(PLAN_CLAIM),
    ),
    Case(
        of=store.slug_given_up,
        name="by another",
        writes=[store.slug_given_up("plan", PLAN.slug, ident=2)],
        before=rows_of(PLAN_CLAIM),
        refused=store.ChangedMeanwhile,
    ),
    Case(of=audit.new, name="a change", writes=[CHANGE]),
    Case(of=audit.new, name="its second", writes=[CHANGE], before=rows_of(CHANGE), refused=Unexpected),
    Case(
        of=store.removed, name="as it was read", writes=[store.removed(an_option(1), version=1)], before=rows_of(OPTION)
    ),
    Case(
        of=store.removed,
        name="changed since it was read",
        writes=[store.removed(an_option(1), version=2)],
        before=rows_of(OPTION),
        refused=store.ChangedMeanwhile,
    ),
    Case(of=store.links_moved, name="the first", writes=[store.links_moved(ACADEMY)], after={LINKS: {"version": 1}}),
    Case(
        of=store.links_moved,
        name="one more",
        writes=[store.links_moved(ACADEMY)],
        before={LINKS: {"version": 3}},
        after={LINKS: {"version": 4}},
    ),
    Case(
        of=store.links_as_read,
        name="never moved",
        writes=[store.links_as_read(ACADEMY, version=0), OPTION],
    ),
    Case(
        of=store.links_as_read,
        name="as read",
        writes=[store.links_as_read(ACADEMY, version=3), OPTION],
        before={LINKS: {"version": 3}},
    ),
    Case(
        of=store.links_as_read,
        name="moved since",
        writes=[store.links_as_read(ACADEMY, version=2), OPTION],
        before={LINKS: {"version": 3}},
        refused=store.ChangedMeanwhile,
    ),
)

ASKED = (
    Asked(
        of=subscriptions_queries.holders,
        name="some and none",
        rows=HAD,
        ask=lambda table: [subscriptions_queries.holders(table, plan_id) for plan_id in (1001, 1002)],
        answer=[1, 0],
    ),
    Asked(
        of=queries.plan_key_of,
        name="by id and by slug",
        rows=rows_of(PLAN_CLAIM, PLAN_ID_CLAIM),
        ask=lambda table: [queries.plan_key_of(table, ref) for ref in (PLAN.id, PLAN.slug)],
        answer=[store.key_of(PLAN)] * 2,
    ),
    Asked(
        of=queries.stored_plan,
        name="at its key",
        rows=PLANS,
        ask=lambda table: queries.stored_plan(table, store.key_of(PLAN)).id,
        answer=1,
    ),
    Asked(
        of=queries.stored_plan,
        name="unknown",
        rows=PLANS,
        ask=lambda table: queries.stored_plan(table, store.plan_key(ACADEMY, 9)),
        refused=queries.PlanNotFound,
    ),
    Asked(
        of=queries.plan_version,
        name="that held, and that holds",
        rows=rows_of(OLD),
        ask=lambda table: [queries.plan_version(table, PLAN, number).version for number in (1, 3)],
        answer=[1, 3],
    ),
    Asked(
        of=queries.plan_version,
        name="that never was",
        rows=rows_of(OLD),
        ask=lambda table: queries.plan_version(table, PLAN, 2),
        refused=queries.PlanNotFound,
    ),
    Asked(
        of=queries.all_plans_and_versions,
        name="an academy's",
        rows=PLANS,
        ask=lambda table: [(plan.id, version) for plan, version in queries.all_plans_and_versions(table, ACADEMY)],
        answer=[(1, 1), (2, 1)],
    ),
    Asked(
        of=queries.all_prices,
        name="an academy's",
        rows=rows_of(store.new(a_price(ACADEMY)), store.new(a_price(OTHER))),
        ask=lambda table: [price.academy_id for price in queries.all_prices(table, ACADEMY)],
        answer=[ACADEMY],
    ),
    Asked(
        of=queries.offers,
        name="with their options",
        rows=OPTIONS,
        ask=lambda table: [
            [option.id for option in offer.financing_options]
            for offer in queries.offers(
                table,
                [PLAN.model_copy(update={"items": (), "financing_option_ids": ids}) for ids in ((1, 3), (2,), (4,))],
            )
        ],
        answer=[[1, 3], [2], []],
    ),
    Asked(
        of=queries.whole_offers,
        name="with their add-ons",
        rows=rows_of(store.new(a_price(ACADEMY)), store.new(a_service(id=a_price(ACADEMY).service_id))),
        ask=lambda table: [
            [price.service_id for price in offer.add_on_prices]
            for offer in queries.whole_offers(
                table,
                [
                    PLAN.model_copy(update={"items": (), "add_on_service_ids": ids})
                    for ids in ((a_price(ACADEMY).service_id,), ())
                ],
            )
        ],
        answer=[[a_price(ACADEMY).service_id], []],
    ),
    Asked(
        of=queries.cohorts,
        name="known and unknown",
        rows=SETS,
        ask=lambda table: sorted(queries.cohorts(table, ACADEMY, [11, 12, 13])),
        answer=[11, 12],
    ),
    Asked(
        of=queries.cohort_set_ids,
        name="of a cohort, of a syllabus, of both",
        rows=SETS,
        ask=lambda table: [
            queries.cohort_set_ids(table, ACADEMY, cohort_id=cohort_id, syllabus=syllabus)
            for cohort_id, syllabus in ((12, None), (None, "full-stack"), (12, "full-stack"))
        ],
        answer=[frozenset({1, 2}), frozenset({1}), frozenset()],
    ),
    Asked(
        of=queries.known_service_id,
        name="known and unknown",
        rows=rows_of(store.slug_claim("service", "chat", ident=7, academy_id=None)),
        ask=lambda table: [queries.known_service_id(table, slug) for slug in ("chat", "nothing")],
        answer=[7, None],
    ),
    Asked(
        of=subscriptions_queries.is_had,
        name="by somebody, by nobody",
        rows=HAD,
        ask=lambda table: [subscriptions_queries.is_had(table, plan_id) for plan_id in (1001, 1002)],
        answer=[True, False],
    ),
    Asked(
        of=audit_queries.changes,
        name="an academy's",
        rows=CHANGES,
        ask=lambda table: by_page(lambda cursor: audit_queries.changes(table, ACADEMY, limit=2, cursor=cursor)),
        answer=[[3, 2], [1]],
    ),
    Asked(
        of=audit_queries.changes,
        name="of one subject",
        rows=CHANGES,
        ask=lambda table: by_page(
            lambda cursor: audit_queries.changes(table, ACADEMY, subject="plan:1", limit=5, cursor=cursor)
        ),
        answer=[[3, 1]],
    ),
    Asked(
        of=queries.all_plans,
        name="an academy's",
        rows=PLANS,
        ask=lambda table: [plan.id for plan in queries.all_plans(table, ACADEMY)],
        answer=[1, 2],
    ),
    Asked(
        of=queries.links_version,
        name="never moved",
        rows=OPTIONS,
        ask=lambda table: queries.links_version(table, ACADEMY),
        answer=0,
    ),
    Asked(
        of=queries.links_version,
        name="moved",
        rows={LINKS: {"version": 3}},
        ask=lambda table: queries.links_version(table, ACADEMY),
        answer=3,
    ),
    Asked(
        of=queries.financing_option,
        name="own, everyone's, and another's",
        rows=OPTIONS,
        ask=lambda table: [
            None if found is None else found.id
            for found in (queries.financing_option(table, ACADEMY, ident) for ident in (1, 3, 4))
        ],
        answer=[1, 3, None],
    ),
    Asked(
        of=queries.financing_options,
        name="an academy's, newest first",
        rows=OPTIONS,
        ask=lambda table: by_page(lambda cursor: queries.financing_options(table, ACADEMY, limit=1, cursor=cursor)),
        answer=[[2], [1]],
    ),
    Asked(
        of=queries.financing_options,
        name="everyone's",
        rows=OPTIONS,
        ask=lambda table: by_page(lambda cursor: queries.financing_options(table, None, limit=5, cursor=cursor)),
        answer=[[3]],
    ),
)
