"""One run: a seed, so many steps, and an end where everything comes to rest; the same every time, to the byte."""

from __future__ import annotations

import hashlib
import math
import random
import traceback
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.books.billing.model import Invoice
from chalicelib.books.drift.model import Difference, DriftKind, DriftStatus
from chalicelib.books.drift.queries import drifts
from tests.books import what_is_wrong
from tests.simulation.actors import live
from tests.simulation.actors.deliver import post
from tests.simulation.actors.reconcile import catch_up, compare
from tests.simulation.actors.work import work
from tests.simulation.cast import CAST, INTERRUPTING, Actor
from tests.simulation.stage import Stage, a_stage

STEPS = 200
RECONCILED_TIMES = 2
GONE_ROUND_TIMES = 16
"""So often until the comparison that goes round has looked at everything of the last 120 days."""
ROUNDS_MAX = 400
ROUND_SECONDS_MIN = 3600
LIVED_ON_DAYS = 33
LIVED_ON = 1 / 6
"""How many of the runs live on: a healthy month costs a fifth of a run, and most of what it shows shows in few."""
COMPARED = 1 / 3
"""How many of the runs compare everything at their end: the books are looked at in each, and acts compare too."""
OF_CUSTOMERS = frozenset(
    {
        "customer.updated",
        "customer.deleted",
        "payment_method.attached",
        "payment_method.detached",
        "payment_method.updated",
        "setup_intent.succeeded",
        "setup_intent.setup_failed",
    }
)
"""Types of events that may end parked where a customer was deleted at Stripe: they tell of nobody whom we know."""


@dataclass
class Result:
    """What a run came to. `wrong` is empty where every invariant held."""

    seed: int
    steps: int
    wrong: list[str]
    failed_at: int | None
    calls: int = 0
    days: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    digest: str = ""


@dataclass(frozen=True)
class Cut:
    """A run of which something is left out: all steps but `only`, and the faults of the steps `calm`."""

    only: frozenset[int] | None = None
    calm: frozenset[int] = frozenset()


WHOLE = Cut()


def run(seed: int, *, steps: int = STEPS, cut: Cut = WHOLE, told: Callable[[str], None] | None = None) -> Result:
    """Run a seed until something is wrong, or to its end. `told` hears every act and outside call."""
    rng = random.Random()
    with a_stage(rng) as stage:
        began = stage.now
        _draw(stage, f"{seed}/deployment")
        stage.decide()
        stage.told = stage.outside.told = told
        stage.outside.interrupt = lambda: _interrupt(stage)
        failed_at: int | None = None
        played = [number for number in range(1, steps + 1) if cut.only is None or number in cut.only]
        for number in played:
            _draw(stage, f"{seed}/{number}")
            stage.faulty = number not in cut.calm
            _tried(stage, lambda: _step(stage, number))  # noqa: B023  # called at once
            if stage.wrong:
                failed_at = number
                break
        else:
            _draw(stage, f"{seed}/end")
            stage.faulty = False
            _tried(stage, lambda: _end(stage))
        return Result(
            seed=seed,
            steps=len(played) if failed_at is None else played.index(failed_at) + 1,
            wrong=stage.wrong,
            failed_at=failed_at,
            calls=stage.outside.calls,
            days=(stage.now - began).total_seconds() / 86_400,
            counts=stage.outside.counts,
        )


def digest(seed: int, *, steps: int = STEPS) -> str:
    """A run as one number: every act, every outside call with what it asked, every row at the end."""
    told = hashlib.sha256()
    run(seed, steps=steps, told=lambda line: told.update(line.encode() + b"\n"))
    return told.hexdigest()


def _tried(stage: Stage, play: Callable[[], None]) -> None:
    """What breaks the simulation itself is a failure of the run too: it has a seed and a trace like every other."""
    try:
        play()
    except Exception as error:  # noqa: BLE001
        last = traceback.extract_tb(error.__traceback__)[-1]
        stage.complain(f"{error!r} at {last.filename}:{last.lineno}")


def _step(stage: Stage, number: int) -> None:
    if stage.told is not None:
        stage.told(f"-- step {number}, {stage.now:%d %b %H:%M:%S}")
    _one_of(stage, CAST)(stage)
    stage.look()


def _interrupt(stage: Stage) -> None:
    _one_of(stage, INTERRUPTING)(stage)


