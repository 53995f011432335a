"""Academies, their staff, users' tokens and API keys, as operators make and end them."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.books.catalog.store import ChangedMeanwhile
from chalicelib.books.identity import operations, queries, roles
from chalicelib.books.identity.credentials import InvalidEmail, InvalidPassword
from chalicelib.books.identity.model import (
    AcademyChange,
    AcademyCurrencyNotFound,
    InvalidName,
    InvalidScopes,
    InvalidSlug,
    NewAcademy,
    NewApiKey,
    NewUser,
    Position,
)
from chalicelib.books.identity.operations import UserExists
from chalicelib.books.identity.queries import ApiKeyNotFound, TokenNotFound
from chalicelib.books.identity.store import (
    AcademyIdTaken,
    AcademyNotFound,
    AcademySlugTaken,
    EmailTaken,
    UserNotFound,
)
from chalicelib.dynamo.table import InvalidCursor
from chalicelib.entrypoints._auth import academy_id_of
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints.ops import schemas
from chalicelib.flows.catalog.edit import Staff
from chalicelib.flows.catalog.set_up import academy_changed


@route(
    "POST",
    "/ops/academies",
    access=Access.OPERATOR,
    answers={201: schemas.AcademyAnswer},
    errors=(AcademySlugTaken, AcademyIdTaken, InvalidSlug, InvalidName, AcademyCurrencyNotFound),
)
def create_academy(call: Call, body: schemas.AcademyBody) -> Answer:
    """Make an academy."""
    new = NewAcademy(name=body.name, slug=body.slug, main_currency=body.main_currency, id=body.id)
    academy = operations.create_academy(call.runtime.table, new, now=call.now)
    return Answer(201, schemas.AcademyAnswer.of(academy))


@route(
    "GET",
    "/ops/academies",
    access=Access.OPERATOR,
    answers={200: schemas.AcademyPage},
    errors=(InvalidCursor,),
)
def list_academies(call: Call, query: schemas.PageQuery) -> Answer:
    """List the academies, the newest first."""
    return Answer(200, schemas.AcademyPage.of(queries.academies(call.runtime.table, query.page)))


@route(
    "GET",
    "/ops/academies/{academy_id}",
    access=Access.OPERATOR,
    answers={200: schemas.AcademyAnswer},
    errors=(AcademyNotFound,),
)
def show_academy(call: Call, academy_id: int) -> Answer:
    """Show an academy."""
    return Answer(200, schemas.AcademyAnswer.of(queries.academy(call.runtime.table, academy_id)))


@route(
    "PUT",
    "/ops/academies/{academy_id}",
    access=Access.OPERATOR,
    answers={200: schemas.AcademyAnswer},
    errors=(AcademyNotFound, InvalidName, AcademyCurrencyNotFound, ChangedMeanwhile),
)
def change_academy(call: Call, academy_id: int, body: schemas.AcademyChangeBody) -> Answer:
    """Change what an academy is called and counts in. Its slug stays."""
    change = AcademyChange(name=body.name, main_currency=body.main_currency)
    by = Staff(academy_id=academy_id, by=call.person.caller_key, is_operator=True)
    return Answer(200, schemas.AcademyAnswer.of(academy_changed(call.runtime.context(call.now), by, change)))


@route(
    "POST",
    "/ops/academies/{academy_id}/staff",
    access=Access.OPERATOR,
    answers={201: schemas.HiredAnswer},
    errors=(
        AcademyNotFound,
        UserExists,
        EmailTaken,
        InvalidEmail,
        InvalidName,
        InvalidPassword,
        roles.UnknownRole,
        roles.UnknownCapability,
        roles.NothingAllowed,
    ),
)
def hire(call: Call, academy_id: int, body: schemas.StaffBody) -> Answer:
    """Make somebody staff of an academy, or change what they may do there; answers a token for them, once."""
    position = Position(role=body.role or roles.NO_ROLE, capabilities=tuple(body.capabilities))
    new = NewUser(email=body.email, first_name=body.first_name, last_name=body.last_name, password=body.password)
    hired = operations.hire(call.runtime.table, new, position, academy_id=academy_id, now=call.now)
    return Answer(201, schemas.HiredAnswer.of(hired))


@route(
    "GET",
    "/ops/academies/{academy_id}/staff",
    access=Access.OPERATOR,
    answers={200: schemas.MemberPage},
    errors=(InvalidCursor,),
)
def list_staff(call: Call, academy_id: int, query: schemas.PageQuery) -> Answer:
    """List the staff of an academy and what they may do."""
    return Answer(200, schemas.MemberPage.of(queries.members(call.runtime.table, academy_id, query.page)))


@route(
    "DELETE",
    "/ops/academies/{academy_id}/staff/{user_id}",
    access=Access.OPERATOR,
    answers={204: None},
    errors=(UserNotFound,),
)
def dismiss(call: Call, academy_id: int, user_id: int) -> Answer:
    """End what somebody may do as staff of an academy, at once. Their account and tokens stay."""
    operations.remove_member(call.runtime.table, user_id=user_id, academy_id=academy_id)
    return Answer(204)


@route(
    "GET",
    "/ops/users",
    access=Access.OPERATOR,
    answers={200: schemas.UserList},
)
def find_user(call: Call, query: schemas.UserQuery) -> Answer:
    """Find a user by e-mail: a list of one, or of none."""
    found = queries.user_by_email(call.runtime.table, query.email)
    return Answer(200, schemas.UserList(data=() if found is None else (schemas.UserAnswer.of(found),)))


@route(
    "GET",
    "/ops/users/{user_id}",
    access=Access.OPERATOR,
    answers={200: schemas.UserAnswer},
    errors=(UserNotFound,),
)
def show_user(call: Call, user_id: int) -> Answer:
    """Show a user."""
    return Answer(200, schemas.UserAnswer.of(queries.user(call.runtime.table, user_id)))


@route(
    "POST",
    "/ops/users/{user_id}/tokens",
    access=Access.OPERATOR,
    answers={201: schemas.TokenAnswer},
    errors=(UserNotFound,),
)
def issue_token(call: Call, user_id: int, body: schemas.TokenBody) -> Answer:
    """Make a token for a user; answers it once."""
    user = queries.user(call.runtime.table, user_id)
    expires_at = call.now + timedelta(days=body.days)
    secret = operations.issue_token(call.runtime.table, user, now=call.now, expires_at=expires_at)
    return Answer(201, schemas.TokenAnswer.of(user, secret=secret, expires_at=expires_at))


@route(
    "GET",
    "/ops/users/{user_id}/tokens",
    access=Access.OPERATOR,
    answers={200: schemas.TokenList},
    errors=(UserNotFound,),
)
def list_tokens(call: Call, user_id: int) -> Answer:
    """List a user's valid tokens, the newest first, without what makes them valid; at most a hundred."""
    queries.user(call.runtime.table, user_id)
    entries = queries.tokens_of(call.runtime.table, user_id, call.now)
    return Answer(200, schemas.TokenList(data=tuple(schemas.ListedToken.of(entry) for entry in entries)))


