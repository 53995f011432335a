"""The schedules: what is due each minute, and the reconciler's two. May run twice, late, or at once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from chalicelib.adapters.stripe.events import TOPICS
from chalicelib.books.billing import queries as billing
from chalicelib.books.billing.gateway import PaymentServiceBusy, PaymentServiceDown
from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.drift.model import Drift, DriftStatus, WalkName
from chalicelib.books.enrollment import queries as enrollment
from chalicelib.books.inbox import queries as inbox
from chalicelib.books.ledger import queries as ledger
from chalicelib.books.outbox import queries as outbox
from chalicelib.books.subscriptions.queries import due_holdings
from chalicelib.books.teams.queries import due_recharges, due_seats
from chalicelib.books.waiting import queries as waiting
from chalicelib.dynamo.rows import Key
from chalicelib.entrypoints import _observe
from chalicelib.entrypoints._wiring import Runtime, runtime
from chalicelib.entrypoints.workers import work_event, work_message
from chalicelib.flows.context import Context
from chalicelib.flows.enrollment.deliver import deliver
from chalicelib.flows.metering.expire import expire_page
from chalicelib.flows.reconcile.catch_up import CaughtUp
from chalicelib.flows.reconcile.catch_up import catch_up as catch_up_with
from chalicelib.flows.reconcile.compare import Step, next_step, open_differences, took
from chalicelib.flows.reconcile.examine import examine
from chalicelib.flows.reconcile.keep import OUTAGES
from chalicelib.flows.reconcile.sweep import sweep_invoice
from chalicelib.flows.waiting.offer import offer_places
from chalicelib.kernel.errors import TryLater

T = TypeVar("T")
WORKED_PER_TICK_MAX = 200
"""What one tick works on at most; the next one goes on."""
NUDGED_PER_TICK_MAX = 4800
"""What one tick of holdings hands over: what Stripe takes in a minute, at 80 of its 100 writes a second.

