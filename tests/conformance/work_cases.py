"""Sessions, keyed requests, events, messages, subscriptions and activities."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.books.consumption import store as consumption
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import RequestInFlight, StoredAnswer
from chalicelib.books.inbox import store as inbox
from chalicelib.books.inbox.model import EventStatus
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import MessageStatus
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.timeline import store as timeline
from chalicelib.dynamo.rows import Values
from chalicelib.dynamo.writes import Unexpected
from tests.conformance.cases import Case, rows_of
from tests.conformance.things import (
    NOW,
    SECOND,
    USER,
    a_financing,
    a_keyed,
    a_message,
    a_session,
    a_subscription,
    an_activity,
    an_event,
)

SESSION = consumption.new(a_session())
HASHED = consumption.new(a_session(hash="h"))
CANCELLED = consumption.changed(a_session(cancelled_at=NOW), version=1)
ANSWER = StoredAnswer(status=200, body="{}")
OPENED = idempotency.opened(a_keyed(), subject=100, now=NOW)
ANSWERED = idempotency.answered(a_keyed(), ANSWER, subject=100, now=NOW)
RELEASED = idempotency.released(a_keyed())
AT_ONCE = idempotency.answered_at_once(a_keyed(), ANSWER, subject=100, now=NOW)
EVENT = inbox.new(an_event(), "a body")
LARGEST = inbox.new(an_event(), "x" * inbox.BODY_BYTES_MAX)
EVENT_KEY = inbox.event_key("evt_1")
HANDLED = an_event(status=EventStatus.HANDLED, attempts=1)
LATER = an_event(attempts=1, next_attempt_at=NOW + timedelta(minutes=5))
HANDLED_ROW: Values = {
    "doc": HANDLED.model_dump_json(),
    "version": 2,
    "ref": "INBOX#handled",
    "ref_sk": EVENT.values["ref_sk"],
    "body": "a body",
}
LATER_ROW: Values = {**EVENT.values, "doc": LATER.model_dump_json(), "version": 2, "due_at": SECOND + 300}
MESSAGE = outbox.new(a_message())
SENT = outbox.changed(a_message(status=MessageStatus.SENT), version=1, due_at=None, now=NOW)
CLAIM = subscriptions.claim_plan(USER, 1001, invoice_id=100, financed=False)
FINANCED = subscriptions.claim_plan(USER, 1001, invoice_id=100, financed=True)
TRIAL = subscriptions.claim_trial(subscriptions.trial_claim_key(USER, 1001), invoice_id=100)
SUBSCRIPTION = subscriptions.new_subscription(a_subscription())
FINANCING = subscriptions.new_financing(a_financing())
ACTIVITY = timeline.new(an_activity())

SESSIONS = (
    Case(of=consumption.new, name="without a hash", writes=SESSION),
    Case(of=consumption.new, name="with a hash", writes=HASHED),
    Case(
        of=consumption.new,
        name="the hash of another",
        writes=consumption.new(a_session(id=71, hash="h")),
        before=rows_of(*HASHED),
        refused=consumption.HashTaken,
    ),
    Case(
        of=consumption.new,
        name="sent again",
        writes=SESSION,
        before=rows_of(*SESSION),
        refused=consumption.SessionMade,
    ),
    Case(
        of=consumption.new,
        name="the id of another",
        writes=consumption.new(a_session(how_many=2)),
        before=rows_of(*SESSION),
        refused=consumption.SessionIdTaken,
    ),
    Case(of=consumption.changed, name="as it was read", writes=[CANCELLED], before=rows_of(*SESSION)),
    Case(
        of=consumption.changed,
        name="cancelled since",
        writes=[CANCELLED],
        before=rows_of(CANCELLED),
        refused=consumption.SessionChanged,
    ),
)

KEYED = (
    Case(of=idempotency.opened, name="the first", writes=[OPENED]),
    Case(of=idempotency.opened, name="again", writes=[OPENED], before=rows_of(OPENED), refused=RequestInFlight),
    Case(of=idempotency.answered, name="that was opened", writes=[ANSWERED], before=rows_of(OPENED)),
    Case(of=idempotency.answered, name="that was not", writes=[ANSWERED], refused=RequestInFlight),
    Case(
        of=idempotency.answered,
        name="that was answered before",
        writes=[idempotency.answered(a_keyed(), StoredAnswer(status=402, body="{}"), subject=100, now=NOW)],
        before=rows_of(ANSWERED),
        refused=RequestInFlight,
    ),
    Case(of=idempotency.released, name="that was opened", writes=[RELEASED], before=rows_of(OPENED)),
    Case(of=idempotency.released, name="that was not", writes=[RELEASED], refused=RequestInFlight),
    Case(
        of=idempotency.released,
        name="that was answered",
        writes=[RELEASED],
        before=rows_of(ANSWERED),
        refused=RequestInFlight,
    ),
    Case(of=idempotency.answered_at_once, name="the first", writes=[AT_ONCE]),
    Case(
        of=idempotency.answered_at_once,
        name="again",
        writes=[AT_ONCE],
        before=rows_of(OPENED),
        refused=RequestInFlight,
    ),
)

WAITING = (
    Case(of=inbox.new, name="the first", writes=[EVENT]),
    Case(of=inbox.new, name="with the largest body", writes=[LARGEST]),
    Case(of=inbox.new, name="again", writes=[EVENT], before=rows_of(EVENT), refused=inbox.Received),
    Case(
        of=inbox.changed,
        name="that leaves the due index and keeps its body",
        writes=[inbox.changed(HANDLED, version=1)],
        before=rows_of(EVENT),
        after={EVENT_KEY: HANDLED_ROW},
    ),
    Case(
        of=inbox.changed,
        name="that is due later",
        writes=[inbox.changed(LATER, version=1)],
        before=rows_of(EVENT),
        after={EVENT_KEY: LATER_ROW},
    ),
    Case(
        of=inbox.changed,
        name="changed since it was read",
        writes=[inbox.changed(HANDLED, version=1)],
        before={EVENT_KEY: LATER_ROW},
        refused=inbox.AnotherHandles,
    ),
    Case(of=outbox.new, name="the first", writes=[MESSAGE]),
    Case(of=outbox.new, name="again", writes=[MESSAGE], before=rows_of(MESSAGE), refused=Unexpected),
    Case(of=outbox.changed, name="sent", writes=[SENT], before=rows_of(MESSAGE)),
    Case(
        of=outbox.changed,
        name="to be sent later",
        writes=[outbox.changed(a_message(attempts=1), version=1, due_at=NOW + timedelta(minutes=1), now=NOW)],
        before=rows_of(MESSAGE),
    ),
    Case(
        of=outbox.changed,
        name="changed since it was read",
        writes=[SENT],
        before=rows_of(SENT),
        refused=outbox.AnotherSends,
    ),
)

HELD = (
    Case(of=subscriptions.new_subscription, name="the first", writes=[SUBSCRIPTION]),
    Case(
        of=subscriptions.new_subscription,
        name="again",
        writes=[SUBSCRIPTION],
        before=rows_of(SUBSCRIPTION),
        refused=Unexpected,
    ),
    Case(of=subscriptions.new_financing, name="the first", writes=[FINANCING]),
    Case(
        of=subscriptions.new_financing,
        name="again",
        writes=[FINANCING],
        before=rows_of(FINANCING),
        refused=Unexpected,
    ),
    Case(of=subscriptions.claim_plan, name="the first", writes=[CLAIM]),
    Case(of=subscriptions.claim_plan, name="again by its invoice", writes=[CLAIM], before=rows_of(CLAIM)),
    Case(
        of=subscriptions.claim_plan,
        name="bought by another invoice",
        writes=[subscriptions.claim_plan(USER, 1001, invoice_id=101, financed=False)],
        before=rows_of(CLAIM),
        refused=subscriptions.PlanAlreadyBought,
    ),
    Case(
        of=subscriptions.claim_plan,
        name="financed by another invoice",
        writes=[subscriptions.claim_plan(USER, 1001, invoice_id=101, financed=False)],
        before=rows_of(FINANCED),
        refused=subscriptions.PlanAlreadyFinanced,
    ),
    Case(
        of=subscriptions.give_back_plan,
        name="by its invoice",
        writes=[subscriptions.give_back_plan(USER, 1001, invoice_id=100)],
        before=rows_of(CLAIM),
    ),
    Case(
        of=subscriptions.give_back_plan,
        name="where there is none",
        writes=[subscriptions.give_back_plan(USER, 1001, invoice_id=100)],
    ),
    Case(
        of=subscriptions.give_back_plan,
        name="another invoice's",
        writes=[subscriptions.give_back_plan(USER, 1001, invoice_id=101)],
        before=rows_of(CLAIM),
        refused=Unexpected,
    ),
    Case(of=subscriptions.claim_trial, name="the first", writes=[TRIAL]),
    Case(of=subscriptions.claim_trial, name="again by its invoice", writes=[TRIAL], before=rows_of(TRIAL)),
    Case(
        of=subscriptions.claim_trial,
        name="taken by another invoice",
        writes=[subscriptions.claim_trial(subscriptions.trial_claim_key(USER, 1001), invoice_id=101)],
        before=rows_of(TRIAL),
        refused=subscriptions.TrialAlreadyTaken,
    ),
    Case(of=timeline.new, name="the first", writes=[ACTIVITY]),
    Case(of=timeline.new, name="again", writes=[ACTIVITY], before=rows_of(ACTIVITY)),
)

CASES = (*SESSIONS, *KEYED, *WAITING, *HELD)
