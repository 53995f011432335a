"""The minute's tick: find what is due, and work on it. May run twice, late, or at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.inbox import queries as inbox
from chalicelib.books.outbox import queries as outbox
from chalicelib.dynamo.rows import Key
from chalicelib.entrypoints import _observe
from chalicelib.entrypoints._wiring import Runtime, runtime
from chalicelib.entrypoints.workers import work_event, work_message
from chalicelib.flows.reconcile.sweep import sweep_invoice

T = TypeVar("T")
WORKED_PER_TICK_MAX = 200
"""What one tick works on at most; the next one goes on."""

_log = logging.getLogger(__name__)


def sweep(event: Mapping[str, Any]) -> dict[str, int]:
    """Finish events never nudged or not settled, messages not sent, invoices pending too long. Answers how many."""
    found = runtime()
    table, now = found.table, found.clock()
    return {
        "invoices": _each(billing.due_invoices(table, now), lambda key: _invoice(found, key)),
        "events": _each(inbox.due(table, now), lambda event_id: work_event(found, event_id)),
        "messages": _each(outbox.due(table, now), lambda message_id: work_message(found, message_id)),
    }


def _invoice(found: Runtime, key: Key) -> None:
    invoice = sweep_invoice(found.context(found.clock()), key)
    if invoice is not None and invoice.status is InvoiceStatus.PENDING:
        _observe.count("InvoicesPendingTooLong")


def _each(due: Iterable[T], work: Callable[[T], None]) -> int:
    worked = 0
    for one in list(due)[:WORKED_PER_TICK_MAX]:
        try:
            work(one)
            worked += 1
        except Exception:  # noqa: BLE001  # the edge: one row that fails must not hold up the others; it stays due
            _log.exception("a sweep failed for one row")
    return worked
