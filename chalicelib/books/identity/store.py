"""Identity's rows and their keys, and the writes that make, change and end them.

A row that is made is put where there is none or where exactly this one stands: a write whose answer got lost passes
when it is sent again.

- `USER#{id}`: `USER`, `STAFF#{academy}` (listed by `ref` for the academy), `TOKEN#{id}` (the list of a person's tokens)
- `EMAIL#{hash}`: `EMAIL`, whose e-mail it is; `LOGIN`, how often it was tried
- `SOURCE#{hash}`: `LOGIN`, how often logins were tried from a network address
- `TOKEN#{hash}`: `TOKEN`, the credential; for tokens and API keys
- `KEY#{id}`: `KEY`, an API key in the list of keys
- `ACADEMY#{id}`: `ACADEMY`; `SLUG#academy#{slug}`: `SLUG`
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.books.identity import roles
from chalicelib.books.identity.credentials import email_digest
from chalicelib.books.identity.model import Academy, ApiKey, Credential, Membership, Position, TokenEntry, User
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Key, Row, Values, load
from chalicelib.dynamo.writes import Check, Delete, Put, Refused, Update, absent, at_version, never, present
from chalicelib.kernel.documents import Document
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import sortable

ACADEMIES_REF = "ACADEMIES"
API_KEYS_REF = "APIKEYS"
TOKENS_PREFIX = "TOKEN#"  # of a sort key
TTL_MARGIN_SECONDS = 24 * 3600

whatever = present | absent
"""Holds always: for a write to a row that may or may not be there."""


class EmailTaken(DomainError):
    slug = "email-already-exists"
    detail = "This e-mail belongs to somebody already."


class AcademySlugTaken(DomainError):
    slug = "slug-already-exists"
    detail = "The slug {taken} is taken."


class AcademyIdTaken(DomainError):
    kind = Kind.CONFLICT
    slug = "academy-already-exists"
    detail = "There is another academy {academy_id} already."


class AcademyNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "academy-not-found"
    detail = "There is no academy {academy}."


class UserNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "user-not-found"
    detail = "There is no user {user}."


class UserChanged(DomainError):
    """The user was changed between the read and the write."""

    kind = Kind.CONFLICT
    slug = "user-changed-meanwhile"
    detail = "User {user_id} was changed by somebody else at the same time. Read it again."


class IdTaken(Exception):
    """Two ids made in the same millisecond met; another one is as good."""


class AlreadyEnded(Exception):
    """The credential was ended before."""


class TooMany(Exception):
    """The counter stands at its limit, or its hour is over: `old` says which."""

    def __init__(self, old: Values | None) -> None:
        self.old: Mapping[str, Any] = old or {}
        super().__init__("counted to the limit")


def user_key(user_id: int) -> Key:
    return Key(keys.user(user_id), "USER")


def email_key(email: str) -> Key:
    return Key(f"EMAIL#{email_digest(email)}", "EMAIL")


def email_logins_key(email: str) -> Key:
    return Key(f"EMAIL#{email_digest(email)}", "LOGIN")


def source_logins_key(source: str) -> Key:
    return Key(f"SOURCE#{hashlib.sha256(source.encode(errors='surrogatepass')).hexdigest()}", "LOGIN")


def academy_key(academy_id: int) -> Key:
    return Key(keys.academy(academy_id), "ACADEMY")


def slug_key(slug: str) -> Key:
    return Key(f"SLUG#academy#{slug}", "SLUG")


def membership_key(user_id: int, academy_id: int) -> Key:
    return Key(keys.user(user_id), f"STAFF#{academy_id}")


def members_ref(academy_id: int) -> str:
    return f"STAFF#{academy_id}"


def credential_key(digest: str) -> Key:
    return Key(f"TOKEN#{digest}", "TOKEN")


def entry_key(user_id: int, token_id: str) -> Key:
    return Key(keys.user(user_id), TOKENS_PREFIX + token_id)


def api_key_key(key_id: int) -> Key:
    return Key(f"KEY#{key_id}", "KEY")


def new_user(user: User) -> list[Put]:
    """The user and the claim of the e-mail. Refused with EmailTaken or IdTaken."""
    claim = {"id": user.id}
    return [
        Put(
            key=email_key(user.email),
            values=claim,
            condition=absent | (Path("id") == user.id),
            refused=lambda old: EmailTaken(),
        ),
        _made(user_key(user.id), user, {"version": 1}, refused=lambda old: IdTaken()),
    ]


def changed_user(user: User, *, version: int) -> Put:
    """The user over the row that was read at `version`. Refused with UserChanged."""
    return Put(
        key=user_key(user.id),
        values={"doc": user.model_dump_json(), "version": version + 1},
        condition=at_version(version) | (Path("doc") == user.model_dump_json()),
        refused=lambda old: UserChanged(user_id=user.id),
    )


def user_as_read(user_id: int, *, version: int, refused: Refused) -> Check:
    return Check(key=user_key(user_id), condition=at_version(version), refused=refused)


def user_exists(user_id: int) -> Check:
    return Check(key=user_key(user_id), condition=present, refused=lambda old: UserNotFound(user=user_id))


def academy_exists(academy_id: int) -> Check:
    return Check(
        key=academy_key(academy_id), condition=present, refused=lambda old: AcademyNotFound(academy=academy_id)
    )


def new_academy(academy: Academy, *, id_taken: Refused) -> list[Put]:
    """The academy and the claim of its slug. Refused with AcademySlugTaken, or what `id_taken` says."""
    return [
        Put(
            key=slug_key(academy.slug),
            values={"id": academy.id},
            condition=absent | (Path("id") == academy.id),
            refused=lambda old: AcademySlugTaken(taken=academy.slug),
        ),
        _made(
            academy_key(academy.id),
            academy,
            {"ref": ACADEMIES_REF, "ref_sk": sortable(academy.id)},
            refused=id_taken,
        ),
    ]


def changed_academy(academy: Academy, *, was: str, refused: Refused) -> Update:
    """The academy over the document that was read."""
    return Update(
        key=academy_key(academy.id),
        actions=(Path("doc").set(academy.model_dump_json()),),
        condition=Path("doc") == was,
        refused=refused,
    )


def member(membership: Membership, position: Position) -> Put:
    """The membership, over an earlier one of the same person. What the role brings is not stored: it is looked up."""
    stored = membership.model_copy(update={"role": position.role, "capabilities": position.capabilities})
    return Put(
        key=membership_key(membership.user_id, membership.academy_id),
        values={
            "doc": stored.model_dump_json(),
            "ref": members_ref(membership.academy_id),
            "ref_sk": sortable(membership.user_id),
        },
        condition=whatever,
        refused=never("a membership that may always be put"),
    )


def membership_of(row: Row) -> Membership:
    stored = load(Membership, row)
    return stored.model_copy(update={"capabilities": roles.allowed(role=stored.role, capabilities=stored.capabilities)})


def member_left(user_id: int, academy_id: int) -> Delete:
    return Delete(
        key=membership_key(user_id, academy_id),
        condition=present,
        refused=lambda old: UserNotFound(user=user_id),
    )


def new_token(credential: Credential, entry: TokenEntry) -> list[Put]:
    """A token and its place in the list of its person."""
    ttl = {"ttl": int(entry.expires_at.timestamp()) + TTL_MARGIN_SECONDS}
    two_alike = never("two tokens with one hash")
    return [
        _made(credential_key(entry.digest), credential, ttl, refused=two_alike),
        _made(entry_key(credential.person.user_id, entry.id), entry, ttl, refused=two_alike),
    ]


def new_api_key(credential: Credential, api_key: ApiKey) -> list[Put]:
    """An API key and its place in the list of keys, by academy. Refused with IdTaken."""
    listed = {"ref": API_KEYS_REF, "ref_sk": f"{sortable(api_key.academy_id or 0)}#{sortable(api_key.id)}"}
    return [
        _made(credential_key(api_key.digest), credential, {}, refused=never("two API keys with one hash")),
        _made(api_key_key(api_key.id), api_key, listed, refused=lambda old: IdTaken()),
    ]


def token_ended(user_id: int, *, digest: str, token_id: str) -> list[Delete]:
    """Refused with AlreadyEnded."""
    return _ended(credential_key(digest), entry_key(user_id, token_id))


def token_unlisted(user_id: int, *, token_id: str) -> Delete:
    """For a credential that the table's own cleaning took first."""
    return _unlisted(entry_key(user_id, token_id))


