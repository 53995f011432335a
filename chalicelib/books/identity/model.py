"""People, academies, memberships and credentials, as they are read; and what is asked for when one is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from chalicelib.books.identity import roles
from chalicelib.books.identity.credentials import checked_email, checked_password
from chalicelib.kernel.documents import Document
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.ids import ID_MAX
from chalicelib.kernel.money import UnknownCurrency, currency
from chalicelib.kernel.names import is_shown

CredentialKind = Literal["token", "api_key"]

NAME_CHARACTERS_MAX = 100
SLUG_CHARACTERS_MAX = 60
SCOPES_MAX = 40
SCOPE_CHARACTERS_MAX = 60


class InvalidSlug(DomainError):
    slug = "invalid-slug"
    detail = "{given} is no slug: 1 to 60 of a-z, 0-9, - and _, a letter or digit first, and not digits only."


class InvalidName(DomainError):
    slug = "invalid-name"
    detail = "A name has 1 to 100 characters that can be shown."


class InvalidAcademyId(DomainError):
    slug = "invalid-academy-id"
    detail = "{given} is neither an academy's id nor its slug."


class InvalidScopes(DomainError):
    slug = "invalid-scopes"
    detail = "An API key has 1 to 40 different scopes of 1 to 60 of a-z, 0-9, _, :, . and -."


class AcademyCurrencyNotFound(DomainError):
    slug = "currency-not-found"
    detail = "There is no currency {code}."


class Person(Document):
    """What a credential says about its holder, so that one read finds the caller.

    An API key's holder is no user: `user_id` is the key's own id, `email` is empty and `first_name` the key's name.
    """

    user_id: int
    email: str
    first_name: str
    last_name: str


class User(Document):
    """A person with an account. `password_hash` is None for whoever has set no password yet."""

    id: int
    email: str
    first_name: str
    last_name: str
    is_operator: bool = False
    password_hash: str | None = None
    created_at: datetime

    unseen: ClassVar[frozenset[str]] = frozenset({"password_hash"})

    @property
    def person(self) -> Person:
        return Person(user_id=self.id, email=self.email, first_name=self.first_name, last_name=self.last_name)


class Academy(Document):
    id: int
    slug: str
    name: str
    main_currency: str | None = None
    created_at: datetime


class Membership(Document):
    """What a person may do as staff of one academy: `capabilities` are those of the role and those given by name."""

    academy_id: int
    user_id: int
    role: str
    capabilities: tuple[str, ...] = ()


class Credential(Document):
    """A secret that was handed out, without the secret. `expires_at` is None for a key that holds until it is ended."""

    kind: CredentialKind
    person: Person
    scopes: tuple[str, ...] = ()
    is_operator: bool = False
    academy_id: int | None = None
    created_at: datetime
    expires_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Valid until, and no longer at, `expires_at`."""
        return self.expires_at is None or now < self.expires_at


class TokenEntry(Document):
    """A token in the list of its person: `id` names it without letting anyone in, `digest` finds its credential."""

    id: str
    digest: str
    created_at: datetime
    expires_at: datetime

    unseen: ClassVar[frozenset[str]] = frozenset({"digest"})


class ApiKey(Document):
    """An API key in the list of keys."""

    id: int
    name: str
    academy_id: int | None = None
    scopes: tuple[str, ...] = ()
    digest: str
    created_at: datetime

    unseen: ClassVar[frozenset[str]] = frozenset({"digest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """Raises InvalidEmail, InvalidName, InvalidPassword."""

    email: str
    first_name: str
    last_name: str = ""
    is_operator: bool = False
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "email", checked_email(self.email))
        object.__setattr__(self, "first_name", checked_name(self.first_name))
        object.__setattr__(self, "last_name", checked_name(self.last_name) if self.last_name.strip() else "")
        if self.password is not None:
            checked_password(self.password)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAcademy:
    """`id` is given by an importer that keeps the ids it had.

    Raises InvalidSlug, InvalidName, InvalidAcademyId, AcademyCurrencyNotFound.
    """

    name: str
    slug: str
    main_currency: str | None = None
    id: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))
        checked_slug(self.slug)
        if self.id is not None and not 1 <= self.id <= ID_MAX:
            raise InvalidAcademyId(given=self.id)
        if self.main_currency is not None:
            object.__setattr__(self, "main_currency", checked_currency(self.main_currency))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcademyChange:
    """What becomes different of an academy; None stays as it is. Raises InvalidName, AcademyCurrencyNotFound."""

    name: str | None = None
    main_currency: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            object.__setattr__(self, "name", checked_name(self.name))
        if self.main_currency is not None:
            object.__setattr__(self, "main_currency", checked_currency(self.main_currency))

    def made_of(self, academy: Academy) -> Academy:
        changes = {"name": self.name, "main_currency": self.main_currency}
        return academy.model_copy(update={name: value for name, value in changes.items() if value is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What somebody may do somewhere: a role, capabilities by name, or both. Raises UnknownRole, UnknownCapability."""

    role: str = roles.NO_ROLE
    capabilities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        roles.check(role=self.role, capabilities=self.capabilities)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """Raises InvalidName, InvalidScopes."""

    name: str
    scopes: tuple[str, ...]
    academy_id: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))
        if not 1 <= len(self.scopes) <= SCOPES_MAX or len(set(self.scopes)) != len(self.scopes):
            raise InvalidScopes
        if not all(_is_word(scope, also="_:.-", longest=SCOPE_CHARACTERS_MAX) for scope in self.scopes):
            raise InvalidScopes


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempt:
    """`source` is the network address that the attempt came from, None where it is not known."""

    email: str
    password: str = field(repr=False)
    source: str | None = None


def checked_slug(text: str) -> str:
    """The slug itself. Digits only is refused, so that a slug is never taken for an id. Raises InvalidSlug."""
    if not _is_word(text, also="-_", longest=SLUG_CHARACTERS_MAX) or text.isdigit() or text[0] in "-_":
        raise InvalidSlug(given=repr(text[:SLUG_CHARACTERS_MAX]))
    return text


def checked_name(text: str) -> str:
    """The name without blanks around it. Raises InvalidName."""
    name = text.strip()
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX or not is_shown(name):
        raise InvalidName
    return name


def checked_currency(code: str) -> str:
    """The code in capitals. Raises AcademyCurrencyNotFound."""
    try:
        return currency(code).code
    except UnknownCurrency as error:
        raise AcademyCurrencyNotFound(code=code) from error


def _is_word(text: str, *, also: str, longest: int) -> bool:
    return 1 <= len(text) <= longest and all(
        character.isascii() and (character.islower() or character.isdigit() or character in also) for character in text
    )
