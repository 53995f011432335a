"""`/_local/...`: the clock, fresh customers and the mails of the local run. A deployed stage has none of it.

They are served by the app's own dispatcher, so they have its error shape, its limits and its CORS headers, but they are
never registered: the app's routes and its documentation do not know them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from chalice.app import Request
from msgspec import Meta
from pydantic import Field

from chalicelib.entrypoints import _dispatch, _http
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Handler, Output, Query, Route
from chalicelib.kernel.errors import FieldProblem, InvalidRequest
from local.clock import EndOfTime, MovableClock
from local.mailbox import Mailbox
from local.people import Registry
from local.timeline import Timeline

ADVANCE_SECONDS_MAX = 3653 * 86_400  # ten years with their leap days
MAIL_ADDRESS_CHARACTERS_MAX = 254


class AdvanceBody(Input):
    advance_seconds: int = Field(ge=0, le=ADVANCE_SECONDS_MAX)


class ClockAnswer(Output):
    now: int


class CustomerAnswer(Output):
    token: str
    bearer: str
    user_id: int
    email: str


class MailsQuery(Query):
    to: Annotated[str, Meta(max_length=MAIL_ADDRESS_CHARACTERS_MAX)] | None = None


class MailSeen(Output):
    to: str
    subject: str
    text: str
    html: str


class LocalRoutes:
    """Serves a proxy event below `/_local/`."""

    def __init__(self, *, clock: MovableClock, timeline: Timeline, registry: Registry, mailbox: Mailbox) -> None:
        self._clock = clock
        self._timeline = timeline
        self._registry = registry
        self._mailbox = mailbox
        self._paths: Mapping[str, _dispatch.Methods] = {
            "/_local/clock": {
                "GET": _route("GET", "/_local/clock", self._read_clock, ClockAnswer),
                "POST": _route("POST", "/_local/clock", self._advance, ClockAnswer, body=AdvanceBody),
            },
            "/_local/customers": {"POST": _route("POST", "/_local/customers", self._new_customer, CustomerAnswer)},
            "/_local/mails": {"GET": _route("GET", "/_local/mails", self._mails, list[MailSeen], query=MailsQuery)},
        }

    def __call__(self, event: dict[str, Any]) -> Mapping[str, Any]:
        request = Request(event)
        methods = self._paths.get(request.path)
        if methods is not None and request.method == "OPTIONS":
            return _rendered(_dispatch.preflight(methods, request))
        if methods is None:
            return _rendered(_dispatch.respond(_refusing(request, _http.RouteNotFound()), request))
        if request.method not in methods:
            refused = _refusing(request, _http.MethodNotAllowed(method=request.method))
            response = _rendered(_dispatch.respond(refused, request))
            return {**response, "headers": {**response["headers"], "Allow": ", ".join([*methods, "OPTIONS"])}}
        return _rendered(_dispatch.respond(methods[request.method], request))

    def _read_clock(self, _call: Call) -> Answer:
        return Answer(200, ClockAnswer(now=self._clock.seconds()))

    def _advance(self, _call: Call, body: AdvanceBody) -> Answer:
        try:
            self._timeline.advance(body.advance_seconds)
        except EndOfTime as error:
            raise InvalidRequest([FieldProblem("advance_seconds", str(error))]) from error
        return Answer(200, ClockAnswer(now=self._clock.seconds()))

    def _new_customer(self, call: Call) -> Answer:
        made = self._registry.new_customer(call.now)
        answer = CustomerAnswer(token=made.token, bearer=made.bearer, user_id=made.user_id, email=made.email)
        return Answer(201, answer)

    def _mails(self, _call: Call, query: MailsQuery) -> Answer:
        return Answer(200, [MailSeen(**mail) for mail in self._mailbox.sent(query.to)])


def _route(
    method: str,
    path: str,
    handler: Handler,
    answer: Any,
    *,
    body: type[Input] | None = None,
    query: type[Query] | None = None,
) -> Route:
    return Route(
        method=method,
        path=path,
        access=Access.PUBLIC,
        capability=None,
        handler=handler,
        body=body,
        query=query,
        variables={},
        answers={200: answer},
        errors=(),
        keyed=False,
        body_bytes_max=_http.BODY_BYTES_MAX,
    )


def _refusing(request: Request, refusal: Exception) -> Route:
    """A route that only says no, so that the answer is made where all others are."""

    def refuse(_call: Call) -> Answer:
        raise refusal

    return _route(request.method, request.path, refuse, None)


def _rendered(response: Any) -> Mapping[str, Any]:
    rendered: Mapping[str, Any] = response.to_dict([])
    return rendered
