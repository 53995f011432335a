"""What a service may be, who sees it and who changes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.books.catalog.model import Service
from chalicelib.kernel.errors import DomainError, Kind

SESSION_SECONDS_MAX = 366 * 86_400
RESERVED_SLUGS = frozenset({"consumable"})
"""Words that stand in the place of a service's slug in a path."""
FIXED = ("slug", "type", "consumer")


class InvalidServiceSlug(DomainError):
    slug = "invalid-slug"
    detail = "A slug of a service has 1 to 60 letters, digits and hyphens, not digits only, not consumable."


class InvalidSession(DomainError):
    slug = "invalid-session-duration"
    detail = "A session lasts 1 to 31622400 seconds."


class InvalidGroups(DomainError):
    slug = "invalid-groups"
    detail = "The group {group} stands there twice."


class ServiceFixed(DomainError):
    slug = "service-field-immutable"
    detail = "{fields} of a service cannot change: what was bought of it would mean something else. Make a new service."


class NotTheOwner(DomainError):
    """It may be seen, as a public thing or everyone's, and not be changed."""

    kind = Kind.FORBIDDEN
    slug = "not-the-owner"
    detail = "Only its owner may change the {thing}; what is everyone's, only operators may."


def checked_service(service: Service) -> Service:
    """The service as it is kept. Raises InvalidServiceSlug, InvalidSession, InvalidGroups."""
    slug = service.slug
    words = slug.replace("-", "")
    if (
        not (0 < len(slug) <= 60 and words.isascii() and words.isalnum() and not slug.isdigit())
        or slug in RESERVED_SLUGS
    ):
        raise InvalidServiceSlug
    if service.session_seconds is not None and not 1 <= service.session_seconds <= SESSION_SECONDS_MAX:
        raise InvalidSession
    names = [group.name for group in service.groups]
    for name in names:
        if names.count(name) > 1:
            raise InvalidGroups(group=name)
    return service


def changed_service(before: Service, changes: Mapping[str, Any]) -> Service:
    """The service with these changes. What says which units were bought stays as it was.

    Ledger accounts, subscriptions and customers' calls name a service by its slug and type, and its consumer says what
    its units are taken for. Raises ServiceFixed, and what checked_service raises.
    """
    after = before.model_copy(update=dict(changes))
    moved = [name for name in FIXED if getattr(after, name) != getattr(before, name)]
    if moved:
        raise ServiceFixed(fields=", ".join(moved))
    return checked_service(after)


def may_see(service: Service, academy_id: int) -> bool:
    """Whether an academy's staff see the service: its own, everyone's, and every public one."""
    return not service.private or service.owner_id in (None, academy_id)


def check_owner(owner_id: int | None, academy_id: int, *, is_operator: bool, thing: str) -> None:
    """Raises NotTheOwner unless the academy owns it, or an operator asks and it is everyone's (D49)."""
    if owner_id == academy_id or (owner_id is None and is_operator):
        return
    raise NotTheOwner(thing=thing)
