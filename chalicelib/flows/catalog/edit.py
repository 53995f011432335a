"""Edit: make, change or remove one row of the catalog, and audit it, in one transaction.

A change reads the row, has a pure rule say what it becomes, and writes only over what it read: two at once are done one
after the other, so that neither is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from chalicelib.books.audit import store as audit
from chalicelib.books.audit.model import Change
from chalicelib.books.catalog import queries
from chalicelib.books.catalog import store as catalog
from chalicelib.books.catalog.model import Plan
from chalicelib.books.catalog.operations import change, creation
from chalicelib.books.catalog.store import ChangedMeanwhile
from chalicelib.dynamo.rows import Key, load
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.context import Context
from chalicelib.kernel.documents import Document
from chalicelib.kernel.ids import new_id

D = TypeVar("D", bound=Document)
TRIES_MAX = 10


@dataclass(frozen=True, slots=True)
class Staff:
    """Who changes something, and for which academy. `by`: the caller's key, "user:7" or "key:9"."""

    academy_id: int
    by: str
    is_operator: bool = False


def made(context: Context, staff: Staff, subject: str, row: D, *, beside: Sequence[Write] = ()) -> D:
    """Put a new row, with its slug claimed. Raises SlugTaken, and whatever `beside` refuses."""
    commit(context.table, [*creation(row), audited(context, staff, subject, None, row), *beside])
    return row


def changed(
    context: Context,
    staff: Staff,
    subject: str,
    kind: type[D],
    key: Key,
    rule: Callable[[D], D],
    *,
    missing: Callable[[], Exception],
    beside: Callable[[D, D], Sequence[Write]] = lambda before, after: (),
) -> D:
    """The row as `rule` makes it of the one that is there. Raises `missing` where there is none, and what it refuses.

    `beside` names what is written with it. Nothing is written, and nothing audited, where the rule changes nothing.
    """
    for attempt in range(TRIES_MAX):
        row = context.table.get(key)
        if row is None:
            raise missing()
        before = load(kind, row)
        after = rule(before)
        if after == before:
            return before
        writes = [
            *change(before, after, version=row.version),
            audited(context, staff, subject, before, after),
            *beside(before, after),
        ]
        try:
            commit(context.table, writes)
        except ChangedMeanwhile:
            backoff.wait(attempt)
            continue
        return after
    raise ChangedMeanwhile


def removed(
    context: Context,
    staff: Staff,
    subject: str,
    kind: type[D],
    key: Key,
    *,
    missing: Callable[[], Exception],
    check: Callable[[D, Sequence[Plan]], None],
) -> None:
    """Take a row away that no plan names. `check` is given all plans of the academy, and raises where one does.

    A plan that names it meanwhile moves the academy's links, and then all is looked at again.
    """
    for attempt in range(TRIES_MAX):
        version = queries.links_version(context.table, staff.academy_id)
        row = context.table.get(key)
        if row is None:
            raise missing()
        found = load(kind, row)
        check(found, queries.all_plans(context.table, staff.academy_id))
        writes: list[Write] = [
            catalog.removed(found, version=row.version),
            catalog.links_as_read(staff.academy_id, version=version),
            audited(context, staff, subject, found, None),
        ]
        try:
            commit(context.table, writes)
        except ChangedMeanwhile:
            backoff.wait(attempt)
            continue
        return
    raise ChangedMeanwhile


def audited(context: Context, staff: Staff, subject: str, before: Document | None, after: Document | None) -> Write:
    """The row that tells of a change."""
    return audit.new(
        Change(
            id=new_id(context.now, context.random_bits),
            academy_id=staff.academy_id,
            by=staff.by,
            at=context.now,
            subject=subject,
            before=_plain(before),
            after=_plain(after),
        )
    )


def _plain(document: Document | None) -> dict[str, Any] | None:
    """As it would be written: msgspec's own names and texts, so that it is readable when the type has changed."""
    if document is None:
        return None
    plain: dict[str, Any] = msgspec.json.decode(document.model_dump_json())
    return plain
