"""A file of an academy's whole offer, as it is sent: the bodies by which each thing is made, by sections.

Things name each other by slugs, and what has no slug by keys of the file, so that it moves between academies. It names
no academy, and no person. What it does not know is refused, not ignored: a misspelt field would silently keep its
default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from chalicelib.books.catalog.model import OfferText, SetKind
from chalicelib.books.catalog.prices import country_prices
from chalicelib.books.catalog.sets import MEMBERS_MAX
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import refusal_of
from chalicelib.entrypoints.academy.inputs import Ident, Slug
from chalicelib.entrypoints.staff.academy_services import SETS_OF_A_KIND_MAX, PriceBody, price_fields
from chalicelib.entrypoints.staff.cohorts import CohortBody
from chalicelib.entrypoints.staff.coupons import CouponBody, coupon_fields
from chalicelib.entrypoints.staff.definitions import ServiceBody, service_fields
from chalicelib.entrypoints.staff.financing import PRICES, OptionBody
from chalicelib.entrypoints.staff.inputs import omitted, sent
from chalicelib.entrypoints.staff.plan_offers import PlanOfferBody
from chalicelib.entrypoints.staff.plan_schemas import PlanBody, plan_fields
from chalicelib.entrypoints.staff.service_items import ItemBody, features_of
from chalicelib.entrypoints.staff.sets import SetBody
from chalicelib.entrypoints.staff.settings import SettingsBody
from chalicelib.flows.catalog.file import SECTIONS, Entry, EntryRefused
from chalicelib.flows.catalog.save_plan import NAMED_MAX
from chalicelib.flows.checkout.quote import GRANTS_MAX
from chalicelib.kernel.errors import DomainError, FieldProblem

ENTRIES_MAX = 500

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=120)]
Keys = Annotated[list[Key], Field(max_length=GRANTS_MAX)]
Slugs = Annotated[list[Slug], Field(max_length=NAMED_MAX)]
SetSlugs = Annotated[list[Slug], Field(max_length=SETS_OF_A_KIND_MAX)]


class EntryInput(Input):
    """What every entry is besides the body by which its row is made. It may name things by slugs where that one takes
    ids, and have an `id`, where a new row shall have this one.
    """

    without: ClassVar[frozenset[str]] = frozenset({"academy", "academy_id"})

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            unknown = sorted(set(value) - (set(cls.model_fields) - cls.without))
            if unknown:
                raise ValueError(f"unknown here: {', '.join(name[:60] for name in unknown[:5])}")
        return value


class SettingsEntry(EntryInput, SettingsBody):
    pass


class ServiceEntry(EntryInput, ServiceBody):
    id: Ident | None = None


class CohortEntry(EntryInput, CohortBody):
    id: Ident | None = None


class SetEntry(EntryInput, SetBody):
    """`members` are cohorts by slug; mentorship services and event types by their ids, which is all they have."""

    id: Ident | None = None
    kind: Literal["cohort", "mentorship_service", "event_type"]
    members: Annotated[list[Slug] | list[Ident], Field(max_length=MEMBERS_MAX)] = omitted()

    @model_validator(mode="after")
    def _members_of_the_kind(self) -> Self:
        kind = str if self.kind == "cohort" else int
        if not all(isinstance(member, kind) for member in self.members or ()):
            raise ValueError("cohorts are members by their slugs, others by their ids")
        return self


class PriceEntry(EntryInput, PriceBody):
    id: Ident | None = None
    service: Slug
    available_mentorship_service_sets: SetSlugs = omitted()  # type: ignore[assignment]
    available_event_type_sets: SetSlugs = omitted()  # type: ignore[assignment]
    available_cohort_sets: SetSlugs = omitted()  # type: ignore[assignment]


class ItemEntry(EntryInput, ItemBody):
    """Stated whole: an item with all the same fields is this one. `key` is what plans call it in the file."""

    id: Ident | None = None
    key: Key
    service: Slug


class OptionEntry(EntryInput, OptionBody):
    """As a service item."""

    id: Ident | None = None
    key: Key


class PlanEntry(EntryInput, PlanBody):
    """`service_items` and `financing_options` are keys of the file; the price of a seat and add-ons are services."""

    without: ClassVar[frozenset[str]] = EntryInput.without | {"applies_from", "owner", "owner_id"}

    id: Ident | None = None
    cohort_set: Slug | None = None  # type: ignore[assignment]
    mentorship_service_set: Slug | None = None  # type: ignore[assignment]
    event_type_set: Slug | None = None  # type: ignore[assignment]
    financing_options: Annotated[list[Key], Field(max_length=NAMED_MAX)] = omitted()  # type: ignore[assignment]
    seat_service_price: Slug | None = None  # type: ignore[assignment]
    add_ons: Slugs = omitted()  # type: ignore[assignment]
    service_items: Keys = omitted()


class CouponEntry(EntryInput, CouponBody):
    """People are not in a file: a person has another id elsewhere."""

    without: ClassVar[frozenset[str]] = EntryInput.without | {"allowed_user", "seller"}

    plans: Annotated[list[Slug], Field(max_length=100)] = omitted()  # type: ignore[assignment]


class PlanOfferEntry(EntryInput, PlanOfferBody):
    """The offer of its original plan, which has one."""

    original_plan: Slug
    suggested_plan: Slug


class CatalogBody(Input):
    """What no entry names stays as it is, and so does each field that an entry leaves out; a list is stated whole.

    Nothing is taken away by leaving it out: a plan's `status` and a coupon's `expires_at` do that.
    """

    model_config = ConfigDict(extra="forbid")

    settings: SettingsEntry = omitted()
    services: Annotated[list[ServiceEntry], Field(max_length=ENTRIES_MAX)] = omitted()
    cohorts: Annotated[list[CohortEntry], Field(max_length=ENTRIES_MAX)] = omitted()
    sets: Annotated[list[SetEntry], Field(max_length=ENTRIES_MAX)] = omitted()
    academy_services: Annotated[list[PriceEntry], Field(max_length=ENTRIES_MAX)] = omitted()
    service_items: Annotated[list[ItemEntry], Field(max_length=ENTRIES_MAX)] = omitted()
    financing_options: Annotated[list[OptionEntry], Field(max_length=ENTRIES_MAX)] = omitted()
    plans: Annotated[list[PlanEntry], Field(max_length=ENTRIES_MAX)] = omitted()
    coupons: Annotated[list[CouponEntry], Field(max_length=ENTRIES_MAX)] = omitted()
    plan_offers: Annotated[list[PlanOfferEntry], Field(max_length=ENTRIES_MAX)] = omitted()


def entries_of(body: CatalogBody) -> list[Entry]:
    """The entries of a file, in its order. Raises InvalidRequest where two are of one thing or there are too many, and
    EntryRefused for what of an entry cannot be read.
    """
    found: list[Entry] = []
    problems = []
    known: set[tuple[str, str]] = set()
    for section in SECTIONS:
        sent_entries = getattr(body, section) or []
        for number, one in enumerate(sent_entries if isinstance(sent_entries, list) else [sent_entries]):
            ref = _REFS[section](one)
            if (section, ref) in known:
                problems.append(FieldProblem(f"{section}.{number}", f"there is another one of {ref}"))
            known.add((section, ref))
            found.append(_entry(section, number, ref, one))
    if len(found) > ENTRIES_MAX:
        problems.append(FieldProblem("body", f"a file has at most {ENTRIES_MAX} entries"))
    if problems:
        raise refusal_of(problems)
    return found


def _entry(section: str, number: int, ref: str, body: Any) -> Entry:
    entry = Entry(section=section, number=number, ref=ref, fields={}, ident=getattr(body, "id", None))
    try:
        fields = _FIELDS[section](body)
    except DomainError as refusal:
        raise EntryRefused(refusal, f"{entry.place} ({ref})", done=0, total=0) from refusal
    return replace(entry, fields={name: value for name, value in fields.items() if name != "id"})


def _set_fields(body: SetEntry) -> dict[str, Any]:
    fields = {**sent(body), "kind": SetKind(body.kind)}
    return {**fields, "members": tuple(body.members)} if "members" in fields else fields


def _price_fields(body: PriceEntry) -> dict[str, Any]:
    return {**price_fields(body), "service": body.service}


def _item_fields(body: ItemEntry) -> dict[str, Any]:
    fields = {name: getattr(body, name) for name in ItemBody.model_fields if name not in EntryInput.without}
    return {**fields, "features": features_of(body.features)}


def _option_fields(body: OptionEntry) -> dict[str, Any]:
    return {
        "monthly_price": body.monthly_price,
        "how_many_months": body.how_many_months,
        "currency": body.currency,
        "countries": country_prices(body.pricing_ratio_exceptions or {}, PRICES),
    }


def _offer_fields(body: PlanOfferEntry) -> dict[str, Any]:
    fields = sent(body)
    if "translations" in fields:
        fields["translations"] = tuple(OfferText(**text.model_dump()) for text in body.translations)
    return fields


_FIELDS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "settings": sent,
    "services": service_fields,
    "cohorts": sent,
    "sets": _set_fields,
    "academy_services": _price_fields,
    "service_items": _item_fields,
    "financing_options": _option_fields,
    "plans": plan_fields,
    "coupons": coupon_fields,
    "plan_offers": _offer_fields,
}
_REFS: Mapping[str, Callable[[Any], str]] = {
    "settings": lambda body: "academy",
    "services": attrgetter("slug"),
    "cohorts": attrgetter("slug"),
    "sets": lambda body: f"{body.kind} {body.slug}",
    "academy_services": attrgetter("service"),
    "service_items": attrgetter("key"),
    "financing_options": attrgetter("key"),
    "plans": attrgetter("slug"),
    "coupons": attrgetter("slug"),
    "plan_offers": attrgetter("original_plan"),
}
