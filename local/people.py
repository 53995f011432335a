"""The demonstration's academies and people, made by the ordinary operations of identity."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.books.identity import operations, queries, roles
from chalicelib.books.identity.model import Academy, NewAcademy, NewApiKey, NewUser, Position, User
from chalicelib.books.identity.store import AcademyNotFound
from chalicelib.dynamo.table import Table
from chalicelib.entrypoints._auth import mint_jwt
from chalicelib.kernel.pages import PAGE_ITEMS_MAX, PageRequest
from chalicelib.settings import Settings

CREDENTIAL_LIFE = timedelta(days=366 * 20)
"""Credentials of the demonstration outlive ten simulated years, at whichever of them they are made."""

READING = tuple(capability for capability in roles.CAPABILITIES if capability.startswith("read_"))
ACADEMIES = (
    NewAcademy(id=1, name="4Geeks Academy", slug="4geeks", main_currency="USD"),
    NewAcademy(id=2, name="Lakeside Academy", slug="lakeside", main_currency="USD"),
)
STUDIO_KEY = NewApiKey(name="Studio demonstration", scopes=("studio",))
PLATFORM_SCOPES = ("platform",)


@dataclass(frozen=True, slots=True)
class Customer:
    user_id: int
    email: str
    token: str = field(repr=False)
    bearer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class People:
    """`tokens` by the name of the role that they play; the first of `academies` has the catalog."""

    academies: tuple[Academy, ...]
    tokens: dict[str, str] = field(repr=False)


class Registry:
    """Makes people and their credentials. What is there already stays; credentials are new each time."""

    def __init__(self, table: Table, settings: Settings) -> None:
        self._table = table
        self._settings = settings

    def demonstration(self, now: datetime) -> People:
        first, other = academies = tuple(self._academy(new, now) for new in ACADEMIES)
        tokens = {name: self._token(self._user(name, now), now) for name in ("student", "student_2", "student_3")}
        for name, academy, position in (
            ("staff", first, Position(role="academy_admin")),
            ("staff_readonly", first, Position(capabilities=READING)),
            ("staff_other_academy", other, Position(role="academy_admin")),
        ):
            user = self._user(name, now)
            operations.add_member(self._table, position, user_id=user.id, academy_id=academy.id)
            tokens[name] = self._token(user, now)
        for name in ("platform", "platform_2"):
            tokens[name] = self._bearer(self._user(name, now), now)
        tokens["studio"] = self._studio_key(now)
        operator = self._user("ops", now)
        if not operator.is_operator:
            operator = operations.set_operator(self._table, operator.id, is_operator=True)
        tokens["ops"] = self._token(operator, now)
        return People(academies, tokens)

    def new_customer(self, now: datetime) -> Customer:
        """A person with no card and no purchase."""
        email = f"customer-{secrets.token_hex(8)}@example.com"
        new = NewUser(email=email, first_name="Alex", last_name="Customer")
        user = operations.create_user(self._table, new, now=now)
        return Customer(user.id, user.email, self._token(user, now), self._bearer(user, now))

    def _academy(self, new: NewAcademy, now: datetime) -> Academy:
        try:
            return queries.academy_by_slug(self._table, new.slug)
        except AcademyNotFound:
            return operations.create_academy(self._table, new, now=now)

    def _user(self, name: str, now: datetime) -> User:
        email = f"{name.replace('_', '-')}@example.com"
        found = queries.user_by_email(self._table, email)
        if found is not None:
            return found
        first_name = name.replace("_", " ").capitalize()
        return operations.create_user(
            self._table, NewUser(email=email, first_name=first_name, last_name="Demonstration"), now=now
        )

    def _token(self, user: User, now: datetime) -> str:
        return operations.issue_token(self._table, user, now=now, expires_at=now + CREDENTIAL_LIFE)

    def _bearer(self, user: User, now: datetime) -> str:
        expires_at = now + CREDENTIAL_LIFE
        return mint_jwt(user.person, settings=self._settings, now=now, expires_at=expires_at, scopes=PLATFORM_SCOPES)

    def _studio_key(self, now: datetime) -> str:
        """A new key; those of earlier runs, which nobody has any more, end."""
        listed = queries.api_keys(self._table, None, PageRequest(limit=PAGE_ITEMS_MAX))
        for key in listed.items:
            if key.name == STUDIO_KEY.name:
                operations.end_api_key(self._table, key.id)
        return operations.issue_api_key(self._table, STUDIO_KEY, now=now).secret
