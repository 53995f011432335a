"""The switchboard: every route and every event function of the deployment, by name. No logic.

`api_handler` (Chalice's name for the function behind API Gateway) is this `app`. The queues' real names are set when
the template is packaged (infra/template.py); the ones here are for Chalice's own checks. Handlers of events get what
Lambda was given, and what they return is what Lambda returns: `{"batchItemFailures": [{"itemIdentifier": ...}]}` for
the messages of a batch that must come again.
"""

from __future__ import annotations

import gc

gc.disable()  # what imports and the first request make is kept: looking for garbage in it is a tenth of a cold start

from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, CloudWatchEvent, Rate, Response, SQSEvent

from chalicelib.entrypoints import _dispatch, _observe
from chalicelib.entrypoints._served import SERVED

BATCH_MESSAGES_MAX = 10
HOLDINGS_BATCH_MAX = 5  # each may ask Stripe for money, which takes seconds

_observe.start_logging()
app = Chalice(app_name="purser", configure_logs=False)
app.api.binary_types = list(_dispatch.BINARY_TYPES)


def _view(path: str, methods: tuple[str, ...]) -> Callable[..., Response]:
    def view(**_variables: str) -> Response:
        request = app.current_request
        if request is None:
            raise LookupError("a view was called without a request")
        if request.method == "OPTIONS":
            return _dispatch.preflight(methods, request)
        answer = _dispatch.respond(_dispatch.route_of(path, request.method), request)
        _started()
        return answer

    return view


def _started() -> None:
    """From here on garbage is collected, among what is made from here on."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


for _path, (_, _methods) in SERVED.items():
    # No content types: Chalice would answer 415 in its own words; `_http.parse_json` does in ours.
    app.route(_path, methods=[*_methods, "OPTIONS"], content_types=[])(_view(_path, _methods))


@app.on_sqs_message(queue="purser-inbox", batch_size=BATCH_MESSAGES_MAX)
def inbox_worker(event: SQSEvent) -> Any:
    from chalicelib.entrypoints import workers

    handled = workers.handle_inbox(event.to_dict())
    _started()
    return handled


@app.on_sqs_message(queue="purser-outbox", batch_size=BATCH_MESSAGES_MAX)
def outbox_worker(event: SQSEvent) -> Any:
    from chalicelib.entrypoints import workers

    handled = workers.handle_outbox(event.to_dict())
    _started()
    return handled


@app.on_sqs_message(queue="purser-holdings", batch_size=HOLDINGS_BATCH_MAX)
def holdings_worker(event: SQSEvent) -> Any:
    from chalicelib.entrypoints import workers

    handled = workers.handle_holdings(event.to_dict())
    _started()
    return handled


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep_tick(event: CloudWatchEvent) -> Any:
    from chalicelib.entrypoints import schedules

    swept = schedules.sweep(event.to_dict())
    _started()
    return swept


@app.schedule(Rate(1, unit=Rate.MINUTES))
def renew_tick(event: CloudWatchEvent) -> Any:
    from chalicelib.entrypoints import schedules

    renewed = schedules.renew(event.to_dict())
    _started()
    return renewed


@app.schedule(Rate(5, unit=Rate.MINUTES))
def catch_up_tick(event: CloudWatchEvent) -> Any:
    from chalicelib.entrypoints import schedules

    caught_up = schedules.catch_up(event.to_dict())
    _started()
    return caught_up


@app.schedule(Rate(15, unit=Rate.MINUTES))
def compare_tick(event: CloudWatchEvent) -> Any:
    from chalicelib.entrypoints import schedules

    compared = schedules.compare(event.to_dict())
    _started()
    return compared
