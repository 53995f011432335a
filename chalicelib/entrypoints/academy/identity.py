"""Signing in and out, and accepting an invitation. Of academies and of the rest alike: a person has one account."""

from __future__ import annotations

import logging
from typing import ClassVar

from pydantic import Field

from chalicelib.books.enrollment.queries import InvitationNotFound
from chalicelib.books.identity import operations
from chalicelib.books.identity.credentials import EMAIL_CHARACTERS_MAX, PASSWORD_CHARACTERS_MAX, InvalidPassword
from chalicelib.books.identity.model import LoginAttempt
from chalicelib.books.identity.operations import TooManyLogins, WrongLogin
from chalicelib.entrypoints._auth import presented_token, source_of
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, route
from chalicelib.flows.enrollment.accept import (
    Acceptance,
    Accepted,
    InvitationAlreadyAccepted,
    InvitationOver,
    accept,
)
from chalicelib.flows.enrollment.deliver import deliver
from chalicelib.flows.enrollment.promise import PlanOutgrown
from chalicelib.flows.teams.tend_seat import tend_seat
from chalicelib.kernel.errors import DomainError

_log = logging.getLogger(__name__)


class NoToken(DomainError):
    slug = "no-token-to-end"
    detail = "Only the token of `Authorization: Token` can be ended. A signed bearer token ends by itself."


class LoginBody(Input):
    email: str = Field(min_length=1, max_length=EMAIL_CHARACTERS_MAX)
    password: str = Field(min_length=1, max_length=PASSWORD_CHARACTERS_MAX, repr=False)


class AcceptBody(Input):
    password: str = Field(min_length=1, max_length=PASSWORD_CHARACTERS_MAX, repr=False)


class LoginAnswer(Output):
    """`token` goes into `Authorization: Token ...` and is shown this once."""

    token: str
    expires_at: Instant
    user_id: int
    email: str

    unseen: ClassVar[frozenset[str]] = frozenset({"token"})


class AcceptAnswer(Output):
    """As a login is answered. `token` and `expires_at` are null where the e-mail had an account already: it keeps its
    password, by which its owner signs in as before.
    """

    token: str | None
    expires_at: Instant | None
    user_id: int
    email: str

    unseen: ClassVar[frozenset[str]] = frozenset({"token"})


@route(
    "POST",
    "/v1/auth/login",
    access=Access.PUBLIC,
    answers={200: LoginAnswer},
    errors=(WrongLogin, TooManyLogins),
)
def login(call: Call, body: LoginBody) -> Answer:
    """Sign in with e-mail and password. At most ten wrong passwords an hour for an e-mail."""
    attempt = LoginAttempt(email=body.email, password=body.password, source=source_of(call))
    signed_in = operations.login(call.runtime.table, attempt, now=call.now)
    user = signed_in.user
    answer = LoginAnswer(token=signed_in.secret, expires_at=signed_in.expires_at, user_id=user.id, email=user.email)
    return Answer(200, answer)


@route("POST", "/v1/auth/logout", access=Access.PERSON, answers={204: None}, errors=(NoToken,))
def logout(call: Call) -> Answer:
    """End the token that this request carries, and no other."""
    secret = presented_token(call.headers)
    if secret is None:
        raise NoToken
    operations.revoke_token(call.runtime.table, secret)
    return Answer(204)


@route(
    "POST",
    "/v1/auth/invite/{token}/accept",
    access=Access.PUBLIC,
    answers={200: AcceptAnswer},
    errors=(
        InvitationNotFound,
        InvitationAlreadyAccepted,
        InvitationOver,
        InvalidPassword,
        PlanOutgrown,
        TooManyLogins,
    ),
)
def accept_invitation(call: Call, token: str, body: AcceptBody) -> Answer:
    """Make the account that an invitation is for, and sign in; or give what it promises to whoever has one already.

    What the invitation promises is given before the answer, or, where that cannot be done at once, within minutes.
    """
    acceptance = Acceptance(secret=token, password=body.password, source=source_of(call))
    accepted = accept(call.runtime.context(call.now), acceptance)
    _deliver(call, accepted)
    user, session = accepted.user, accepted.session
    answer = AcceptAnswer(
        token=None if session is None else session.secret,
        expires_at=None if session is None else session.expires_at,
        user_id=user.id,
        email=user.email,
    )
    return Answer(200, answer)


def _deliver(call: Call, accepted: Accepted) -> None:
    """What fails here stays on its rows, and is finished within minutes; the account is made all the same."""
    context = call.runtime.context(call.now)
    try:
        deliver(context, accepted.key)
        for key in accepted.seats:
            tend_seat(context, key)
    except Exception:  # noqa: BLE001  # the edge: whoever has an account now must be told so
        _log.exception("the delivery of an invitation is left to the sweep")
