"""Who holds an academy's plans: subscriptions and financings, on the terms that were agreed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import asdict

from chalicelib.books.subscriptions import queries as subscriptions
from chalicelib.books.subscriptions.model import Financing, Status, Subscription
from chalicelib.books.subscriptions.queries import FinancingNotFound, SubscriptionNotFound
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints._pages import filtered, link_headers, read_page
from chalicelib.entrypoints.academy.account_schemas import (
    FinancingOut,
    SubscriptionOut,
    financing_out,
    subscription_out,
)
from chalicelib.entrypoints.academy.queries import Ident, ListQuery, Slug
from chalicelib.entrypoints.staff.inputs import staff_of
from chalicelib.kernel.pages import Page

H = TypeVar("H", Subscription, Financing)


class HeldSubscriptionOut(SubscriptionOut):
    """As its holder sees it, and who that is."""

    user: int


class HeldFinancingOut(FinancingOut):
    """As its holder sees it, and who that is."""

    user: int


class HeldQuery(ListQuery):
    """`plan`: by id or slug, as it was when it was bought."""

    status: Status | None = None
    user: Ident | None = None
    plan: Slug | None = None


@route(
    "GET",
    "/v1/payments/academy/subscription",
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: list[HeldSubscriptionOut]},
    errors=(AcademyRequired,),
)
def list_held_subscriptions(call: Call, query: HeldQuery) -> Answer:
    """The academy's subscriptions in every status, newest first."""
    return _listed(call, query, Subscription, _subscription)


@route(
    "GET",
    "/v1/payments/academy/subscription/{subscription_id}",
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: HeldSubscriptionOut},
    errors=(AcademyRequired, SubscriptionNotFound),
)
def get_held_subscription(call: Call, subscription_id: int) -> Answer:
    """One of the academy's subscriptions."""
    academy_id = staff_of(call).academy_id
    found = subscriptions.holding_of_academy(call.runtime.table, Subscription, academy_id, subscription_id)
    return Answer(200, _subscription(found))


@route(
    "GET",
    "/v1/payments/academy/planfinancing",
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: list[HeldFinancingOut]},
    errors=(AcademyRequired,),
)
def list_held_financings(call: Call, query: HeldQuery) -> Answer:
    """The academy's plan financings in every status, newest first."""
    return _listed(call, query, Financing, _financing)


@route(
    "GET",
    "/v1/payments/academy/planfinancing/{financing_id}",
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: HeldFinancingOut},
    errors=(AcademyRequired, FinancingNotFound),
)
def get_held_financing(call: Call, financing_id: int) -> Answer:
    """One of the academy's plan financings."""
    academy_id = staff_of(call).academy_id
    found = subscriptions.holding_of_academy(call.runtime.table, Financing, academy_id, financing_id)
    return Answer(200, _financing(found))


def _listed(call: Call, query: HeldQuery, kind: type[H], out: Callable[[H], Output]) -> Answer:
    academy_id, table = staff_of(call).academy_id, call.runtime.table

    def read(size: int, cursor: str | None) -> Page[H]:
        if query.user is not None:
            return subscriptions.holdings_at(table, kind, query.user, academy_id, limit=size, cursor=cursor)
        return subscriptions.holdings_of_academy(table, kind, academy_id, limit=size, cursor=cursor)

    def wanted(found: H) -> bool:
        of_plan = query.plan in (None, str(found.terms.plan_id), found.terms.plan_slug)
        return of_plan and query.status in (None, found.status)

    page = read_page(filtered(read, wanted), limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, [out(found) for found in page.items], link_headers(call, page.next_cursor))


def _subscription(found: Subscription) -> HeldSubscriptionOut:
    return HeldSubscriptionOut(**asdict(subscription_out(found)), user=found.user_id)


def _financing(found: Financing) -> HeldFinancingOut:
    return HeldFinancingOut(**asdict(financing_out(found)), user=found.user_id)
