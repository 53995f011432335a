"""Where log lines go in Lambda, where the runtime has its own handler, and elsewhere."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from chalicelib.entrypoints import _observe


class LambdaLoggerHandler(logging.StreamHandler[io.StringIO]):
    """Named as the one that Lambda's runtime puts on the root logger."""


@pytest.fixture
def lambda_stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = LambdaLoggerHandler(stream)
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    _observe.start_logging()


class TestStartLogging:
    def test_writes_each_line_once_through_lambdas_own_handler(
        self, lambda_stream: io.StringIO, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _observe.start_logging()
        logging.getLogger("chalicelib.flows").info("to %s", "a@b.example", extra={"event_id": 4242424242424242})
        (line,) = (json.loads(text) for text in lambda_stream.getvalue().splitlines())
        assert (line["message"], line["event_id"], line["service"]) == ("to [scrubbed]", 4242424242424242, "purser")
        assert capsys.readouterr().out == ""

    def test_called_twice_writes_each_line_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        _observe.start_logging()
        _observe.start_logging()
        logging.getLogger("chalicelib.flows").warning("once")
        assert len(capsys.readouterr().out.splitlines()) == 1

    def test_plain_goes_to_standard_error_without_metrics(self, capsys: pytest.CaptureFixture[str]) -> None:
        _observe.start_logging(plain=True)
        _observe.begin("r1", "GET", "/health").end(200)
        _observe.start_logging()
        written = capsys.readouterr()
        assert written.out == ""
        assert "GET /health 200" in written.err

    def test_hides_what_a_traceback_says(self, capsys: pytest.CaptureFixture[str]) -> None:
        _observe.start_logging()
        try:
            raise ValueError("no customer for ada@example.com")
        except ValueError:
            _observe.log_failure("lookup")
        (line,) = (json.loads(text) for text in capsys.readouterr().out.splitlines())
        assert line["exception"].endswith("ValueError: no customer for [scrubbed]")
        assert line["message"] == "lookup failed"

    def test_plain_shows_the_fields_of_lines_that_are_no_requests(self, capsys: pytest.CaptureFixture[str]) -> None:
        _observe.start_logging(plain=True)
        fields = {"event": "evt_1", "status": "parked", "error": "no a@b.example"}
        logging.getLogger("chalicelib.entrypoints.workers").info("event", extra={"fields": fields})
        _observe.count("EventsParked")
        _observe.start_logging()
        first, second = capsys.readouterr().err.splitlines()
        assert first.endswith("INFO event event=evt_1 status=parked error=no [scrubbed]")
        assert second.endswith("counted metric=EventsParked")


class TestCount:
    def test_is_a_metric_that_an_alarm_can_watch(self, capsys: pytest.CaptureFixture[str]) -> None:
        _observe.start_logging()
        _observe.count("EventsParked")
        _, metric = (json.loads(text) for text in capsys.readouterr().out.splitlines())
        assert metric["EventsParked"] == [1.0]
        assert metric["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


class TestMeasure:
    def test_is_one_line_of_several_metrics(self, capsys: pytest.CaptureFixture[str]) -> None:
        _observe.start_logging()
        _observe.measure({"DriftOpen": 0, "DriftAmount": 2})
        line, metric = (json.loads(text) for text in capsys.readouterr().out.splitlines())
        assert (line["message"], line["DriftAmount"]) == ("measured", 2)
        assert (metric["DriftOpen"], metric["DriftAmount"]) == ([0.0], [2.0])
