"""What staff change: audit rows, what plans name, financing options. Every write and every query."""

from __future__ import annotations

from decimal import Decimal

from chalicelib.books.audit import queries as audit_queries
from chalicelib.books.audit import store as audit
from chalicelib.books.audit.model import Change
from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.model import FinancingOption
from chalicelib.dynamo.writes import Unexpected
from tests.conformance.cases import Case, rows_of
from tests.conformance.queries import Asked, by_page
from tests.conformance.things import ACADEMY, NOW
from tests.shop import a_plan

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

CASES = (
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
