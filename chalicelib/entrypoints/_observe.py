"""What each request and event did, cost and said: one line a request, and metrics in CloudWatch's embedded format.

A line has the route's template and never the address, ids and never names, counts and never contents. Everything that
is written, tracebacks and the lines of libraries too, goes through `_scrub`.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from contextvars import Token
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from chalicelib.dynamo.table import Usage, usage
from chalicelib.entrypoints._scrub import scrubbed, scrubbed_value
from chalicelib.kernel.meter import Meter, meter

if TYPE_CHECKING:
    from aws_lambda_powertools.metrics import Metrics

    from chalicelib.entrypoints._auth import Caller

NAMESPACE = "Purser"
SERVICE = "purser"

_log = logging.getLogger("chalicelib.requests")
_with_metrics = True


def start_logging(*, plain: bool = False, stream: TextIO | None = None) -> None:
    """Send every logger's lines through the scrubber: as JSON to CloudWatch, or `plain` to `stream` (standard error).

    The one setting of the local run is `plain`, which also leaves the metrics out. Called again, it replaces itself.
    """
    global _with_metrics  # noqa: PLW0603  # one process, one log
    _with_metrics = not plain
    formatter: logging.Formatter = PlainFormatter() if plain else JsonFormatter(service=SERVICE, utc=True)
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _OwnHandler):
            root.removeHandler(handler)
    # Lambda's runtime has a handler of its own there, which writes where CloudWatch reads.
    of_lambda = [handler for handler in root.handlers if type(handler).__name__.startswith("Lambda")]
    for handler in of_lambda:
        handler.setFormatter(formatter)
    if not of_lambda:
        own = _OwnHandler(stream, errors=plain)
        own.setFormatter(formatter)
        root.addHandler(own)
    for name in ("chalicelib", "app"):
        logging.getLogger(name).setLevel(logging.INFO)


class JsonFormatter(LambdaPowertoolsFormatter):
    """Powertools' JSON line with every value scrubbed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(serialize_stacktrace=False, **options)

    def serialize(self, log: Any) -> str:
        flat = {name: value for name, value in log.items() if name != "fields"} | log.get("fields", {})
        return super().serialize({name: scrubbed_value(name, value) for name, value in flat.items()})


class PlainFormatter(logging.Formatter):
    """A line for a person at a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", None)
        text = super().format(record)
        return scrubbed(text) if fields is None else f"{scrubbed(text)} {_plain(fields)}"


class _OwnHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream that is looked up at each line, since tests and servers replace the standard ones."""

    def __init__(self, stream: TextIO | None, *, errors: bool) -> None:
        self._given = stream
        self._errors = errors
        super().__init__()

    @property
    def stream(self) -> TextIO:
        return self._given or (sys.stderr if self._errors else sys.stdout)

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """What logging sets at construction; the property decides."""


@dataclass
class Observed:
    """One request on its way. `end` writes its line; `slug` is the refusal, if it was one."""

    request_id: str
    method: str
    route: str
    caller: Caller | None = None
    academy_id: int | None = None
    slug: str | None = None
    used: Usage = field(default_factory=Usage)
    metered: Meter = field(default_factory=Meter)
    started: float = field(default_factory=time.perf_counter)
    tokens: tuple[Token[Usage | None], Token[Meter | None]] | None = None

    def failed(self) -> None:
        """Log the exception at hand with its traceback. Inside an `except` only."""
        _log.exception("request failed", extra={"request_id": self.request_id, "route": f"{self.method} {self.route}"})

    def end(self, status: int) -> None:
        if self.tokens is not None:
            usage.reset(self.tokens[0])
            meter.reset(self.tokens[1])
            self.tokens = None
        milliseconds = round((time.perf_counter() - self.started) * 1000, 1)
        fields = {
            "request_id": self.request_id,
            "method": self.method,
            "route": self.route,
            "status": status,
            "slug": self.slug,
            "academy_id": self.academy_id,
            "caller": None if self.caller is None else str(self.caller.kind),
            "user_id": None if self.caller is None else self.caller.user_id,
            "milliseconds": milliseconds,
            "table_calls": self.used.calls,
            "table_units": self.used.units,
            "stripe_calls": self.metered.stripe_calls,
        }
        known = {name: value for name, value in fields.items() if value is not None}
        _log.info("request", extra={"fields": known})
        if _with_metrics:
            self._emit(status, milliseconds)

    def _emit(self, status: int, milliseconds: float) -> None:
        """Metrics without dimensions of their own: each route as one would cost as much as the requests."""
        metrics = _metrics()
        for name, unit, value in (
            ("Requests", "Count", 1),
            ("Failures", "Count", int(status >= 500)),
            ("Latency", "Milliseconds", milliseconds),
            ("TableUnits", "Count", self.used.units),
            ("StripeCalls", "Count", self.metered.stripe_calls),
        ):
            metrics.add_metric(name=name, unit=unit, value=value)
        metrics.add_metadata("route", f"{self.method} {self.route}")
        metrics.flush_metrics()


def begin(request_id: str, method: str, route: str) -> Observed:
    """Start measuring what this request costs."""
    observed = Observed(request_id, method, route)
    observed.tokens = (usage.set(observed.used), meter.set(observed.metered))
    return observed


def log_failure(what: str) -> None:
    """Log the exception at hand. Inside an `except` only."""
    _log.exception("%s failed", what)


def count(name: str) -> None:
    """One more of something that is watched; alarms are set on some of them (infra/)."""
    _log.info("counted", extra={"fields": {"metric": name}})
    if _with_metrics:
        metrics = _metrics()
        metrics.add_metric(name=name, unit="Count", value=1)
        metrics.flush_metrics()


def measure(values: Mapping[str, int]) -> None:
    """Several numbers of one run, by the names of their metrics."""
    _log.info("measured", extra={"fields": dict(values)})
    if _with_metrics:
        metrics = _metrics()
        for name, value in values.items():
            metrics.add_metric(name=name, unit="Count", value=value)
        metrics.flush_metrics()


@cache
def _metrics() -> Metrics:
    from aws_lambda_powertools.metrics import Metrics

    return Metrics(namespace=NAMESPACE, service=SERVICE)


def _plain(fields: dict[str, Any]) -> str:
    """A request's line begins with what it was; of other lines every field is like every other."""
    told = dict(fields)
    begins = ""
    if "route" in told:
        begins = " ".join(str(told.pop(name)) for name in ("method", "route", "status", "milliseconds")) + " ms "
    return begins + " ".join(f"{name}={scrubbed_value(name, value)}" for name, value in told.items())