def api_key_ended(api_key: ApiKey) -> list[Delete]:
    """Refused with AlreadyEnded."""
    return _ended(credential_key(api_key.digest), api_key_key(api_key.id))


def counted(key: Key, *, limit: int, now: datetime) -> Update:
    """One more in the hour that is running. Refused with TooMany at the limit and where no hour is running."""
    second = int(now.timestamp())
    return Update(
        key=key,
        actions=(Path("tries").add(1),),
        condition=(Path("ends_at") > second) & (Path("tries") < limit),
        refused=TooMany,
    )


def first_counted(key: Key, *, now: datetime, seconds: int) -> Put:
    """The first of a new hour. Refused with TooMany where another one began an hour meanwhile."""
    second = int(now.timestamp())
    ends_at = second + seconds
    return Put(
        key=key,
        values={"tries": 1, "ends_at": ends_at, "ttl": ends_at + TTL_MARGIN_SECONDS},
        condition=absent | (Path("ends_at") <= second),
        refused=TooMany,
    )


def uncounted(key: Key) -> Update:
    """One less. Refused with TooMany where there is nothing left to take from."""
    return Update(key=key, actions=(Path("tries").add(-1),), condition=Path("tries") > 0, refused=TooMany)


def _made(key: Key, document: Document, attributes: Values, *, refused: Refused) -> Put:
    doc = document.model_dump_json()
    return Put(key=key, values={"doc": doc, **attributes}, condition=absent | (Path("doc") == doc), refused=refused)


def _ended(credential: Key, listed: Key) -> list[Delete]:
    return [
        Delete(key=credential, condition=present, refused=lambda old: AlreadyEnded()),
        _unlisted(listed),
    ]


def _unlisted(listed: Key) -> Delete:
    return Delete(key=listed, condition=whatever, refused=never("a list's row that may be gone"))
