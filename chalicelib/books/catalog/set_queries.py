"""Reads of sets, of the cohorts in them, and of plan offers."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.model import Cohort, Plan, PlanOffer, ResourceSet, SetKind
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import InvalidCursor, Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import Page

ACADEMIES_MAX = 20
COHORTS_NAMED_MAX = 5
ID_DIGITS_MAX = 16


class SetNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "not-found"
    detail = "There is no set {ref} of this kind."


class CohortNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "cohort-not-found"
    detail = "The academy has no cohort {cohort}."


def academies_naming(table: Table, *, kind: SetKind, slug: str) -> tuple[int, ...]:
    """The academies that have a cohort or, of another kind, a set with this slug: at most so many, by their ids."""
    of = None if kind is SetKind.COHORT else kind
    page = table.query_ref(store.named_ref(of, slug), limit=ACADEMIES_MAX)
    return tuple(int(str(row.values["ref_sk"])) for row in page.items)


def set_id(table: Table, academy_id: int, kind: SetKind, ref: int | str) -> int:
    """The id of a set given by id or slug. Raises SetNotFound for an unknown slug."""
    if isinstance(ref, int):
        return ref
    claim = table.get(store.set_slug_key(academy_id, kind, ref))
    if claim is None:
        raise SetNotFound(ref=ref)
    return store.claimed(claim)[0]


def resource_set(table: Table, academy_id: int, kind: SetKind, ref: int | str) -> ResourceSet:
    """A set of an academy, by id or slug. Raises SetNotFound."""
    row = table.get(store.set_key(academy_id, kind, set_id(table, academy_id, kind, ref)))
    if row is None:
        raise SetNotFound(ref=ref)
    return load(ResourceSet, row)


def sets_page(
    table: Table, academy_id: int, kind: SetKind, *, limit: int, cursor: str | None = None
) -> Page[ResourceSet]:
    """A page of an academy's sets of a kind, newest first."""
    page = table.query(keys.academy(academy_id), prefix=f"SET#{kind}#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(ResourceSet, row) for row in page.items), page.next_cursor)


def all_sets(table: Table, academy_id: int, kind: SetKind) -> list[ResourceSet]:
    """Every set of a kind: for staff's rare changes, never for a list."""
    return [load(ResourceSet, row) for row in table.query_all(keys.academy(academy_id), prefix=f"SET#{kind}#")]


def cohort_ids(table: Table, academy_id: int, refs: Sequence[int | str]) -> tuple[int, ...]:
    """The ids of cohorts given by id or slug, each once, in order. Raises CohortNotFound for unknown slugs."""
    slugs = {ref: store.cohort_slug_key(academy_id, ref) for ref in refs if isinstance(ref, str)}
    rows = table.get_many(slugs.values())
    unknown = [slug for slug, key in slugs.items() if key not in rows]
    if unknown:
        raise CohortNotFound(cohort=", ".join(unknown[:COHORTS_NAMED_MAX]))
    found = (ref if isinstance(ref, int) else store.claimed(rows[slugs[ref]])[0] for ref in refs)
    return tuple(dict.fromkeys(found))


def cohort(table: Table, academy_id: int, ref: int | str) -> Cohort:
    """A cohort of an academy, by id or slug. Raises CohortNotFound."""
    return named_cohorts(table, academy_id, cohort_ids(table, academy_id, [ref]))[0]


def named_cohorts(table: Table, academy_id: int, ids: Sequence[int]) -> tuple[Cohort, ...]:
    """The cohorts of an academy with these ids, in this order. Raises CohortNotFound where one is not there."""
    found = queries.cohorts(table, academy_id, ids)
    unknown = [str(ident) for ident in ids if ident not in found]
    if unknown:
        raise CohortNotFound(cohort=", ".join(unknown[:COHORTS_NAMED_MAX]))
    return tuple(found[ident] for ident in ids)


def cohorts_page(table: Table, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[Cohort]:
    """A page of an academy's cohorts, newest first."""
    page = table.query(keys.academy(academy_id), prefix="COHORT#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Cohort, row) for row in page.items), page.next_cursor)


def members_page(table: Table, found: ResourceSet, *, limit: int, cursor: str | None = None) -> Page[Cohort]:
    """A page of the cohorts of a set, newest first. Its cursor is the last id. Raises InvalidCursor."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= ID_DIGITS_MAX):
        raise InvalidCursor
    after = [ident for ident in sorted(found.member_ids, reverse=True) if cursor is None or ident < int(cursor)]
    ids = after[:limit]
    more = str(ids[-1]) if len(after) > limit else None
    return Page(named_cohorts(table, found.academy_id, ids), more)


def plan_offer(table: Table, academy_id: int, offer_id: int) -> PlanOffer | None:
    row = table.get(store.plan_offer_key(academy_id, offer_id))
    return None if row is None else load(PlanOffer, row)


def plan_offers(table: Table, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[PlanOffer]:
    """A page of an academy's plan offers, expired ones too, newest first."""
    page = table.query(keys.academy(academy_id), prefix="PLANOFFER#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(PlanOffer, row) for row in page.items), page.next_cursor)


def claimed_offer(table: Table, found: Plan) -> PlanOffer | None:
    """The only offer of this plan that may be live."""
    claim = table.get(store.live_offer_key(found.academy_id, found.id))
    return None if claim is None else plan_offer(table, found.academy_id, store.claimed(claim)[0])
