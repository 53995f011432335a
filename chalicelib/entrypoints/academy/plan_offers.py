"""Which plan an academy suggests to whoever looks at another, as customers see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

from msgspec import Meta

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog import set_queries
from chalicelib.books.catalog.model import OfferText, Plan, PlanOffer, PlanStatus
from chalicelib.books.catalog.plans import FOR_SALE
from chalicelib.books.catalog.queries import PlanNotFound
from chalicelib.books.identity import queries as identity
from chalicelib.entrypoints._auth import AcademyRequired, academy_id_of
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, route
from chalicelib.entrypoints._pages import link_headers, read_page
from chalicelib.entrypoints.academy.queries import Country, ListQuery, ref_of
from chalicelib.entrypoints.academy.schemas import PlanOut, plan_out
from chalicelib.kernel.pages import Page

PlanRef = Annotated[str, Meta(min_length=1, max_length=60)]


class PlanOfferQuery(ListQuery):
    """Plans by id or slug."""

    original_plan: PlanRef | None = None
    suggested_plan: PlanRef | None = None


class SuggestionQuery(PlanOfferQuery):
    country_code: Country | None = None


class OfferTextOut(Output):
    lang: str
    title: str | None
    description: str | None
    short_description: str | None


class PlanOfferOut(Output):
    """`expires_at` is null for an offer without an end. Prices are those of the country that was asked for."""

    id: int
    original_plan: PlanOut
    suggested_plan: PlanOut
    details: str | None
    show_modal: bool
    expires_at: Instant | None
    translations: list[OfferTextOut]


@route(
    "GET",
    "/v1/payments/planoffer",
    access=Access.PUBLIC,
    answers={200: list[PlanOfferOut]},
    errors=(AcademyRequired, PlanNotFound),
)
def list_suggestions(call: Call, query: SuggestionQuery) -> Answer:
    """What an academy suggests now instead of plans that are for sale, newest first.

    The academy is the one that is named, or that of a plan that is.
    """
    original, suggested = _for_sale(call, query.original_plan), _for_sale(call, query.suggested_plan)
    academy_id = _academy_id(call, [plan for plan in (original, suggested) if plan is not None])
    read = _shown(call, academy_id, original, suggested)
    page = read_page(read, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, _offers_out(call, academy_id, page, query.country_code), link_headers(call, page.next_cursor))


def text_out(text: OfferText) -> OfferTextOut:
    return OfferTextOut(
        lang=text.lang, title=text.title, description=text.description, short_description=text.short_description
    )


def _for_sale(call: Call, ref: str | None) -> Plan | None:
    """The plan that is named. Raises PlanNotFound where a customer would not find it either."""
    if ref is None:
        return None
    found = catalog.plan(call.runtime.table, ref_of(ref), now=call.now)
    if found.status not in FOR_SALE:
        raise PlanNotFound
    return found


def _academy_id(call: Call, plans: list[Plan]) -> int:
    """Raises AcademyRequired, and PlanNotFound where a plan is another academy's."""
    ids = {plan.academy_id for plan in plans}
    named = academy_id_of(call, None)
    if named is not None:
        ids.add(named)
    if not ids:
        raise AcademyRequired
    if len(ids) > 1:
        raise PlanNotFound
    return ids.pop()


def _shown(
    call: Call, academy_id: int, original: Plan | None, suggested: Plan | None
) -> Callable[[int, str | None], Page[PlanOffer]]:
    """The live offers between plans that are for sale. An unlisted plan's is for whoever names that plan."""
    table = call.runtime.table

    def read(size: int, cursor: str | None) -> Page[PlanOffer]:
        if original is None:
            page = set_queries.plan_offers(table, academy_id, limit=size, cursor=cursor)
        else:
            found = set_queries.claimed_offer(table, original)
            page = Page(() if found is None else (found,), None)
        live = [offer for offer in page.items if offer.is_live(call.now)]
        plans = catalog.plans_of(table, academy_id, _named(live), now=call.now)
        return Page(tuple(offer for offer in live if wanted(offer, plans)), page.next_cursor)

    def wanted(offer: PlanOffer, plans: dict[int, Plan]) -> bool:
        shown = FOR_SALE if original is not None else {PlanStatus.ACTIVE}
        return (
            plans[offer.original_plan_id].status in shown
            and plans[offer.suggested_plan_id].status in FOR_SALE
            and (suggested is None or offer.suggested_plan_id == suggested.id)
        )

    return read


def _offers_out(call: Call, academy_id: int, page: Page[PlanOffer], country: str | None) -> list[PlanOfferOut]:
    table = call.runtime.table
    academy = identity.academy(table, academy_id)
    plans = catalog.plans_of(table, academy_id, _named(page.items), now=call.now)
    offers = catalog.whole_offers(table, list(plans.values()))
    shown = {offer.plan.id: plan_out(offer, academy, country) for offer in offers}
    return [
        PlanOfferOut(
            id=offer.id,
            original_plan=shown[offer.original_plan_id],
            suggested_plan=shown[offer.suggested_plan_id],
            details=offer.details,
            show_modal=offer.show_modal,
            expires_at=offer.expires_at,
            translations=[text_out(text) for text in offer.translations],
        )
        for offer in page.items
    ]


def _named(offers: Iterable[PlanOffer]) -> list[int]:
    return [ident for offer in offers for ident in (offer.original_plan_id, offer.suggested_plan_id)]
