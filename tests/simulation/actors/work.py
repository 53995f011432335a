"""Work: workers take nudges out of the queues, in any order; what was not finished comes again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.entrypoints import workers
from tests.simulation.stage import Stage
from tests.world import batch

BATCH_MAX = 4


def act(stage: Stage) -> None:
    work(stage, most=BATCH_MAX)


def work(stage: Stage, *, most: int) -> None:
    """One batch of each queue."""
    _one(stage, "event_id", stage.queue.inbox, workers.handle_inbox, most)
    _one(stage, "message_id", stage.queue.outbox, workers.handle_outbox, most)


def _one(stage: Stage, name: str, queue: list[str], handle: Callable[[Any], dict[str, Any]], most: int) -> None:
    if not queue:
        return
    stage.rng.shuffle(queue)
    taken = [queue.pop() for _ in range(min(len(queue), stage.rng.randint(1, most)))]
    answer = stage.act(f"a worker takes {taken}", lambda: handle(batch(name, taken)))
    if answer is None:
        queue.extend(taken)
    else:
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        queue.extend(ident for number, ident in enumerate(taken) if f"m{number}" in failed)
