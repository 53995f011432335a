"""Live: days pass in which everything works: what falls due is done when it is due, though not without faults."""

from __future__ import annotations

from tests.simulation.actors import deliver, reconcile, work
from tests.simulation.stage import Stage

DAYS_MAX = (2, 8, 8, 20, 28)
ROUNDS_MAX = 10
AGAIN_AFTER_SECONDS = 1200
NUDGES_AT_ONCE = 10
SWEPT = 0.15
"""How often what was begun is looked for beside what is due: it costs most, and mostly there is nothing."""


def act(stage: Stage) -> None:
    rng = stage.rng
    until = stage.now.timestamp() + rng.uniform(0.5, rng.choice(DAYS_MAX)) * 86_400
    reconcile.catch_up(stage)
    for _ in range(ROUNDS_MAX):
        now = stage.now.timestamp()
        waits = stage.waits()
        due = max(min(waits.holdings, waits.webhook), now + rng.uniform(1, AGAIN_AFTER_SECONDS))
        if due >= until:
            break
        stage.pass_time(due - now)
        tick(stage, swept=rng.random() < SWEPT)
        work.work(stage, most=NUDGES_AT_ONCE)
        deliver.act(stage)
        stage.look()
    stage.pass_time(max(until - stage.now.timestamp(), 1))


def hurry(stage: Stage) -> None:
    """A tick comes while another one's work is being done, and its workers are quick."""
    tick(stage, swept=False)
    work.work(stage, most=NUDGES_AT_ONCE)


def tick(stage: Stage, *, swept: bool) -> None:
    """Those of the minute's two ticks that have something to do; the sweep only where it is asked for."""
    now = stage.now.timestamp()
    waits = stage.waits()
    if waits.holdings <= now:
        stage.act("the tick of holdings", stage.renew)
    if swept and min(waits.pages, waits.others) <= now:
        stage.act("the sweep", stage.sweep)
