"""Group: put cohorts, mentorship services or event types together in sets.

What is in a set is for sale. A cohort that is not on the market does not come into one, and one that is in a set does
not leave the market. The two are different rows, so whoever changes one reads how often the academy's links moved
before looking at the other, moves them, and starts again where somebody was faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chalicelib.books.catalog import queries, set_queries, store
from chalicelib.books.catalog.model import Cohort, Plan, ResourceSet, SetKind
from chalicelib.books.catalog.set_queries import CohortNotFound, SetNotFound
from chalicelib.books.catalog.sets import (
    check_in_no_set,
    check_sellable,
    check_unused,
    checked_cohort,
    checked_set,
)
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.catalog.edit import Staff, audited, made, removed, until_written
from chalicelib.flows.context import Context


def set_made(context: Context, staff: Staff, new: ResourceSet) -> ResourceSet:
    """Make a set. Raises SlugTaken, CohortNotFound, CohortNotAvailable, and what `checked_set` does."""
    row = checked_set(new)

    def step() -> ResourceSet:
        guards = _joining(context, row, row.member_ids)
        return made(context, staff, _set_subject(row), row, beside=guards)

    return until_written(step)


def set_changed(
    context: Context, staff: Staff, kind: SetKind, ref: int | str, rule: Callable[[ResourceSet], ResourceSet]
) -> tuple[ResourceSet, ResourceSet]:
    """The set as it was and as `rule` makes it. Raises SetNotFound, and what making a set does."""
    ident = set_queries.set_id(context.table, staff.academy_id, kind, ref)

    def step() -> tuple[ResourceSet, ResourceSet]:
        row = context.table.get(store.set_key(staff.academy_id, kind, ident))
        if row is None:
            raise SetNotFound(ref=ref)
        before = load(ResourceSet, row)
        after = checked_set(rule(before))
        if after == before:
            return before, before
        writes = [
            store.changed(after, version=row.version),
            audited(context, staff, _set_subject(after), before, after),
            *_renamed(before, after),
            *_joining(context, after, [one for one in after.member_ids if one not in set(before.member_ids)]),
        ]
        commit(context.table, writes)
        return before, after

    return until_written(step)


def set_removed(context: Context, staff: Staff, kind: SetKind, ref: int | str) -> None:
    """Take away a set that nothing is sold with. Raises SetNotFound, SetInUse."""
    found = set_queries.resource_set(context.table, staff.academy_id, kind, ref)

    def check(row: ResourceSet, plans: Sequence[Plan]) -> None:
        check_unused(row, plans, queries.all_prices(context.table, staff.academy_id))

    removed(
        context,
        staff,
        _set_subject(found),
        ResourceSet,
        store.key_of(found),
        missing=lambda: SetNotFound(ref=ref),
        check=check,
        beside=lambda row: [store.own_slug_released(row)],
    )


def cohort_made(context: Context, staff: Staff, new: Cohort) -> Cohort:
    """Make a cohort. Raises SlugTaken, and what `checked_cohort` does."""
    return made(context, staff, _cohort_subject(new), checked_cohort(new))


def cohort_changed(context: Context, staff: Staff, ref: int | str, rule: Callable[[Cohort], Cohort]) -> Cohort:
    """The cohort as `rule` makes it. Raises CohortNotFound, CohortInSet, and what making one does."""
    (ident,) = set_queries.cohort_ids(context.table, staff.academy_id, [ref])

    def step() -> Cohort:
        row = context.table.get(store.cohort_key(staff.academy_id, ident))
        if row is None:
            raise CohortNotFound(cohort=ref)
        before = load(Cohort, row)
        after = checked_cohort(rule(before))
        if after == before:
            return before
        writes = [
            store.changed(after, version=row.version),
            audited(context, staff, _cohort_subject(after), before, after),
            *_renamed(before, after),
            *_leaving(context, before, after),
        ]
        commit(context.table, writes)
        return after

    return until_written(step)


def _joining(context: Context, found: ResourceSet, members: Sequence[int]) -> list[Write]:
    """What makes sure that cohorts that come into a set are on the market when they do."""
    if found.kind is not SetKind.COHORT or not members:
        return []
    version = queries.links_version(context.table, found.academy_id)
    check_sellable(set_queries.named_cohorts(context.table, found.academy_id, members))
    return [store.links_moved_from(found.academy_id, version=version)]


def _leaving(context: Context, before: Cohort, after: Cohort) -> list[Write]:
    """What makes sure that a cohort that leaves the market is in no set when it does."""
    if after.available_as_saas or not before.available_as_saas:
        return []
    version = queries.links_version(context.table, after.academy_id)
    check_in_no_set(after, set_queries.all_sets(context.table, after.academy_id, SetKind.COHORT))
    return [store.links_moved_from(after.academy_id, version=version)]


def _renamed(before: ResourceSet | Cohort, after: ResourceSet | Cohort) -> list[Write]:
    return [] if after.slug == before.slug else [store.own_slug_released(before), store.own_slug_claim(after)]


def _set_subject(found: ResourceSet) -> str:
    return f"{found.kind.replace('_', '-')}-set:{found.id}"


def _cohort_subject(found: Cohort) -> str:
    return f"cohort:{found.id}"