def _one_of(stage: Stage, cast: Collection[tuple[Actor, int]]) -> Actor:
    actors, weights = zip(*cast, strict=True)
    chosen: Actor = stage.rng.choices(actors, weights)[0]
    return chosen


def _draw(stage: Stage, place: str) -> None:
    stage.rng.seed(place)
    stage.chance.seed(f"{place}/faults")


def _end(stage: Stage) -> None:
    """The network decides, everything is delivered, every deadline passes; then the books must add up, and where the
    reconciler compares, it finds no difference.
    """
    for intent in stage.at_stripe("payment_intent"):
        if intent["status"] == "processing":
            stage.at_dashboard(f"/_control/process/{intent['id']}", {"success": True})
    catch_up(stage)
    lived_on = (_live_on,) if stage.rng.random() < LIVED_ON else ()
    for come_on in (_rest, *lived_on, _reconcile, _rest):
        come_on(stage)
        if stage.wrong:
            return
    deleted = any(customer.get("deleted") for customer in stage.at_stripe("customer"))
    parked = OF_CUSTOMERS if deleted else frozenset[str]()
    stage.look()
    for wrong in (*stage.watch.courses.refills(), *what_is_wrong(stage, parked=parked)):
        stage.complain(wrong)
    if stage.told is not None:
        for item in stage.memory.copy():
            stage.told(repr(item))


def _rest(stage: Stage) -> None:
    """Until nothing is due, and nothing waits but what recurs."""
    for _ in range(ROUNDS_MAX):
        _deliver_and_work(stage)
        waits, now = stage.waits(), stage.now.timestamp()
        if waits.to_be_ended == math.inf and min(waits.first, waits.pages) > now:
            return
        _healthy(stage, max(min(waits.first, waits.pages) - now, ROUND_SECONDS_MIN))
    stage.complain(f"not at rest after {ROUNDS_MAX} rounds")


def _live_on(stage: Stage) -> None:
    """Weeks in which everything is done on its day."""
    courses = stage.watch.courses
    courses.begin_health()
    until = stage.now.timestamp() + LIVED_ON_DAYS * 86_400
    for _ in range(ROUNDS_MAX):
        now = stage.now.timestamp()
        if now >= until:
            return
        _healthy(stage, min(max(stage.waits().first - now, 1), until - now))
        _deliver_and_work(stage)
        for wrong in courses.gaps():
            stage.complain(wrong)
    stage.complain(f"there is something to do {ROUNDS_MAX} times in {LIVED_ON_DAYS} days")


def _healthy(stage: Stage, seconds: float) -> None:
    stage.pass_time(seconds)
    live.tick(stage, swept=True)
    stage.look()


def _reconcile(stage: Stage) -> None:
    """Whatever differs is mended, once it is old enough to be compared."""
    stage.pass_time(timedelta(hours=1).total_seconds())
    catch_up(stage)  # what was lost just before the end is old enough to be missed by now
    _deliver_and_work(stage)
    if not stage.lost_sight and stage.rng.random() > COMPARED:
        return
    for _ in range(GONE_ROUND_TIMES if stage.lost_sight else RECONCILED_TIMES):
        compare(stage)
        stage.pass_time(timedelta(minutes=16).total_seconds())
        _deliver_and_work(stage)
    for drift in drifts(stage.table, DriftStatus.OPEN, limit=100).items:
        difference = drift.difference
        if difference.kind is DriftKind.DUPLICATE_CUSTOMER:
            continue  # a death leaves one now and then; see books.py
        if difference.kind is DriftKind.CHARGED_NOT_FULFILLED and _is_owed(stage, difference):
            continue  # the bank sent back its refund, or gave us right in a dispute: staff must find another way
        stage.complain(f"the reconciler finds {difference!r}")


def _is_owed(stage: Stage, difference: Difference) -> bool:
    item = stage.memory.get((f"USER#{difference.user_id}", f"INVOICE#{difference.invoice_id:016d}"))
    if item is None:
        return False
    invoice = Invoice.model_validate_json(item["doc"]["S"])
    return invoice.undelivered


def _deliver_and_work(stage: Stage) -> None:
    while True:
        outgoing = stage.standin.take_delivery(int(stage.now.timestamp()))
        if outgoing is None:
            if not stage.queue.waits:
                return
            work(stage, most=10)
            continue
        accepted = post(stage, outgoing, "at the end")
        stage.standin.report_delivery(outgoing.id, delivered=accepted, now=int(stage.now.timestamp()))
