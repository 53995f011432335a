"""A person's reputation, for operators: what it was marked for, and what they decide."""

from __future__ import annotations

from typing import Literal

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing import store as billing_store
from chalicelib.books.billing.model import Standing
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.store import UserNotFound
from chalicelib.dynamo.writes import commit
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route

BY_OPERATOR = "operator"


class MarkOut(Output):
    """`cause`: a dispute at Stripe, an invoice whose refunded units were spent, or `operator`."""

    cause: str
    standing: str


class ReputationOut(Output):
    """`standing` is the worst of the marks: GOOD, BAD or FRAUD. Nobody can buy whose standing is not GOOD."""

    user: int
    standing: str
    marks: list[MarkOut]


class ReputationBody(Input):
    """GOOD takes every mark off."""

    standing: Literal["GOOD", "BAD", "FRAUD"]


@route(
    "GET",
    "/ops/users/{user_id}/reputation",
    access=Access.OPERATOR,
    answers={200: ReputationOut},
    errors=(UserNotFound,),
)
def show_reputation(call: Call, user_id: int) -> Answer:
    """What a person's reputation was marked for."""
    identity.user(call.runtime.table, user_id)
    return Answer(200, _reputation_out(call, user_id))


@route(
    "PUT",
    "/ops/users/{user_id}/reputation",
    access=Access.OPERATOR,
    answers={200: ReputationOut},
    errors=(UserNotFound,),
)
def set_reputation(call: Call, user_id: int, body: ReputationBody) -> Answer:
    """Clear a person's reputation, or mark it."""
    table = call.runtime.table
    identity.user(table, user_id)
    if body.standing != "GOOD":
        commit(table, [billing_store.marked(user_id, {BY_OPERATOR: Standing(body.standing)})])
    else:
        marks = billing.reputation(table, user_id)
        if marks:
            commit(table, [billing_store.marked(user_id, dict.fromkeys(marks))])
    return Answer(200, _reputation_out(call, user_id))


def _reputation_out(call: Call, user_id: int) -> ReputationOut:
    marks = billing.reputation(call.runtime.table, user_id)
    return ReputationOut(
        user=user_id,
        standing=billing.worst(marks.values()),
        marks=[MarkOut(cause=cause, standing=mark) for cause, mark in sorted(marks.items())],
    )
