"""Signed bearer tokens (JWT, RFC 7519): made and read with one shared secret, HS256 and nothing else (RFC 8725).

The time is given, not read from a clock: the library checks the signature, the issuer and the audience, and this file
the instants.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chalicelib.books.identity.model import Person
from chalicelib.kernel.documents import Document
from chalicelib.kernel.ids import ID_MAX

if TYPE_CHECKING:
    from jwt.types import Options

ALGORITHM = "HS256"
ISSUER = "purser"
AUDIENCE = "purser"
TOKEN_USE = "access"  # noqa: S105
LEEWAY_SECONDS = 30
BEARER_CHARACTERS_MAX = 4096
TEXT_CHARACTERS_MAX = 254
SCOPES_MAX = 40
REQUIRED_CLAIMS = ("exp", "iat", "sub", "aud", "iss", "token_use")
SECONDS_MAX = 253_402_300_799  # the last second of year 9999


class BadBearer(ValueError):
    """The token is not one of ours, or not valid now."""


class Bearer(Document):
    """What a bearer token says: who, and what for. It never makes an operator."""

    person: Person
    scopes: tuple[str, ...] = ()


def signed(bearer: Bearer, *, secret: str, now: datetime, expires_at: datetime) -> str:
    """A token that is valid from `now` and until, no longer at, `expires_at` (whole seconds)."""
    import jwt

    person = bearer.person
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(person.user_id),
        "token_use": TOKEN_USE,
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
        "email": person.email,
        "given_name": person.first_name,
        "family_name": person.last_name,
        "scope": " ".join(bearer.scopes),
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read(token: str, *, secret: str, now: datetime) -> Bearer:
    """What a token says. Raises BadBearer where it is not ours, misses a claim, or is not valid at `now`."""
    import jwt

    if len(token) > BEARER_CHARACTERS_MAX:
        raise BadBearer("too long")
    options: Options = {
        "require": list(REQUIRED_CLAIMS),
        "strict_aud": True,
        # Against `now`, below, and not against the machine's clock.
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
    }
    try:
        claims = jwt.decode(token, secret, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=options)
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise BadBearer(type(error).__name__) from error
    if claims["token_use"] != TOKEN_USE:
        raise BadBearer("made for another use")
    _check_time(claims, int(now.timestamp()))
    return Bearer(person=_person(claims), scopes=_scopes(claims))


def _check_time(claims: Mapping[str, Any], second: int) -> None:
    if second >= _second(claims, "exp") + LEEWAY_SECONDS:
        raise BadBearer("expired")
    if _second(claims, "iat") > second + LEEWAY_SECONDS:
        raise BadBearer("issued in the future")
    if "nbf" in claims and _second(claims, "nbf") > second + LEEWAY_SECONDS:
        raise BadBearer("not valid yet")


def _second(claims: Mapping[str, Any], name: str) -> int:
    value = claims[name]
    if type(value) is not int or not 0 <= value <= SECONDS_MAX:
        raise BadBearer(f"{name} is no whole second")
    return value


def _person(claims: Mapping[str, Any]) -> Person:
    subject = claims["sub"]
    if not (subject.isascii() and subject.isdigit() and len(subject) <= 16 and 1 <= int(subject) <= ID_MAX):
        raise BadBearer("sub is no user id")
    email, first_name, last_name = (_text(claims, name) for name in ("email", "given_name", "family_name"))
    return Person(user_id=int(subject), email=email, first_name=first_name, last_name=last_name)


def _scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    scopes = tuple(_text(claims, "scope").split())
    if len(scopes) > SCOPES_MAX:
        raise BadBearer("too many scopes")
    return scopes


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or len(value) > (TEXT_CHARACTERS_MAX if name != "scope" else BEARER_CHARACTERS_MAX):
        raise BadBearer(f"{name} is no text of a bearable length")
    return value
