"""Work: workers take nudges out of the queues, in any order; what was not finished comes again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from chalicelib.entrypoints import workers
from tests.simulation.stage import Stage
from tests.world import batch

BATCH_MAX = 4
T = TypeVar("T")
Handle = Callable[[Any], dict[str, Any]]


def act(stage: Stage) -> None:
    work(stage, most=BATCH_MAX)


def work(stage: Stage, *, most: int) -> None:
    """One batch of each queue."""
    _one(stage, stage.queue.inbox, lambda event_id: {"event_id": event_id}, workers.handle_inbox, most)
    _one(stage, stage.queue.holdings, lambda key: {"pk": key.pk, "sk": key.sk}, workers.handle_holdings, most)
    _one(stage, stage.queue.outbox, lambda message_id: {"message_id": message_id}, workers.handle_outbox, most)


def _one(stage: Stage, queue: list[T], body: Callable[[T], dict[str, str]], handle: Handle, most: int) -> None:
    if not queue:
        return
    stage.rng.shuffle(queue)
    taken = [queue.pop() for _ in range(min(len(queue), stage.rng.randint(1, most)))]
    answer = stage.act(f"a worker takes {taken}", lambda: handle(batch(map(body, taken))))
    if answer is None:
        queue.extend(taken)
    else:
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        queue.extend(nudge for number, nudge in enumerate(taken) if f"m{number}" in failed)
