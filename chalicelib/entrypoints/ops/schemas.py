"""What operators send and get."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta
from pydantic import Field

from chalicelib.books.identity.credentials import (
    EMAIL_CHARACTERS_MAX,
    PASSWORD_CHARACTERS_MAX,
    PASSWORD_CHARACTERS_MIN,
    secret_digest,
    token_id,
)
from chalicelib.books.identity.model import (
    NAME_CHARACTERS_MAX,
    SCOPE_CHARACTERS_MAX,
    SCOPES_MAX,
    SLUG_CHARACTERS_MAX,
    Academy,
    ApiKey,
    Membership,
    TokenEntry,
    User,
)
from chalicelib.books.identity.operations import Hired
from chalicelib.books.identity.roles import CAPABILITIES
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Instant, Output, Query
from chalicelib.kernel.ids import ID_MAX
from chalicelib.kernel.pages import PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, Page, PageRequest

CURSOR_CHARACTERS_MAX = 1000

Email = Annotated[str, Field(min_length=3, max_length=EMAIL_CHARACTERS_MAX)]
Id = Annotated[int, Field(ge=1, le=ID_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Scope = Annotated[str, Field(min_length=1, max_length=SCOPE_CHARACTERS_MAX)]
Slug = Annotated[str, Field(min_length=1, max_length=SLUG_CHARACTERS_MAX)]


class PageQuery(Query):
    """`limit` above 100 reads as 100; `cursor` is the `next_cursor` of the page before."""

    limit: Annotated[int, Meta(ge=1, le=10**6)] = PAGE_ITEMS_DEFAULT
    cursor: Annotated[str, Meta(max_length=CURSOR_CHARACTERS_MAX)] | None = None

    @property
    def page(self) -> PageRequest:
        return PageRequest(limit=min(self.limit, PAGE_ITEMS_MAX), cursor=self.cursor)


class AcademyBody(Input):
    """`id` is for whoever moves in with ids of their own."""

    name: Name
    slug: Slug
    main_currency: str | None = Field(default=None, min_length=3, max_length=3)
    id: Id | None = None


class AcademyChangeBody(Input):
    """What is left out, or null, stays as it is."""

    name: Name | None = None
    main_currency: str | None = Field(default=None, min_length=3, max_length=3)


class AcademyAnswer(Output):
    id: int
    slug: str
    name: str
    main_currency: str | None
    created_at: Instant

    @classmethod
    def of(cls, academy: Academy) -> AcademyAnswer:
        return cls(
            id=academy.id,
            slug=academy.slug,
            name=academy.name,
            main_currency=academy.main_currency,
            created_at=academy.created_at,
        )


class AcademyPage(Output):
    data: tuple[AcademyAnswer, ...]
    has_more: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Academy]) -> AcademyPage:
        data = tuple(AcademyAnswer.of(academy) for academy in page.items)
        return cls(data=data, has_more=page.next_cursor is not None, next_cursor=page.next_cursor)


class StaffBody(Input):
    """A `role`, `capabilities`, or both. Whoever has no account gets one, with the `password` if there is one."""

    email: Email
    first_name: Name
    last_name: str = Field(default="", max_length=NAME_CHARACTERS_MAX)
    role: str | None = Field(default=None, min_length=1, max_length=SCOPE_CHARACTERS_MAX)
    capabilities: list[Scope] = Field(default=[], max_length=len(CAPABILITIES))
    password: str | None = Field(
        default=None, min_length=PASSWORD_CHARACTERS_MIN, max_length=PASSWORD_CHARACTERS_MAX, repr=False
    )


class MemberAnswer(Output):
    academy_id: int
    user_id: int
    role: str
    capabilities: tuple[str, ...]

    @classmethod
    def of(cls, member: Membership) -> MemberAnswer:
        return cls(
            academy_id=member.academy_id,
            user_id=member.user_id,
            role=member.role,
            capabilities=member.capabilities,
        )


class MemberPage(Output):
    data: tuple[MemberAnswer, ...]
    has_more: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[Membership]) -> MemberPage:
        data = tuple(MemberAnswer.of(member) for member in page.items)
        return cls(data=data, has_more=page.next_cursor is not None, next_cursor=page.next_cursor)


class TokenAnswer(Output):
    """`token` is shown this once. `id` names it in the list and ends it."""

    id: str
    token: str
    expires_at: Instant
    user_id: int
    email: str

    unseen: ClassVar[frozenset[str]] = frozenset({"token"})

    @classmethod
    def of(cls, user: User, *, secret: str, expires_at: datetime) -> TokenAnswer:
        return cls(
            id=token_id(secret_digest(secret)),
            token=secret,
            expires_at=expires_at,
            user_id=user.id,
            email=user.email,
        )


class HiredAnswer(Output):
    """The new member of staff and a token for them, which is shown this once."""

    member: MemberAnswer
    token: TokenAnswer

    @classmethod
    def of(cls, hired: Hired) -> HiredAnswer:
        token = TokenAnswer.of(hired.user, secret=hired.secret, expires_at=hired.expires_at)
        return cls(member=MemberAnswer.of(hired.membership), token=token)


class UserAnswer(Output):
    id: int
    email: str
    first_name: str
    last_name: str
    is_operator: bool
    has_password: bool
    created_at: Instant

    @classmethod
    def of(cls, user: User) -> UserAnswer:
        return cls(
            id=user.id,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            is_operator=user.is_operator,
            has_password=user.password_hash is not None,
            created_at=user.created_at,
        )


class UserQuery(Query):
    email: Annotated[str, Meta(min_length=3, max_length=EMAIL_CHARACTERS_MAX)]


class UserList(Output):
    data: tuple[UserAnswer, ...]


class ListedToken(Output):
    id: str
    created_at: Instant
    expires_at: Instant

    @classmethod
    def of(cls, entry: TokenEntry) -> ListedToken:
        return cls(id=entry.id, created_at=entry.created_at, expires_at=entry.expires_at)


class TokenList(Output):
    data: tuple[ListedToken, ...]


class TokenBody(Input):
    """`days` until it expires."""

    days: int = Field(default=30, ge=1, le=366)


class ApiKeyBody(Input):
    """`academy` is the one that the key belongs to; without it the key belongs to none."""

    name: Name
    scopes: list[Scope] = Field(min_length=1, max_length=SCOPES_MAX)
    academy: Id | Slug | None = None


class ListedApiKey(Output):
    id: int
    name: str
    academy_id: int | None
    scopes: tuple[str, ...]
    created_at: Instant

    @classmethod
    def of(cls, key: ApiKey) -> ListedApiKey:
        return cls(
            id=key.id,
            name=key.name,
            academy_id=key.academy_id,
            scopes=key.scopes,
            created_at=key.created_at,
        )


class ApiKeyAnswer(Output):
    """`key` goes into `X-Api-Key` and is shown this once."""

    id: int
    key: str
    name: str
    academy_id: int | None
    scopes: tuple[str, ...]

    unseen: ClassVar[frozenset[str]] = frozenset({"key"})


class ApiKeyQuery(PageQuery):
    academy: Annotated[str, Meta(min_length=1, max_length=SLUG_CHARACTERS_MAX)] | None = None


class ApiKeyPage(Output):
    data: tuple[ListedApiKey, ...]
    has_more: bool
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[ApiKey]) -> ApiKeyPage:
        data = tuple(ListedApiKey.of(key) for key in page.items)
        return cls(data=data, has_more=page.next_cursor is not None, next_cursor=page.next_cursor)
