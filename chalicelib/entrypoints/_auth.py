"""Who calls, and whether this route is for them.

- `Authorization: Token <token>`: a person's token, as login answers it
- `Authorization: Bearer <jwt>`: a signed token (`mint_jwt`)
- `X-Api-Key: <key>`: a program's key, good for the scopes that it names and, where it has one, in its academy only

A credential that is wrong, ended or expired is refused on every route, public ones too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.books.identity import bearer, queries
from chalicelib.books.identity.model import Credential, InvalidAcademyId, InvalidSlug, Person, checked_slug
from chalicelib.dynamo.table import Table
from chalicelib.entrypoints._http import Access, Call, Route, media_type, parse_json
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import ID_MAX
from chalicelib.settings import Settings

ACADEMY_NAMES = ("academy", "academy_id")
ADDRESS_CHARACTERS_MAX = 64


class NotAuthenticated(DomainError):
    kind = Kind.UNAUTHENTICATED
    slug = "not-authenticated"
    detail = "Authentication credentials were not provided."


class Unauthenticated(DomainError):
    kind = Kind.UNAUTHENTICATED
    slug = "authentication-failed"
    detail = "The credentials are malformed, unknown, ended or expired."


class PermissionDenied(DomainError):
    kind = Kind.FORBIDDEN
    slug = "permission-denied"
    detail = "You (user {user}) do not have the capability {capability} in academy {academy}."


class ScopeMissing(PermissionDenied):
    detail = "These credentials are not good for this: they lack the scope {scope}."


class OtherAcademy(PermissionDenied):
    detail = "This API key belongs to academy {own}, not to academy {academy}."


class OperatorOnly(DomainError):
    kind = Kind.FORBIDDEN
    slug = "operator-only"
    detail = "Only operators of this deployment may do this."


class AcademyMismatch(DomainError):
    slug = "academy-mismatch"
    detail = "The request names different academies."


class AcademyRequired(DomainError):
    slug = "academy-required"
    detail = "Say which academy: `academy` in the query or the body, or the header Academy."


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent valid credentials. An API key has the key's id as `user_id` and no e-mail."""

    user_id: int
    email: str
    first_name: str
    last_name: str
    scopes: tuple[str, ...]
    is_operator: bool
    kind: str
    academy_id: int | None = None

    @property
    def caller_key(self) -> str:
        """Whose idempotency keys these are: a person's, whichever token they come with."""
        return f"{'key' if self.kind == 'api_key' else 'user'}:{self.user_id}"


def identify(headers: Mapping[str, str], table: Table, settings: Settings, now: datetime) -> Caller | None:
    """The caller, or None where no credentials were sent. Raises Unauthenticated where they are not valid.

    `headers` have names in lower case.
    """
    authorization = headers.get("authorization")
    key = headers.get("x-api-key")
    if authorization is None and key is None:
        return None
    if authorization is None:
        return _stored(queries.credential_of(table, str(key), now), "api_key")
    scheme, _, secret = authorization.strip().partition(" ")
    if key is None and scheme.lower() == "token":
        return _stored(queries.credential_of(table, secret.strip(), now), "token")
    if key is None and scheme.lower() == "bearer":
        return _bearer(secret.strip(), settings, now)
    raise Unauthenticated


def mint_jwt(
    person: Person, *, settings: Settings, now: datetime, expires_at: datetime, scopes: tuple[str, ...] = ()
) -> str:
    """A signed token for `Authorization: Bearer`, valid until `expires_at`. It cannot be ended before."""
    secret = settings.jwt_secret.get_secret_value()
    return bearer.signed(bearer.Bearer(person=person, scopes=scopes), secret=secret, now=now, expires_at=expires_at)


def presented_token(headers: Mapping[str, str]) -> str | None:
    """The secret of `Authorization: Token`, None with other credentials."""
    scheme, _, secret = headers.get("authorization", "").strip().partition(" ")
    return secret.strip() if scheme.lower() == "token" else None


def source_of(call: Call) -> str | None:
    """The network address of the caller, as API Gateway saw it: the last that a regional API puts in X-Forwarded-For.

    Whatever stands before it was sent by the caller and proves nothing. None where there is no gateway.
    """
    address = call.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return address[:ADDRESS_CHARACTERS_MAX] or None


def authorize(route: Route, call: Call) -> None:
    """Let the call pass, or raise what it lacks.

    A PERSON route is for everybody who is signed in; where it names a `capability`, for those whose credentials have
    that scope, and an API key passes no other. A STAFF route is for staff with the capability in the academy that the
    call names, for an API key of that academy with that scope, and for operators.
    """
    if route.access is Access.PUBLIC:
        return
    caller = call.caller
    if caller is None:
        raise NotAuthenticated
    if route.access is Access.OPERATOR:
        if not caller.is_operator:
            raise OperatorOnly
    elif route.access is Access.STAFF:
        _authorize_staff(route, call, caller)
    else:
        _authorize_person(route, call, caller)


