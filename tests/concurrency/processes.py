"""A worker or a receiver as a process of its own, to be killed: `python -m tests.concurrency.processes ROLE`.

Settings come from the environment, as in Lambda; what only a test says comes as one JSON line on standard input:
`clock_ahead_seconds` of the real time, and `mails_file`, which gets the id of each mail that is sent. Prints one line
when it is ready (a receiver prints its address), and ends when standard input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from chalicelib.books.outbox.port import Mail
from chalicelib.entrypoints import _wiring, schedules, workers
from chalicelib.entrypoints._wiring import Runtime, system_clock
from chalicelib.settings import Settings, from_environment
from local.gateway import Gateway
from local.pump import Pump

SWEEP_EVERY_SECONDS = 1.0
PUMPS = 2


class FileMailer:
    """A mail that was sent is a line in a file: that outlives the process, and shows what was sent twice."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def send(self, mail: Mail, *, message_id: str) -> None:
        os.write(self._descriptor, f"{message_id}\n".encode())


def main() -> None:
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    settings = from_environment(lambda prefix, region: {})
    ahead = timedelta(seconds=told["clock_ahead_seconds"])
    runtime = Runtime(settings, clock=lambda: system_clock() + ahead)
    runtime.__dict__["mailer"] = FileMailer(Path(told["mails_file"]))
    _wiring.install(runtime)
    {"worker": work, "receiver": serve}[sys.argv[1]](settings)


def work(settings: Settings) -> None:
    """What Lambda's queue triggers and the minute's tick do, in a hurry."""
    pumps = [_pump("inbox", settings.inbox_queue_url, settings, workers.handle_inbox) for _ in range(PUMPS)]
    pumps.append(_pump("outbox", settings.outbox_queue_url, settings, workers.handle_outbox))
    pumps.append(_pump("holdings", settings.holdings_queue_url, settings, workers.handle_holdings))
    for pump in pumps:
        pump.start()
    _say("ready")
    while True:
        schedules.sweep({})
        schedules.renew({})
        time.sleep(SWEEP_EVERY_SECONDS)


def serve(settings: Settings) -> None:
    """The application behind a port."""
    from app import app

    gateway = Gateway(app, port=0, local_routes=_nothing_local)
    _say(gateway.url)
    gateway.serve()


def _pump(name: str, queue_url: str, settings: Settings, handle: Any) -> Pump:
    return Pump(
        name=name,
        queue_url=queue_url,
        region=settings.region,
        endpoint_url=str(settings.sqs_url),
        worker=lambda event, context: handle(event),
    )


def _nothing_local(event: dict[str, Any]) -> Mapping[str, Any]:
    return {"statusCode": 404, "headers": {}, "multiValueHeaders": {}, "body": ""}


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _end_with_standard_input() -> None:
    while os.read(0, 1024):
        continue
    os._exit(0)


if __name__ == "__main__":
    main()
