"""Catalog as code: an academy's whole offer as one file, applied and exported."""

from __future__ import annotations

from typing import Annotated, Any

from chalicelib.books.catalog import (
    academy_services,
    coupon_terms,
    definitions,
    financing,
    plan_offers,
    plans,
    prices,
    queries,
    service_items,
    set_queries,
    sets,
    store,
)
from chalicelib.books.identity.model import AcademyCurrencyNotFound
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints._yaml import MEDIA_TYPE, yaml_text
from chalicelib.entrypoints.academy.queries import AcademyQuery
from chalicelib.entrypoints.staff.catalog_entries import all_fields, entry_out
from chalicelib.entrypoints.staff.catalog_schemas import CatalogBody, entries_of
from chalicelib.entrypoints.staff.inputs import staff_of
from chalicelib.flows.catalog import coupons, link_items, save_plan
from chalicelib.flows.catalog.apply_file import apply, drafted
from chalicelib.flows.catalog.draft import Draft
from chalicelib.flows.catalog.export import Exported, export
from chalicelib.flows.catalog.file import Difference, IdTaken, KeyNotFound, Names

PATH = "/v1/payments/academy/catalog"
WITHOUT_IDS = frozenset({"settings", "coupons", "plan_offers"})
"""Sections whose entries have none: a coupon's id counts its uses at every academy."""
CAPABILITY = "crud_academy_payment_settings"
REFUSED = (
    store.SlugTaken,
    store.ChangedMeanwhile,
    store.AcademyServiceExists,
    store.SetNotFound,
    store.ActiveOfferExists,
    AcademyCurrencyNotFound,
    definitions.InvalidServiceSlug,
    definitions.InvalidSession,
    definitions.InvalidGroups,
    definitions.ServiceFixed,
    definitions.NotTheOwner,
    sets.InvalidSetSlug,
    sets.InvalidSetName,
    sets.TooManyMembers,
    sets.CohortNotAvailable,
    sets.CohortInSet,
    set_queries.CohortNotFound,
    set_queries.SetNotFound,
    academy_services.InvalidBundleSize,
    academy_services.InvalidMaxItems,
    academy_services.InvalidDiscountRatio,
    academy_services.SetsExcludeEachOther,
    academy_services.PriceFixed,
    prices.CurrencyNotFound,
    prices.InvalidPrice,
    prices.InvalidCountryPrices,
    queries.PlanNotFound,
    queries.ServiceNotFound,
    queries.PriceNotFound,
    service_items.InvalidHowMany,
    service_items.InvalidUnitType,
    service_items.InvalidRenewal,
    service_items.InvalidSortPriority,
    service_items.InvalidFeatures,
    service_items.NoUpdatableFields,
    financing.InvalidMonthlyPrice,
    financing.InvalidMonths,
    plans.InvalidPlanSlug,
    plans.InvalidTimeOfLife,
    plans.InvalidTrial,
    plans.InvalidSeats,
    plans.InvalidCapacity,
    plans.PlanDeleted,
    plans.PlanHasSubscriptions,
    save_plan.InvalidSeatService,
    link_items.TooManyServiceItems,
    coupon_terms.CouponPlanNotFound,
    coupon_terms.ReservedSlug,
    coupon_terms.InvalidDiscountValue,
    coupon_terms.InvalidReferralValue,
    coupon_terms.AutoWithoutDiscount,
    coupon_terms.InvalidOffers,
    coupon_terms.InvalidPerPerson,
    coupon_terms.InvalidRenewals,
    coupon_terms.InvalidExpiry,
    coupon_terms.CurrencyRequired,
    coupons.TooManyAutomatic,
    plan_offers.SuggestsItself,
    plan_offers.LanguageTwice,
    IdTaken,
    KeyNotFound,
)
"""What an entry may be refused for: the sentence says which entry, and how much was done before it."""


class ApplyQuery(AcademyQuery):
    dry_run: bool = False


class ExportQuery(AcademyQuery):
    """`ids`: with the ids of all that has one, for a copy that shall have the same."""

    ids: bool = False


class FieldOut(Output):
    """Null before: it was not there, or said nothing."""

    before: Any
    after: Any


class ChangeOut(Output):
    """`entry` is where it stands in the file, `ref` what it is known by, `action` create or change."""

    action: str
    kind: str
    ref: str
    entry: str
    fields: dict[str, FieldOut]


class EntryWarningOut(Output):
    entry: str
    ref: str
    slug: str
    detail: str


class AppliedOut(Output):
    """What the file changes, and what may surprise of all that it states, changed or not."""

    changes: list[ChangeOut]
    warnings: list[EntryWarningOut]


@route(
    "POST",
    PATH + "/apply",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: AppliedOut},
    errors=(AcademyRequired, *REFUSED),
)
def apply_catalog(call: Call, body: Annotated[CatalogBody, "application/yaml"], query: ApplyQuery) -> Answer:
    """Make or change the academy's whole offer as a file states it; with `dry_run`, say only what that would change.

    It does in one call what several capabilities allow by themselves, so it needs one that only administrators have.
    The academy is named by the query or the header. A file that is refused at one entry keeps what was done before it:
    applied again, it goes on. Applied twice, it changes nothing the second time.
    """
    staff = staff_of(call)
    draft = drafted(call.runtime.context(call.now), staff, entries_of(body))
    if not query.dry_run:
        apply(draft.differences)
    return Answer(200, applied_out(draft))


@route(
    "GET",
    PATH + "/export",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: Annotated[str, "application/yaml"]},
    errors=(AcademyRequired,),
)
def export_catalog(call: Call, query: ExportQuery) -> Answer:
    """The academy's whole offer as a file that makes it again: without what has ended, and what names a person."""
    exported = export(call.runtime.context(call.now), staff_of(call).academy_id)
    return Answer(200, file_text(exported, with_ids=query.ids), {"Content-Type": MEDIA_TYPE})


def applied_out(draft: Draft) -> AppliedOut:
    names = draft.names()
    return AppliedOut(
        changes=[_change_out(difference, names) for difference in draft.differences],
        warnings=[
            EntryWarningOut(entry=one.entry.place, ref=one.entry.ref, slug=one.warned.slug, detail=one.warned.detail)
            for one in draft.warned
        ],
    )


def file_text(exported: Exported, *, with_ids: bool) -> str:
    """The file as YAML, without sections that would be empty."""
    file: dict[str, Any] = {}
    for section, rows in exported.sections.items():
        entries = [entry_out(row, exported.names) for row in rows]
        if with_ids and section not in WITHOUT_IDS:
            entries = [{"id": row.id, **entry} for row, entry in zip(rows, entries, strict=True)]
        if any(entries):
            file[section] = entries[0] if section == "settings" else entries
    return yaml_text(file)


def _change_out(difference: Difference, names: Names) -> ChangeOut:
    before, after = difference.before, difference.after
    was = {} if before is None else all_fields(before, names)
    now = entry_out(after, names) if before is None else all_fields(after, names)
    return ChangeOut(
        action="create" if before is None else "change",
        kind=difference.entry.section,
        ref=difference.entry.ref,
        entry=difference.entry.place,
        fields={
            name: FieldOut(before=was.get(name), after=value)
            for name, value in now.items()
            if before is None or was.get(name) != value
        },
    )