def has_capability(call: Call, academy_id: int, capability: str) -> bool:
    """Whether the caller, if there is one, is staff of the academy with this capability, or an operator.

    For routes that show staff more than others; programs see what everybody sees there.
    """
    caller = call.caller
    if caller is None or caller.kind == "api_key":
        return False
    if caller.is_operator:
        return True
    member = queries.membership(call.runtime.table, caller.user_id, academy_id)
    return member is not None and capability in member.capabilities


def academy_id_of(call: Call, body: Any) -> int | None:
    """The academy that a call names, by id or slug: in the query, the body or the header Academy. None: it names none.

    `body` is what was parsed or validated. Without a name, an API key means its own academy. Raises InvalidAcademyId,
    AcademyMismatch where two names are not of one academy, AcademyNotFound for an unknown slug.
    """
    named = {_checked(value) for value in _names(call, body) if value is not None}
    ids = {value for value in named if isinstance(value, int)}
    slugs = {value for value in named if isinstance(value, str)}
    if len(ids) > 1 or len(slugs) > 1:
        raise AcademyMismatch  # an academy has one id and one slug
    for slug in slugs:
        ids.add(queries.academy_id_of(call.runtime.table, slug))
    if len(ids) > 1:
        raise AcademyMismatch
    if ids:
        return ids.pop()
    return None if call.caller is None else call.caller.academy_id


def _stored(credential: Credential | None, kind: str) -> Caller:
    if credential is None or credential.kind != kind:
        raise Unauthenticated
    person = credential.person
    return Caller(
        user_id=person.user_id,
        email=person.email,
        first_name=person.first_name,
        last_name=person.last_name,
        scopes=credential.scopes,
        is_operator=credential.is_operator and kind == "token",
        kind=kind,
        academy_id=credential.academy_id,
    )


def _bearer(token: str, settings: Settings, now: datetime) -> Caller:
    try:
        found = bearer.read(token, secret=settings.jwt_secret.get_secret_value(), now=now)
    except bearer.BadBearer as error:
        raise Unauthenticated from error
    person = found.person
    return Caller(
        user_id=person.user_id,
        email=person.email,
        first_name=person.first_name,
        last_name=person.last_name,
        scopes=found.scopes,
        is_operator=False,
        kind="jwt",
    )


def _authorize_person(route: Route, call: Call, caller: Caller) -> None:
    scope = route.capability
    if (scope is not None or caller.kind == "api_key") and scope not in caller.scopes:
        raise ScopeMissing(scope=scope or "of a person")
    if caller.kind == "api_key":
        _check_own_academy(caller, academy_id_of(call, _sent_json(route, call)))


def _authorize_staff(route: Route, call: Call, caller: Caller) -> None:
    capability = str(route.capability)
    academy_id = academy_id_of(call, _sent_json(route, call))
    if academy_id is None:
        raise AcademyRequired
    if caller.is_operator:
        queries.academy(call.runtime.table, academy_id)
    elif caller.kind == "api_key":
        _check_own_academy(caller, academy_id)
        if caller.academy_id is None or capability not in caller.scopes:
            raise PermissionDenied(user=caller.user_id, capability=capability, academy=academy_id)
    else:
        member = queries.membership(call.runtime.table, caller.user_id, academy_id)
        if member is None or capability not in member.capabilities:
            raise PermissionDenied(user=caller.user_id, capability=capability, academy=academy_id)


def _check_own_academy(caller: Caller, academy_id: int | None) -> None:
    if caller.academy_id is not None and academy_id != caller.academy_id:
        raise OtherAcademy(own=caller.academy_id, academy=academy_id)


def _sent_json(route: Route, call: Call) -> Any:
    """The body where it is JSON. A route may take other types: they name their academy in the query or the header."""
    return parse_json(call, route.body_bytes_max) if media_type(call).endswith("json") else None


def _names(call: Call, body: Any) -> Iterator[Any]:
    yield call.headers.get("academy")
    for name in ACADEMY_NAMES:
        yield call.raw_query.get(name)
        for part in body if isinstance(body, (list, tuple)) else (body,):
            yield part.get(name) if isinstance(part, Mapping) else getattr(part, name, None)


def _checked(value: Any) -> int | str:
    """An id or a slug. Raises InvalidAcademyId."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    if type(value) is int and 1 <= value <= ID_MAX:
        return value
    if not isinstance(value, str):
        raise InvalidAcademyId(given=repr(value)[:60])
    try:
        return checked_slug(value)
    except InvalidSlug as error:
        raise InvalidAcademyId(given=repr(value[:60])) from error
