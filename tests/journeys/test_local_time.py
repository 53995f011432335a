"""The clock that moves day by day, and the pump that calls the workers as Lambda does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.table import Due
from local.clock import EndOfTime, MovableClock
from local.due import Waiting
from local.ministack import Ministack
from local.pump import Pump
from local.resources import INBOX_QUEUE, client, make_resources
from local.timeline import DAY_SECONDS, ROUNDS_PER_STEP_MAX, Recurring, Timeline, Unsettled

REGION = "us-east-1"


class Work:
    """A schedule that finds `due` rounds of work at each step, and remembers the days."""

    def __init__(self, clock: MovableClock, due: int = 0) -> None:
        self.seen: list[float] = []
        self._clock = clock
        self._due = due
        self._left = due

    def tick(self, event: dict[str, Any], context: Any) -> dict[str, int]:
        at = self._clock.offset_seconds
        if at not in self.seen:
            self.seen.append(at)
            self._left = self._due
        self._left -= 1
        return {"rows": int(self._left >= 0)}


class Couriers:
    def __init__(self) -> None:
        self.settled = 0

    def settle(self, timeout_seconds: float) -> bool:
        self.settled += 1
        return True


class Counting:
    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked

    def settle(self, timeout_seconds: float) -> bool:
        self._asked()
        return True


class TestTheClock:
    def test_tells_aware_utc_ahead_of_the_machine(self) -> None:
        clock = MovableClock()
        clock.advance(3600)
        ahead = clock.now() - datetime.now(UTC)
        assert clock.now().tzinfo is UTC
        assert 3590 < ahead.total_seconds() <= 3600

    def test_never_goes_back_and_ends(self) -> None:
        clock = MovableClock()
        with pytest.raises(ValueError, match="never goes back"):
            clock.advance(-1)
        with pytest.raises(EndOfTime):
            clock.advance(100 * 366 * DAY_SECONDS)
        assert clock.offset_seconds == 0


class TestAdvancing:
    def test_stops_at_every_day_and_at_the_end(self) -> None:
        clock = MovableClock()
        work, couriers = Work(clock), Couriers()
        Timeline(clock, tick=work.tick, pumps=(), webhooks=couriers).advance(2 * DAY_SECONDS + 60)
        assert work.seen == [0, DAY_SECONDS, 2 * DAY_SECONDS, 2 * DAY_SECONDS + 60]
        assert couriers.settled == len(work.seen)

    def test_goes_on_with_a_day_until_it_has_settled(self) -> None:
        clock = MovableClock()
        work, couriers = Work(clock, due=3), Couriers()
        Timeline(clock, tick=work.tick, pumps=(), webhooks=couriers).advance(60)
        assert couriers.settled == 2 * 4

    def test_reconciles_each_four_weeks_and_at_the_end_until_nothing_more_is_found(self) -> None:
        clock = MovableClock()
        work = Work(clock)
        at: list[float] = []
        found = iter([1, 0, 0])

        def reconcile(event: dict[str, Any], context: Any) -> dict[str, int]:
            at.append(clock.offset_seconds / DAY_SECONDS)
            return {"events": next(found)}

        timeline = Timeline(clock, tick=work.tick, pumps=(), webhooks=None, reconcilers=(reconcile,))
        timeline.advance(30 * DAY_SECONDS)
        assert at == [28, 28, 30]

    def test_gives_up_on_differences_that_never_end(self) -> None:
        clock = MovableClock()

        def reconcile(event: dict[str, Any], context: Any) -> dict[str, int]:
            return {"events": 1}

        timeline = Timeline(clock, tick=Work(clock).tick, pumps=(), webhooks=None, reconcilers=(reconcile,))
        with pytest.raises(Unsettled):
            timeline.advance(60)

    def test_gives_up_on_a_day_that_never_settles(self) -> None:
        clock = MovableClock()
        work = Work(clock, due=ROUNDS_PER_STEP_MAX + 1)
        with pytest.raises(Unsettled):
            Timeline(clock, tick=work.tick, pumps=(), webhooks=None).advance(DAY_SECONDS)

    def test_moves_nothing_where_it_would_pass_the_end(self) -> None:
        clock = MovableClock()
        work = Work(clock)
        with pytest.raises(EndOfTime):
            Timeline(clock, tick=work.tick, pumps=(), webhooks=None).advance(90 * 366 * DAY_SECONDS)
        assert (clock.offset_seconds, work.seen) == (0, [])


class Plans:
    """Holdings, each due at its instants (days from the beginning): what a tick nudges and a worker then does."""

    def __init__(self, clock: MovableClock, **days: list[float]) -> None:
        self.done: list[tuple[str, float]] = []
        self.away = False
        self.others: datetime | None = clock.now()
        self.webhooks = False
        self._clock = clock
        self._begun = clock.now()
        self._days = days
        self._nudged: list[Due] = []

    def due(self, at: datetime) -> list[Due]:
        found = [Due(Key("USER#1", name), self._begun + timedelta(days=days[0])) for name, days in self._left()]
        return sorted((one for one in found if one.at <= at), key=lambda one: one.at)

    def tick(self, event: dict[str, Any], context: Any) -> dict[str, int]:
        self._nudged += self.due(self._clock.now())
        return {"holdings": len(self._nudged)}

    def drain(self) -> int:
        nudged, self._nudged = self._nudged, []
        for one in nudged:
            if not self.away:
                self._days[one.key.sk].pop(0)
                self.done.append((one.key.sk, round(self._clock.offset_seconds / DAY_SECONDS, 3)))
        return len(nudged)

    def timeline(self, *reconcilers: Callable[..., Any]) -> Timeline:
        self.work = Work(self._clock)
        recurring = Recurring(self.tick, cast(Pump, self), self._waiting)
        return Timeline(
            self._clock, tick=self.work.tick, pumps=(), webhooks=None, recurring=recurring, reconcilers=reconcilers
        )

    def _waiting(self, at: datetime) -> Waiting:
        others = self.others if self.others is not None and self.others <= at else None
        return Waiting(self.due(at), others, self.webhooks)

    def _left(self) -> list[tuple[str, list[float]]]:
        return [(name, days) for name, days in self._days.items() if days]


class TestWhatRecurs:
    def test_is_done_at_its_instant_the_earliest_first(self) -> None:
        clock = MovableClock()
        plans = Plans(clock, a=[0.75, 2.25], b=[0.5], c=[9])
        plans.timeline().advance(3 * DAY_SECONDS)
        assert plans.done == [("b", 0.5), ("a", 0.75), ("a", 2.25)]

    def test_comes_to_the_same_in_one_move_as_in_many(self) -> None:
        done = []
        for moves in (1, 32):
            clock = MovableClock()
            plans = Plans(clock, a=[0.1 + 1.3 * number for number in range(20)], b=[5.5, 30.2], c=[31.9])
            for _ in range(moves):
                plans.timeline().advance(32 * DAY_SECONDS // moves)
            done.append(plans.done)
        assert done[0] == done[1]
        assert len(done[0]) == 23

    def test_that_is_due_within_an_hour_is_done_together(self) -> None:
        clock = MovableClock()
        plans = Plans(clock, a=[0.5], b=[0.51], c=[0.53])
        plans.timeline().advance(DAY_SECONDS)
        assert plans.done == [("a", 0.5), ("b", 0.542), ("c", 0.542)]

    def test_leaves_days_out_in_which_nothing_at_all_is_due(self) -> None:
        clock = MovableClock()
        plans = Plans(clock, a=[2.5])
        plans.timeline().advance(3 * DAY_SECONDS)
        assert [seen / DAY_SECONDS for seen in plans.work.seen] == [0, 1, 2, 2.5, 3]
        plans.others = None
        stops: list[float] = []
        reconciled = plans.timeline(lambda *_: stops.append(clock.offset_seconds / DAY_SECONDS))
        reconciled.advance(30 * DAY_SECONDS)
        assert (plans.work.seen, stops) == ([], [31, 33])

    def test_leaves_out_the_days_before_the_one_in_which_anything_else_is_due(self) -> None:
        clock = MovableClock()
        plans = Plans(clock, a=[4.5])
        plans.others = clock.now() + timedelta(days=20.5)
        plans.timeline().advance(23 * DAY_SECONDS)
        assert plans.done == [("a", 4.5)]
        assert [seen / DAY_SECONDS for seen in plans.work.seen] == [21, 22, 23]

    def test_passes_no_day_unseen_while_a_webhook_waits_and_sweeps_nothing_for_it(self) -> None:
        clock = MovableClock()
        plans = Plans(clock)
        plans.others, plans.webhooks = None, True
        asked: list[float] = []
        waiting = plans.timeline()
        waiting._webhooks = Counting(lambda: asked.append(round(clock.offset_seconds / DAY_SECONDS)))
        waiting.advance(3 * DAY_SECONDS)
        assert (asked, plans.work.seen) == ([0, 1, 2, 3], [])

    def test_that_cannot_be_done_holds_up_nothing_and_waits(self) -> None:
        clock = MovableClock()
        plans = Plans(clock, a=[0.5], b=[1.5])
        plans.away = True
        plans.timeline().advance(2 * DAY_SECONDS)
        assert plans.done == []
        plans.away = False
        plans.timeline().advance(DAY_SECONDS)
        assert plans.done == [("a", 2.0), ("b", 2.0)]


class Bench:
    """A pump on a real queue, and what its worker was given."""

    def __init__(self, ministack: Ministack, worker: Callable[[dict[str, Any]], Any]) -> None:
        resources = make_resources(region=REGION, endpoint_url=ministack.url, mail_from="tests@example.com")
        self._url = resources.inbox_queue_url
        self._sqs = client("sqs", region=REGION, endpoint_url=ministack.url)
        self._sqs.purge_queue(QueueUrl=self._url)
        self.given: list[dict[str, Any]] = []
        self._worker = worker
        self.pump = Pump(
            name=INBOX_QUEUE, queue_url=self._url, region=REGION, endpoint_url=ministack.url, worker=self._work
        )

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def left(self) -> int:
        """Messages that were not deleted, whether or not they can be seen now."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def _work(self, event: dict[str, Any], _context: Any) -> Any:
        self.given.append(event)
        return self._worker(event)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")


