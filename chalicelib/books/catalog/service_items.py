"""What a service item may be. Pure."""

from __future__ import annotations

from collections.abc import Collection

from chalicelib.books.catalog.definitions import may_see
from chalicelib.books.catalog.model import Service, ServiceItem, ServiceType
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.quantity import UNITS_MAX, UNLIMITED_IN_JSON

UPDATABLE = frozenset({"is_team_allowed", "sort_priority", "features"})
RENEW_AT_MAX = 1000
SORT_PRIORITY_MAX = 1_000_000
UNIT_TYPE = "UNIT"


class ItemNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "service-item-not-found"
    detail = "There is no service item {item}."


class InvalidHowMany(DomainError):
    slug = "invalid-how-many"
    detail = "A service item has -1 (unlimited) or 1 to 1000000000000 units."


class InvalidUnitType(DomainError):
    slug = "invalid-unit-type"
    detail = "The units of a service item are UNIT."


class InvalidRenewal(DomainError):
    slug = "invalid-renew-at"
    detail = "A service item renews each 1 to 1000 days, weeks, months or years."


class InvalidSortPriority(DomainError):
    slug = "invalid-sort-priority"
    detail = "A sort priority is from -1000000 to 1000000."


class InvalidFeatures(DomainError):
    slug = "invalid-features"
    detail = "The features have {lang} more than once."


class NoUpdatableFields(DomainError):
    slug = "no-updatable-fields"
    detail = "Only is_team_allowed, sort_priority and features of a service item can change; make a new one instead."


def checked_item(item: ServiceItem, service: Service) -> ServiceItem:
    """The item as it is kept; a seat's units are always for teams.

    Raises InvalidHowMany, InvalidUnitType, InvalidRenewal, InvalidSortPriority, InvalidFeatures.
    """
    if item.how_many != UNLIMITED_IN_JSON and not 1 <= item.how_many <= UNITS_MAX:
        raise InvalidHowMany
    if item.unit_type != UNIT_TYPE:
        raise InvalidUnitType
    if not 1 <= item.renew_at <= RENEW_AT_MAX:
        raise InvalidRenewal
    if abs(item.sort_priority) > SORT_PRIORITY_MAX:
        raise InvalidSortPriority
    languages = [feature.lang for feature in item.features]
    for lang in languages:
        if languages.count(lang) > 1:
            raise InvalidFeatures(lang=lang)
    return item.model_copy(update={"is_team_allowed": True}) if service.type is ServiceType.SEAT else item


def check_updatable(fields: Collection[str]) -> None:
    """Raises NoUpdatableFields where something else is to change, or nothing is."""
    if not fields or set(fields) - UPDATABLE:
        raise NoUpdatableFields


def may_read(item: ServiceItem, service: Service, academy_id: int) -> bool:
    """Whether an academy's staff see the item: its own, and everyone's of a service that they see."""
    return item.owner_id == academy_id or (item.owner_id is None and may_see(service, academy_id))


def may_link(item: ServiceItem, service: Service, academy_id: int) -> bool:
    """Whether an academy may sell the item by a plan: its own or everyone's, of a service that it sees."""
    return item.owner_id in (None, academy_id) and may_see(service, academy_id)