@route("DELETE", "/ops/users/{user_id}/tokens", access=Access.OPERATOR, answers={204: None})
def end_tokens(call: Call, user_id: int) -> Answer:
    """End every token of a user: signed out everywhere."""
    operations.end_tokens(call.runtime.table, user_id)
    return Answer(204)


@route(
    "DELETE",
    "/ops/users/{user_id}/tokens/{token}",
    access=Access.OPERATOR,
    answers={204: None},
    errors=(TokenNotFound,),
)
def end_token(call: Call, user_id: int, token: str) -> Answer:
    """End one token of a user, by its id in the list."""
    entry = queries.token(call.runtime.table, user_id, token)
    operations.end_token(call.runtime.table, user_id, digest=entry.digest)
    return Answer(204)


@route(
    "POST",
    "/ops/api-keys",
    access=Access.OPERATOR,
    answers={201: schemas.ApiKeyAnswer},
    errors=(AcademyNotFound, InvalidName, InvalidScopes),
)
def issue_api_key(call: Call, body: schemas.ApiKeyBody) -> Answer:
    """Make an API key; answers it once."""
    academy_id = academy_id_of(call, body)
    new = NewApiKey(name=body.name, scopes=tuple(body.scopes), academy_id=academy_id)
    issued = operations.issue_api_key(call.runtime.table, new, now=call.now)
    answer = schemas.ApiKeyAnswer(
        id=issued.id, key=issued.secret, name=new.name, academy_id=academy_id, scopes=new.scopes
    )
    return Answer(201, answer)


@route(
    "GET",
    "/ops/api-keys",
    access=Access.OPERATOR,
    answers={200: schemas.ApiKeyPage},
    errors=(InvalidCursor, AcademyNotFound),
)
def list_api_keys(call: Call, query: schemas.ApiKeyQuery) -> Answer:
    """List the API keys, of one academy or all, without what makes them valid."""
    page = queries.api_keys(call.runtime.table, academy_id_of(call, query), query.page)
    return Answer(200, schemas.ApiKeyPage.of(page))


@route(
    "DELETE",
    "/ops/api-keys/{key_id}",
    access=Access.OPERATOR,
    answers={204: None},
    errors=(ApiKeyNotFound,),
)
def end_api_key(call: Call, key_id: int) -> Answer:
    """End an API key, at once."""
    operations.end_api_key(call.runtime.table, key_id)
    return Answer(204)
