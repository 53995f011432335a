"""Plan offers: which plan is suggested to whoever looks at another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog import set_queries
from chalicelib.books.catalog.model import OfferText, Plan, PlanOffer
from chalicelib.books.catalog.plan_offers import (
    LANGUAGES_MAX,
    LanguageTwice,
    PlanOfferNotFound,
    SuggestsItself,
)
from chalicelib.books.catalog.queries import PlanNotFound
from chalicelib.books.catalog.store import ActiveOfferExists, ChangedMeanwhile
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, route
from chalicelib.entrypoints._pages import filtered, link_headers, read_page
from chalicelib.entrypoints.academy.inputs import Ref
from chalicelib.entrypoints.academy.plan_offers import OfferTextOut, PlanOfferQuery, text_out
from chalicelib.entrypoints.academy.queries import ref_of
from chalicelib.entrypoints.staff.inputs import StaffInput, When, omitted, sent, staff_of
from chalicelib.flows.catalog.edit import Staff
from chalicelib.flows.catalog.suggest import offer_changed, offer_made, offer_removed, plan_to_name
from chalicelib.kernel.ids import new_id

PATH = "/v1/payments/academy/planoffer"
TEXT_CHARACTERS_MAX = 2000
INVALID = (PlanNotFound, SuggestsItself, LanguageTwice, ActiveOfferExists)
PLANS = ("original_plan", "suggested_plan")

Text = Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX)]


class OfferTextBody(Input):
    lang: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]
    title: Text | None = None
    description: Text | None = None
    short_description: Text | None = None


class PlanOfferChange(StaffInput):
    """What is left out stays. Plans by id or slug. `details` and `expires_at` may be null: none, and for good."""

    slugs: ClassVar[Mapping[str, str]] = {
        "original_plan": "original-plan-required",
        "suggested_plan": "suggested-plan-required",
    }

    original_plan: Ref = omitted()
    suggested_plan: Ref = omitted()
    details: Text | None = None
    show_modal: bool = omitted()
    expires_at: When | None = None
    translations: Annotated[list[OfferTextBody], Field(max_length=LANGUAGES_MAX)] = omitted()


class PlanOfferBody(PlanOfferChange):
    original_plan: Ref
    suggested_plan: Ref


class NamedPlanOut(Output):
    id: int
    slug: str
    title: str | None
    status: str


class StaffPlanOfferOut(Output):
    """`expires_at` is null for an offer without an end."""

    id: int
    original_plan: NamedPlanOut
    suggested_plan: NamedPlanOut
    details: str | None
    show_modal: bool
    expires_at: Instant | None
    translations: list[OfferTextOut]


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: list[StaffPlanOfferOut]},
    errors=(AcademyRequired, PlanNotFound),
)
def list_offers(call: Call, query: PlanOfferQuery) -> Answer:
    """The academy's plan offers, expired ones too, newest first."""
    staff, table = staff_of(call), call.runtime.table
    named = {
        f"{name}_id": _own_plan_id(staff, call, ref) for name in PLANS if (ref := getattr(query, name)) is not None
    }
    offers = filtered(
        lambda size, cursor: set_queries.plan_offers(table, staff.academy_id, limit=size, cursor=cursor),
        lambda offer: all(getattr(offer, field) == ident for field, ident in named.items()),
    )
    page = read_page(offers, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, _offers_out(call, staff, page.items), link_headers(call, page.next_cursor))


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability="crud_subscription",
    answers={201: StaffPlanOfferOut},
    errors=(AcademyRequired, *INVALID),
)
def create_offer(call: Call, body: PlanOfferBody) -> Answer:
    """Make a plan offer. A plan has one that has not expired."""
    staff = staff_of(call, body)
    new = PlanOffer(id=new_id(call.now), academy_id=staff.academy_id, **_changes(call, staff, body))
    offer = offer_made(call.runtime.context(call.now), staff, new)
    return Answer(201, _offers_out(call, staff, [offer])[0])


@route(
    "GET",
    PATH + "/{offer_id}",
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: StaffPlanOfferOut},
    errors=(AcademyRequired, PlanOfferNotFound),
)
def get_offer(call: Call, offer_id: int) -> Answer:
    """A plan offer of the academy."""
    staff = staff_of(call)
    offer = set_queries.plan_offer(call.runtime.table, staff.academy_id, offer_id)
    if offer is None:
        raise PlanOfferNotFound
    return Answer(200, _offers_out(call, staff, [offer])[0])


@route(
    "PUT",
    PATH + "/{offer_id}",
    access=Access.STAFF,
    capability="crud_subscription",
    answers={200: StaffPlanOfferOut},
    errors=(AcademyRequired, PlanOfferNotFound, ChangedMeanwhile, *INVALID),
)
def change_offer(call: Call, offer_id: int, body: PlanOfferChange) -> Answer:
    """Change a plan offer; one that expires now ends."""
    staff = staff_of(call, body)
    changes = _changes(call, staff, body)
    offer = offer_changed(
        call.runtime.context(call.now), staff, offer_id, lambda before: before.model_copy(update=changes)
    )
    return Answer(200, _offers_out(call, staff, [offer])[0])


@route(
    "DELETE",
    PATH + "/{offer_id}",
    access=Access.STAFF,
    capability="crud_subscription",
    answers={204: None},
    errors=(AcademyRequired, PlanOfferNotFound, ChangedMeanwhile),
)
def delete_offer(call: Call, offer_id: int) -> Answer:
    """Take a plan offer away."""
    offer_removed(call.runtime.context(call.now), staff_of(call), offer_id)
    return Answer(204)


def _own_plan_id(staff: Staff, call: Call, ref: str) -> int:
    """The id of a plan of the academy, whatever its status. Raises PlanNotFound."""
    found = catalog.plan(call.runtime.table, ref_of(ref), now=call.now)
    if found.academy_id != staff.academy_id:
        raise PlanNotFound
    return found.id


def _changes(call: Call, staff: Staff, body: PlanOfferChange) -> dict[str, Any]:
    """The fields of the offer that the body names. Raises PlanNotFound."""
    found = sent(body)
    for name in PLANS:
        if name in found:
            found[f"{name}_id"] = plan_to_name(call.runtime.context(call.now), staff, found.pop(name)).id
    if "translations" in found:
        found["translations"] = tuple(OfferText(**text.model_dump()) for text in found["translations"])
    return found


def _offers_out(call: Call, staff: Staff, offers: Sequence[PlanOffer]) -> list[StaffPlanOfferOut]:
    ids = {ident for offer in offers for ident in (offer.original_plan_id, offer.suggested_plan_id)}
    plans = catalog.plans_of(call.runtime.table, staff.academy_id, ids, now=call.now)
    return [
        StaffPlanOfferOut(
            id=offer.id,
            original_plan=_plan_out(plans[offer.original_plan_id]),
            suggested_plan=_plan_out(plans[offer.suggested_plan_id]),
            details=offer.details,
            show_modal=offer.show_modal,
            expires_at=offer.expires_at,
            translations=[text_out(text) for text in offer.translations],
        )
        for offer in offers
    ]


def _plan_out(plan: Plan) -> NamedPlanOut:
    return NamedPlanOut(id=plan.id, slug=plan.slug, title=plan.title, status=plan.status)