class TestThePump:
    def test_hands_over_batches_of_ten_as_lambda_does_and_deletes_them(self, ministack: Ministack) -> None:
        bench = Bench(ministack, lambda event: {"batchItemFailures": []})
        bench.send(*(json.dumps({"event_id": f"evt_{number}"}) for number in range(12)))
        assert bench.pump.drain() == 12
        assert bench.left() == 0
        assert [len(event["Records"]) for event in bench.given] == [10, 2]
        record = bench.given[0]["Records"][0]
        assert {"messageId", "receiptHandle", "body", "attributes", "eventSourceARN"} <= set(record)
        assert record["eventSource"] == "aws:sqs"
        assert record["attributes"]["ApproximateReceiveCount"] == "1"

    def test_keeps_the_messages_that_failed(self, ministack: Ministack) -> None:
        def fail_bad_ones(event: dict[str, Any]) -> Any:
            failed = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
            return {"batchItemFailures": [{"itemIdentifier": ident} for ident in failed]}

        bench = Bench(ministack, fail_bad_ones)
        bench.send("good", "bad", "good")
        assert bench.pump.drain() == 3
        assert bench.left() == 1

    def test_keeps_the_whole_batch_where_the_worker_raises(self, ministack: Ministack) -> None:
        def broken(event: dict[str, Any]) -> Any:
            raise RuntimeError("broken")

        bench = Bench(ministack, broken)
        bench.send("one", "two")
        assert bench.pump.drain() == 2
        assert bench.left() == 2

    def test_works_by_itself_once_started_and_no_more_once_stopped(self, ministack: Ministack) -> None:
        bench = Bench(ministack, lambda event: None)
        bench.pump.start()
        bench.send("one")
        bench.pump.wake()
        deadline = datetime.now(UTC).timestamp() + 10
        while bench.left() and datetime.now(UTC).timestamp() < deadline:
            continue
        bench.pump.stop()
        assert len(bench.given) == 1
        bench.send("two")
        assert (bench.pump.drain(), bench.left()) == (0, 1)
