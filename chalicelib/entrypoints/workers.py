"""Queue handlers: one stored event, one message, one holding. What fails is kept on its row, and only an outage
sends a message back.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.adapters.stripe.events import TOPICS
from chalicelib.books.inbox.model import Event, EventStatus
from chalicelib.books.inbox.queries import EventNotFound
from chalicelib.books.teams.recharge_store import RECHARGE_PREFIX
from chalicelib.books.teams.store import SEAT_PREFIX
from chalicelib.dynamo.rows import Key
from chalicelib.entrypoints import _observe
from chalicelib.entrypoints._wiring import Runtime, runtime
from chalicelib.flows.context import Context
from chalicelib.flows.reconcile.handle_event import fail_event, handle_event
from chalicelib.flows.reconcile.keep import OUTAGES
from chalicelib.flows.recurring.put_off import put_off
from chalicelib.flows.recurring.tend import tend
from chalicelib.flows.teams.tend_recharge import tend_recharge
from chalicelib.flows.teams.tend_seat import tend_seat
from chalicelib.flows.telling.send import send
from chalicelib.kernel.errors import TryLater

_log = logging.getLogger(__name__)


def handle_inbox(event: Mapping[str, Any]) -> dict[str, Any]:
    """Handle a batch of nudges of the inbox. Answers which of them must come again."""
    return _batch(event, lambda found, body: work_event(found, str(body["event_id"])))


def handle_outbox(event: Mapping[str, Any]) -> dict[str, Any]:
    """Handle a batch of nudges of the outbox. Answers which of them must come again."""
    return _batch(event, lambda found, body: work_message(found, str(body["message_id"])))


def handle_holdings(event: Mapping[str, Any]) -> dict[str, Any]:
    """Handle a batch of nudges of holdings. Answers which of them must come again."""
    return _batch(event, lambda found, body: work_holding(found, Key(str(body["pk"]), str(body["sk"]))))


def work_event(found: Runtime, event_id: str) -> None:
    """Try one stored event. A defect of ours is kept on the event too: it is tried again later and parked at last."""
    context = found.context(found.clock())
    try:
        handled = handle_event(context, event_id, TOPICS)
    except EventNotFound:
        _log.warning("nudge for an unknown event", extra={"fields": {"event": event_id}})
        return
    except TryLater:
        raise
    except Exception as error:  # noqa: BLE001  # the edge: whatever broke is logged, counted and kept
        _log.exception("handling an event failed", extra={"fields": {"event": event_id}})
        handled = fail_event(context, event_id, error)
    _report(handled)


def work_message(found: Runtime, message_id: str) -> None:
    """Send one message of the outbox."""
    send(found.context(found.clock()), found.mailer, message_id)


def work_holding(found: Runtime, key: Key) -> None:
    """Do everything that is due about one subscription or financing, or a seat of one, or a recharge of its pool; a
    defect of ours puts it off.
    """
    context = found.context(found.clock())
    try:
        _tend(context, key)
    except OUTAGES:
        raise
    except Exception:  # noqa: BLE001  # the edge: whatever broke is logged and counted; others must have their turn
        _log.exception("tending to a holding failed", extra={"fields": {"holding": key.sk}})
        _observe.count("HoldingsPutOff")
        put_off(context, key)


def _tend(context: Context, key: Key) -> None:
    if key.sk.startswith(SEAT_PREFIX):
        tend_seat(context, key)
    elif key.sk.startswith(RECHARGE_PREFIX):
        tend_recharge(context, key)
    else:
        tend(context, key)


def _report(event: Event) -> None:
    fields = {"event": event.id, "type": event.type, "status": event.status.value, "attempts": event.attempts}
    _log.info("event", extra={"fields": fields})
    if event.status is EventStatus.PARKED:
        _observe.count("EventsParked")


def _batch(event: Mapping[str, Any], work: Callable[[Runtime, Mapping[str, Any]], None]) -> dict[str, Any]:
    found = runtime()
    failures = []
    for record in event["Records"]:
        try:
            work(found, json.loads(record["body"]))
        except TryLater:
            failures.append({"itemIdentifier": record["messageId"]})
        except Exception:  # noqa: BLE001  # the edge: one bad message must not hold up the others
            _log.exception("a queue message failed", extra={"fields": {"message": record["messageId"]}})
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
