"""An academy's offer as a file states it: entries by section, which name each other by slugs, and items by keys.

What an entry leaves out stays as it is, or has the API's default where the entry makes something; what no entry names
stays. Only a list that an entry has is stated whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.books.catalog.model import FinancingOption, Service, ServiceItem, SetKind
from chalicelib.books.catalog.plans import Warned
from chalicelib.kernel.documents import Document
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.quantity import UNLIMITED_IN_JSON

SECTIONS = (
    "settings",
    "services",
    "cohorts",
    "sets",
    "academy_services",
    "service_items",
    "financing_options",
    "plans",
    "coupons",
    "plan_offers",
)
"""Each after those that its entries name."""


class IdTaken(DomainError):
    kind = Kind.CONFLICT
    slug = "id-already-exists"
    detail = "The id {ident} is another one's already: leave it out, and a new one is made."


class KeyNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "key-not-found"
    detail = "The file has no {section} entry with the key {key}."


class EntryRefused(DomainError):
    """What an entry was refused for, and how much of the file was done by then. It has that refusal's kind and slug."""

    detail = "{place}: {why} Changes that were made: {done} of {total}."

    def __init__(self, refusal: DomainError, place: str, *, done: int, total: int) -> None:
        super().__init__(place=place, why=refusal.sentence, done=done, total=total)
        self.kind = refusal.kind  # type: ignore[misc]  # of this one
        self.slug = refusal.slug  # type: ignore[misc]
        self.retry_after_seconds = refusal.retry_after_seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `ref` is what it is known by; `fields` are those that it states, by the names of the model."""

    section: str
    number: int
    ref: str
    fields: Mapping[str, Any]
    ident: int | None = None

    @property
    def place(self) -> str:
        return self.section if self.section == "settings" else f"{self.section}[{self.number}]"


@dataclass(frozen=True, slots=True)
class Difference:
    """What an entry makes of what is there (None: nothing), and how that is written."""

    entry: Entry
    before: Document | None
    after: Document
    write: Callable[[], object]


@dataclass(frozen=True, slots=True)
class WarnedOf:
    entry: Entry
    warned: Warned


@dataclass(slots=True)
class Names:
    """What stands in a file for an id."""

    services: dict[int, str] = field(default_factory=dict)
    cohorts: dict[int, str] = field(default_factory=dict)
    sets: dict[tuple[SetKind, int], str] = field(default_factory=dict)
    items: dict[int, str] = field(default_factory=dict)
    options: dict[int, str] = field(default_factory=dict)
    plans: dict[int, str] = field(default_factory=dict)


def content_of(row: ServiceItem | FinancingOption) -> Document:
    """All that an item, or an option, says: two that say the same are one for a file."""
    if isinstance(row, ServiceItem):
        return row.model_copy(update={"id": 0, "owner_id": None})
    return row.model_copy(update={"id": 0, "academy_id": None})


def item_key(item: ServiceItem, service: Service) -> str:
    units = "unlimited" if item.how_many == UNLIMITED_IN_JSON else str(item.how_many)
    return f"{service.slug}-{units}"


def option_key(option: FinancingOption) -> str:
    return f"{option.how_many_months}-months-{option.monthly_price.normalize():f}-{option.currency.lower()}"


def distinct(keys: Sequence[str]) -> list[str]:
    """The keys, each but the first of its kind with a number."""
    found: list[str] = []
    taken = set(keys)
    for number, key in enumerate(keys):
        before = keys[:number].count(key)
        name, more = key, before + 1
        while before and name in taken:
            name, more = f"{key}-{more}", more + 1
        taken.add(name)
        found.append(name)
    return found
