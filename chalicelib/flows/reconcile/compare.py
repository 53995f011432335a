"""Compare: walk payments, refunds, disputes, customers and our invoices by windows of time, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing.gateway import PaymentRefused, Window
from chalicelib.books.billing.model import Invoice
from chalicelib.books.drift import queries as drift_queries
from chalicelib.books.drift import store as drift
from chalicelib.books.drift.model import DriftStatus, Source, Walk, WalkName
from chalicelib.books.identity import queries as identity_queries
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context
from chalicelib.flows.reconcile.examine import Item
from chalicelib.flows.reconcile.windows import moved, set_out
from chalicelib.kernel.pages import Page, PageRequest

T = TypeVar("T")
INVOICES_PER_PAGE = 25
"""Each is asked for at the processor, one by one."""
ACADEMIES_PER_PAGE = 50
OPEN_PER_PAGE = 20
COUNTED_MAX = 100


@dataclass(frozen=True, slots=True)
class Step:
    """A page of a walk: its objects, and the walk after it, to be kept when all of them were examined."""

    items: Sequence[Item]
    after: Walk
    version: int


def next_step(context: Context, name: WalkName) -> Step | None:
    """The next page of a walk, read from where it was left; None where it has nothing more to look at now.

    Nothing is kept: a run that ends before `took` reads the same page again. Raises what is an outage.
    """
    stored = drift_queries.walk(context.table, name)
    walk = set_out(name, stored.walk, context.now)
    if walk is None or walk.source is None:
        return None
    try:
        items, after = _read(context, walk, walk.source)
    except PaymentRefused:
        if walk.after is None:
            raise
        # The object that the page goes on after is gone: the list begins anew.
        items, after = (), walk.model_copy(update={"after": None})
    return Step(items, after, stored.version)


def took(context: Context, step: Step) -> bool:
    """Keep that a page was examined. False where another run has gone on with the walk: this one stops."""
    try:
        commit(context.table, [drift.put_walk(step.after, version=step.version)])
    except drift.WalkMoved:
        return False
    return True


def open_differences(context: Context) -> int:
    """How many wait for somebody, counted up to a hundred."""
    return len(drift_queries.drifts(context.table, DriftStatus.OPEN, limit=COUNTED_MAX).items)


def _read(context: Context, walk: Walk, source: Source) -> tuple[Sequence[Item], Walk]:
    gateway, window = context.gateway, Window(walk.since, walk.until)
    match source:
        case Source.PAYMENTS:
            return _further(walk, gateway.payments_made(window, walk.after))
        case Source.REFUNDS:
            return _further(walk, gateway.refunds_made(window, walk.after))
        case Source.DISPUTES:
            return _further(walk, gateway.disputes_made(window, walk.after))
        case Source.CUSTOMERS:
            return _further(walk, gateway.customers_made(window, walk.after))
        case Source.INVOICES:
            return _invoices(context, walk)
        case _:
            page = drift_queries.drifts(context.table, DriftStatus.OPEN, limit=OPEN_PER_PAGE, cursor=walk.after)
            return _further(walk, page)


def _further(walk: Walk, page: Page[T]) -> tuple[Sequence[T], Walk]:
    return page.items, moved(walk, page.next_cursor)


def _invoices(context: Context, walk: Walk) -> tuple[Sequence[Invoice], Walk]:
    """A page of one academy's invoices; academies that have none in the window are passed by."""
    found: Sequence[Invoice] = ()
    for _ in range(ACADEMIES_PER_PAGE):
        found, walk = _of_academy(context, walk)
        if found or walk.source is not Source.INVOICES:
            break
    return found, walk


def _of_academy(context: Context, walk: Walk) -> tuple[Sequence[Invoice], Walk]:
    table = context.table
    academies = identity_queries.academies(table, PageRequest(limit=1, cursor=walk.academy))
    if academies.items:
        page = billing_queries.invoices_made(
            table,
            academies.items[0].id,
            since=walk.since,
            until=walk.until,
            limit=INVOICES_PER_PAGE,
            cursor=walk.after,
        )
        if page.next_cursor is not None:
            return page.items, moved(walk, page.next_cursor)
        found: Sequence[Invoice] = page.items
    else:
        found = ()
    if academies.next_cursor is None:
        return found, moved(walk, None)
    return found, walk.model_copy(update={"academy": academies.next_cursor, "after": None})
