"""Who is who, and what they may do. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chalicelib.books.identity import store
from chalicelib.books.identity.credentials import SECRET_CHARACTERS_MAX, secret_digest
from chalicelib.books.identity.model import Academy, ApiKey, Credential, Membership, TokenEntry, User
from chalicelib.books.identity.store import AcademyNotFound, UserNotFound
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import sortable
from chalicelib.kernel.pages import PAGE_ITEMS_MAX, Page, PageRequest


class ApiKeyNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "api-key-not-found"
    detail = "There is no API key {key_id}."


class TokenNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "token-not-found"
    detail = "User {user} has no token {token}."


def academy(table: Table, academy_id: int) -> Academy:
    """Raises AcademyNotFound."""
    row = table.get(store.academy_key(academy_id))
    if row is None:
        raise AcademyNotFound(academy=academy_id)
    return load(Academy, row)


def academies_by_id(table: Table, ids: Iterable[int]) -> dict[int, Academy]:
    """The academies with these ids, in one read a hundred."""
    found = [load(Academy, row) for row in table.get_many(store.academy_key(ident) for ident in ids).values()]
    return {one.id: one for one in found}


def academy_by_slug(table: Table, slug: str) -> Academy:
    """Raises AcademyNotFound."""
    return academy(table, academy_id_of(table, slug))


def academy_id_of(table: Table, slug: str) -> int:
    """The id of the academy with this slug, in one read. Raises AcademyNotFound."""
    row = table.get(store.slug_key(slug))
    if row is None:
        raise AcademyNotFound(academy=slug)
    return int(str(row.values["id"]))


def academies(table: Table, page: PageRequest) -> Page[Academy]:
    """Every academy, the newest first; one that was made this moment may be missing."""
    rows = table.query_ref(store.ACADEMIES_REF, limit=page.limit, newest_first=True, cursor=page.cursor)
    return Page(tuple(load(Academy, row) for row in rows.items), rows.next_cursor)


def user(table: Table, user_id: int) -> User:
    """Raises UserNotFound."""
    return user_and_version(table, user_id)[0]


def user_and_version(table: Table, user_id: int) -> tuple[User, int]:
    """The user, and the version of its row for a write that must find it unchanged. Raises UserNotFound."""
    row = table.get(store.user_key(user_id))
    if row is None:
        raise UserNotFound(user=user_id)
    return load(User, row), row.version


def user_by_email(table: Table, email: str) -> User | None:
    """The user with this e-mail, in any case of its letters."""
    row = table.get(store.email_key(email))
    return None if row is None else user(table, int(str(row.values["id"])))


def membership(table: Table, user_id: int, academy_id: int) -> Membership | None:
    """What the person may do as staff of the academy; None for everybody else."""
    row = table.get(store.membership_key(user_id, academy_id))
    return None if row is None else store.membership_of(row)


def members(table: Table, academy_id: int, page: PageRequest) -> Page[Membership]:
    """The staff of an academy, the newest person first; a change of this moment may be missing."""
    rows = table.query_ref(store.members_ref(academy_id), limit=page.limit, newest_first=True, cursor=page.cursor)
    return Page(tuple(store.membership_of(row) for row in rows.items), rows.next_cursor)


def credential_of(table: Table, secret: str, now: datetime) -> Credential | None:
    """The credential that this secret is for, or None where it is unknown, was ended or has expired. One read."""
    if len(secret) > SECRET_CHARACTERS_MAX:
        return None
    row = table.get(store.credential_key(secret_digest(secret)))
    if row is None:
        return None
    found = load(Credential, row)
    return found if found.is_valid(now) else None


def tokens_of(table: Table, user_id: int, now: datetime) -> tuple[TokenEntry, ...]:
    """A person's valid tokens, the newest first; at most a hundred."""
    rows = table.query(keys.user(user_id), prefix=store.TOKENS_PREFIX, limit=PAGE_ITEMS_MAX)
    valid = [entry for entry in (load(TokenEntry, row) for row in rows.items) if now < entry.expires_at]
    return tuple(sorted(valid, key=lambda entry: entry.created_at, reverse=True))


def token(table: Table, user_id: int, token_id: str) -> TokenEntry:
    """Raises TokenNotFound."""
    row = table.get(store.entry_key(user_id, token_id))
    if row is None:
        raise TokenNotFound(user=user_id, token=token_id)
    return load(TokenEntry, row)


def api_key(table: Table, key_id: int) -> ApiKey:
    """Raises ApiKeyNotFound."""
    row = table.get(store.api_key_key(key_id))
    if row is None:
        raise ApiKeyNotFound(key_id=key_id)
    return load(ApiKey, row)


def api_keys(table: Table, academy_id: int | None, page: PageRequest) -> Page[ApiKey]:
    """The API keys of an academy, or all of them, the newest first; one made this moment may be missing."""
    prefix = "" if academy_id is None else f"{sortable(academy_id)}#"
    rows = table.query_ref(store.API_KEYS_REF, prefix=prefix, limit=page.limit, newest_first=True, cursor=page.cursor)
    return Page(tuple(load(ApiKey, row) for row in rows.items), rows.next_cursor)
