"""A draft of what a file makes of an offer: the rows that are there and, with their ids, those that are to come.

Nothing is written here. Every entry is held against the rules that its row is made and changed by, so that what cannot
be is refused before anything is done.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.definitions import may_see
from chalicelib.books.catalog.model import (
    Cohort,
    FinancingOption,
    Plan,
    PlanStatus,
    ResourceSet,
    Service,
    ServiceItem,
    SetKind,
)
from chalicelib.books.catalog.plans import Warned
from chalicelib.books.catalog.queries import PlanNotFound, ServiceNotFound
from chalicelib.books.catalog.set_queries import CohortNotFound, SetNotFound
from chalicelib.books.catalog.store import SlugTaken
from chalicelib.dynamo.rows import Key
from chalicelib.flows.catalog.edit import Staff
from chalicelib.flows.catalog.file import (
    Difference,
    Entry,
    IdTaken,
    KeyNotFound,
    Names,
    WarnedOf,
    content_of,
    item_key,
    option_key,
)
from chalicelib.flows.catalog.whole import Whole
from chalicelib.flows.context import Context
from chalicelib.kernel.documents import Document
from chalicelib.kernel.ids import new_id

D = TypeVar("D", bound=Document)
R = TypeVar("R", ServiceItem, FinancingOption)


class Draft:
    """The academy's offer, into which entries are put one after the other, in the order of their sections.

    What they make has ids one after the other: so many of one instant that were each made by chance would meet.
    """

    def __init__(self, context: Context, staff: Staff, whole: Whole) -> None:
        self.context = context
        self.staff = staff
        self.whole = whole
        self.differences: list[Difference] = []
        self.warned: list[WarnedOf] = []
        self.items: dict[str, ServiceItem] = {}
        self.options: dict[str, FinancingOption] = {}
        self.idents = count(new_id(context.now, context.random_bits))
        self._services = {service.slug: service for service in whole.services.values()}
        self._matched: set[tuple[type, int]] = set()

    @property
    def academy_id(self) -> int:
        return self.staff.academy_id

    def put(self, entry: Entry, before: Document | None, after: Document, write: Callable[[], object]) -> None:
        """What an entry makes; nothing where it makes what is there."""
        if after != before:
            self.differences.append(Difference(entry, before, after, write))

    def warn(self, entry: Entry, warned: Warned) -> None:
        self.warned.append(WarnedOf(entry, warned))

    def new_ident(self, entry: Entry, key_of: Callable[[int], Key] | None = None) -> int:
        """The id of what an entry makes. Raises IdTaken where it asks for one that a row at this key has."""
        if entry.ident is None:
            return next(self.idents)
        if key_of is not None and self.context.table.get(key_of(entry.ident)) is not None:
            raise IdTaken(ident=entry.ident)
        return entry.ident

    def service(self, slug: str) -> Service | None:
        """The service with this slug, or None. Raises SlugTaken where it is one that the academy does not see."""
        found = self._known_service(slug)
        if found is not None and not may_see(found, self.academy_id):
            raise SlugTaken(taken=slug)
        return found

    def named_service(self, slug: str) -> Service:
        """One that something names: who begins to, is held to `check_seen`. Raises ServiceNotFound."""
        found = self._known_service(slug)
        if found is None:
            raise ServiceNotFound(service=slug)
        return found

    def check_seen(self, service: Service) -> None:
        """Nobody begins to sell what they do not see; what they sold before it was private, they go on selling.

        Raises ServiceNotFound.
        """
        if not may_see(service, self.academy_id):
            raise ServiceNotFound(service=service.slug)

    def keep_service(self, service: Service) -> None:
        self._services[service.slug] = service
        self.whole.services[service.id] = service

    def _known_service(self, slug: str) -> Service | None:
        if slug not in self._services:
            ident = queries.known_service_id(self.context.table, slug)
            if ident is None:
                return None
            self.keep_service(queries.service(self.context.table, ident))
        return self._services[slug]

    def cohort(self, slug: str) -> Cohort | None:
        return next((found for found in self.whole.cohorts.values() if found.slug == slug), None)

    def member_id(self, ref: int | str) -> int:
        """A member of a set: a cohort by its slug, anything else by its id. Raises CohortNotFound."""
        if isinstance(ref, int):
            return ref
        found = self.cohort(ref)
        if found is None:
            raise CohortNotFound(cohort=ref)
        return found.id

    def set_of(self, kind: SetKind, slug: str) -> ResourceSet | None:
        return next((one for one in self.whole.sets.values() if one.kind is kind and one.slug == slug), None)

    def set_id(self, kind: SetKind, slug: str) -> int:
        """Raises SetNotFound."""
        found = self.set_of(kind, slug)
        if found is None:
            raise SetNotFound(ref=slug)
        return found.id

    def plan(self, slug: str) -> Plan | None:
        """The academy's plan with this slug, deleted or not. Raises SlugTaken where it is another academy's."""
        own = next((found for found in self.whole.plans.values() if found.slug == slug), None)
        if own is None and self.context.table.get(store.slug_key("plan", slug)) is not None:
            raise SlugTaken(taken=slug)
        return own

    def named_plan(self, slug: str) -> Plan:
        """Raises PlanNotFound, also for one that is deleted."""
        found = next((plan for plan in self.whole.plans.values() if plan.slug == slug), None)
        if found is None or found.status is PlanStatus.DELETED:
            raise PlanNotFound
        return found

    def item(self, key: str) -> ServiceItem:
        """Raises KeyNotFound."""
        if key not in self.items:
            raise KeyNotFound(section="service_items", key=key)
        return self.items[key]

    def option(self, key: str) -> FinancingOption:
        """Raises KeyNotFound."""
        if key not in self.options:
            raise KeyNotFound(section="financing_options", key=key)
        return self.options[key]

    def matching(self, rows: dict[int, R], wanted: R) -> R | None:
        """The first row that says what is wanted, the academy's own before everyone's; each serves one entry."""
        content = content_of(wanted)
        same = [row for row in rows.values() if (type(row), row.id) not in self._matched and content_of(row) == content]
        return min(same, key=lambda row: (_owner(row) is None, row.id), default=None)

    def with_id(self, rows: dict[int, R], ident: int | None) -> R | None:
        """The academy's own row that an entry names by its id, where it serves no other entry."""
        row = None if ident is None else rows.get(ident)
        if row is None or _owner(row) != self.academy_id or (type(row), row.id) in self._matched:
            return None
        return row

    def keep_item(self, key: str, item: ServiceItem) -> None:
        """It serves this key, and no other."""
        self.items[key] = self.whole.items[item.id] = item
        self._matched.add((ServiceItem, item.id))

    def keep_option(self, key: str, option: FinancingOption) -> None:
        """It serves this key, and no other."""
        self.options[key] = self.whole.options[option.id] = option
        self._matched.add((FinancingOption, option.id))

    def names(self) -> Names:
        """What stands for the ids of all that is there and is to be; items and options have the file's keys."""
        whole = self.whole
        return Names(
            services={ident: service.slug for ident, service in whole.services.items()},
            cohorts={ident: cohort.slug for ident, cohort in whole.cohorts.items()},
            sets={ident: found.slug for ident, found in whole.sets.items()},
            items={
                ident: _key(self.items, item) or item_key(item, whole.services[item.service_id])
                for ident, item in whole.items.items()
            },
            options={
                ident: _key(self.options, option) or option_key(option) for ident, option in whole.options.items()
            },
            plans={ident: plan.slug for ident, plan in whole.plans.items()},
        )


def with_fields(fields: dict[str, Any], row: D) -> D:
    """The rule by which an entry changes a row, whatever it has become meanwhile."""
    return row.model_copy(update=fields)


def _owner(row: ServiceItem | FinancingOption) -> int | None:
    return row.owner_id if isinstance(row, ServiceItem) else row.academy_id


def _key(rows: dict[str, R], wanted: R) -> str | None:
    content = content_of(wanted)
    return next((key for key, row in rows.items() if content_of(row) == content), None)