More would only be handed over again by the next tick, which begins with the oldest of those that are still due.
"""
PAGES_PER_RUN = {WalkName.NEW: 20, WalkName.AGAIN: 6, WalkName.OPEN: 1}
"""How much of each walk one comparison looks at, at most: about three minutes of the five that it has."""
PROVIDER_AWAY = (PaymentServiceDown, PaymentServiceBusy, TryLater)

_log = logging.getLogger(__name__)


def sweep(event: Mapping[str, Any]) -> dict[str, int]:
    """Finish events never nudged or not settled, messages not sent, invoices pending too long, and invitations that
    were accepted and not delivered; offer free places to whoever waits; clear away what has expired. Answers how many.
    """
    found = runtime()
    table, now = found.table, found.clock()
    return {
        "invoices": _each(billing.due_invoices(table, now), lambda key: _invoice(found, key)),
        "events": _each(inbox.due(table, now), lambda event_id: work_event(found, event_id)),
        "places": _each(waiting.due(table, now), lambda plan_id: offer_places(found.context(found.clock()), plan_id)),
        "invitations": _each(
            enrollment.due_invitations(table, now), lambda key: deliver(found.context(found.clock()), key)
        ),
        "expired": _each(ledger.due_pages(table, now), lambda key: expire_page(found.context(found.clock()), key)),
        "messages": _each(outbox.due(table, now), lambda message_id: work_message(found, message_id)),
    }


def renew(event: Mapping[str, Any]) -> dict[str, int]:
    """Nudge each subscription, financing, seat and recharge about which something must be done; say how late we are.

    Reads what is due and nothing else; the workers do it. Remembers nothing: who is nudged twice costs a read more.
    Answers how many there were.
    """
    found = runtime()
    now = found.clock()
    due = due_holdings(found.table, now, enough=NUDGED_PER_TICK_MAX)
    for more in (due_seats, due_recharges):
        due += more(found.table, now, enough=max(1, NUDGED_PER_TICK_MAX - len(due)))
    due.sort(key=lambda one: one.at)
    late = max(0, int((now - due[0].at).total_seconds())) if due else 0
    _observe.measure({"HoldingsDue": len(due), "HoldingsLateSeconds": late})  # first: nudging so many takes seconds
    found.queue.nudge_holdings([one.key for one in due])
    return {"holdings": len(due)}


def catch_up(event: Mapping[str, Any]) -> dict[str, int]:
    """Store the events of the processor that no webhook brought. Answers how many there were."""
    found = runtime()
    missed = 0
    for name in (WalkName.EVENTS, WalkName.UNDELIVERED):
        try:
            done = catch_up_with(found.context(found.clock()), name, TOPICS)
        except PROVIDER_AWAY:
            _waits(name)
            break
        missed += done.missed
        _report_caught_up(name, done)
    return {"events": missed}


def compare(event: Mapping[str, Any]) -> dict[str, int]:
    """Hold what the processor has against what we have. Answers how many differences are new, and how many mended."""
    found = runtime()
    counted: Counter[str] = Counter()
    try:
        for name, pages_max in PAGES_PER_RUN.items():
            _walk(found.context(found.clock()), name, pages_max, counted)
    except PROVIDER_AWAY:
        _waits("compare")
    _observe.measure({"DriftOpen": open_differences(found.context(found.clock())), **counted})
    return {"opened": counted["DriftNew"], "mended": counted["DriftMended"]}


def _walk(context: Context, name: WalkName, pages_max: int, counted: Counter[str]) -> None:
    for _ in range(pages_max):
        step = next_step(context, name)
        if step is None:
            return
        _examine_all(context, step, counted)
        if not took(context, step):
            return


def _examine_all(context: Context, step: Step, counted: Counter[str]) -> None:
    for item in step.items:
        try:
            for drift in examine(context, item):
                counted.update(_metrics_of(drift))
        except OUTAGES:
            raise
        except Exception:  # noqa: BLE001  # the edge: one object that fails must not hold up the others
            _log.exception("an object could not be compared")
            counted["DriftNotCompared"] += 1


def _metrics_of(drift: Drift) -> list[str]:
    """`DriftAmount` and its like for each kind, and what became of it."""
    names = ["Drift" + "".join(word.title() for word in drift.difference.kind.split("-"))]
    if drift.times == 1:
        names.append("DriftNew")
    if drift.status is DriftStatus.MENDED:
        names.append("DriftMended")
    return names


def _report_caught_up(name: WalkName, done: CaughtUp) -> None:
    fields: dict[str, Any] = {"walk": name.value, "missed": done.missed, "pages": done.pages, "whole": done.whole}
    if done.first:
        fields["first"] = "events from before are left to the comparison of objects"
    if done.unseen_since is not None:
        fields["unseen_since"] = done.unseen_since.isoformat()
        _observe.count("EventsNotListedAnyMore")
    _log.info("caught up", extra={"fields": fields})
    if done.missed:
        _observe.measure({"EventsMissed": done.missed})


def _waits(what: str) -> None:
    """The next run goes on where this one stopped. A provider's hiccups are counted, not paged."""
    _log.warning("the processor or the table is away", exc_info=True, extra={"fields": {"work": what}})
    _observe.count("ReconcilerWaits")


def _invoice(found: Runtime, key: Key) -> None:
    invoice = sweep_invoice(found.context(found.clock()), key)
    if invoice is not None and invoice.status is InvoiceStatus.PENDING:
        _observe.count("InvoicesPendingTooLong")


def _each(due: Iterable[T], work: Callable[[T], object]) -> int:
    worked = 0
    for one in list(due)[:WORKED_PER_TICK_MAX]:
        try:
            work(one)
            worked += 1
        except Exception:  # noqa: BLE001  # the edge: one row that fails must not hold up the others; it stays due
            _log.exception("a sweep failed for one row")
    return worked
