"""Signing in and out. Of academies and of the rest alike: a person has one account."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from chalicelib.books.identity import operations
from chalicelib.books.identity.credentials import EMAIL_CHARACTERS_MAX, PASSWORD_CHARACTERS_MAX
from chalicelib.books.identity.model import LoginAttempt
from chalicelib.books.identity.operations import TooManyLogins, WrongLogin
from chalicelib.entrypoints._auth import presented_token, source_of
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, route
from chalicelib.kernel.errors import DomainError


class NoToken(DomainError):
    slug = "no-token-to-end"
    detail = "Only the token of `Authorization: Token` can be ended. A signed bearer token ends by itself."


class LoginBody(Input):
    email: str = Field(min_length=1, max_length=EMAIL_CHARACTERS_MAX)
    password: str = Field(min_length=1, max_length=PASSWORD_CHARACTERS_MAX, repr=False)


class LoginAnswer(Output):
    """`token` goes into `Authorization: Token ...` and is shown this once."""

    token: str
    expires_at: Instant
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
