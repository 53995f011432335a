"""What a customer has: units, invoices, subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing.queries import InvoiceNotFound
from chalicelib.books.subscriptions.cycle import shown
from chalicelib.books.subscriptions.model import Financing, Status, Subscription, Terms
from chalicelib.entrypoints._auth import academy_id_of
from chalicelib.entrypoints._http import Access, Answer, Call, Query, route
from chalicelib.entrypoints._pages import link_headers, read_page
from chalicelib.entrypoints.academy.account_schemas import (
    ConsumablesOut,
    HoldingsOut,
    consumables_out,
    financing_out,
    shared_financing_out,
    shared_subscription_out,
    subscription_out,
)
from chalicelib.entrypoints.academy.queries import Ident, InvoicesQuery, invoice_statuses
from chalicelib.entrypoints.academy.schemas import InvoiceOut, invoice_out
from chalicelib.flows.teams.shared import seen_by
from chalicelib.flows.teams.usable import usable_balances


class ConsumablesQuery(Query):
    academy: int | str | None = None
    service: Ident | None = None
    service_slug: str | None = None


class HoldingsQuery(Query):
    academy: int | str | None = None
    status: Status | None = None


@route("GET", "/v1/payments/me/service/consumable", access=Access.PERSON, answers={200: ConsumablesOut})
def list_consumables(call: Call, query: ConsumablesQuery) -> Answer:
    """What can be used now, over all academies, by set and service."""
    balances = usable_balances(call.runtime.table, call.person.user_id, call.now)
    academy_id = academy_id_of(call, None)
    wanted = [
        balance
        for balance in balances
        if academy_id in (None, balance.unit.academy_id)
        and query.service in (None, balance.unit.service_id)
        and query.service_slug in (None, balance.unit.service_slug)
    ]
    return Answer(200, consumables_out(wanted, call.person.user_id, call.now))


@route("GET", "/v1/payments/me/invoice", access=Access.PERSON, answers={200: list[InvoiceOut]})
def list_invoices(call: Call, query: InvoicesQuery) -> Answer:
    """The person's invoices, newest first; every status but VOIDED unless one is asked for."""
    statuses = invoice_statuses(query.status)
    table, user_id = call.runtime.table, call.person.user_id
    page = read_page(
        lambda size, cursor: billing.invoices(table, user_id, statuses=statuses, limit=size, cursor=cursor),
        limit=query.limit,
        offset=query.offset,
        cursor=query.cursor,
    )
    return Answer(200, [invoice_out(invoice) for invoice in page.items], link_headers(call, page.next_cursor))


@route(
    "GET",
    "/v1/payments/me/invoice/{invoice_id}",
    access=Access.PERSON,
    answers={200: InvoiceOut},
    errors=(InvoiceNotFound,),
)
def get_invoice(call: Call, invoice_id: int) -> Answer:
    """One of the person's invoices."""
    found = billing.invoice(call.runtime.table, call.person.user_id, invoice_id)
    return Answer(200, invoice_out(found.invoice))


@route("GET", "/v1/payments/me/subscription", access=Access.PERSON, answers={200: HoldingsOut})
def list_subscriptions(call: Call, query: HoldingsQuery) -> Answer:
    """Subscriptions and financings: those that are not over, or those of one status.

    Also those of others in whose teams the person sits: these can be seen but for their prices, and changed by
    their owner alone.
    """
    academy_id = academy_id_of(call, None)

    def wanted(status: Status, terms: Terms, until: datetime | None) -> bool:
        if academy_id not in (None, terms.academy_id):
            return False
        return shown(status, until, call.now) if query.status is None else status is query.status

    seen = seen_by(call.runtime.table, call.person.user_id)
    held = [s for s in seen.subscriptions if wanted(s.status, s.terms, s.access_until)]
    financed = [f for f in seen.financings if wanted(f.status, f.terms, f.access_until)]
    return Answer(200, _holdings_out(held, financed, call.person.user_id))


def _holdings_out(held: Sequence[Subscription], financed: Sequence[Financing], user_id: int) -> HoldingsOut:
    return HoldingsOut(
        subscriptions=[(subscription_out if s.user_id == user_id else shared_subscription_out)(s) for s in held],
        plan_financings=[(financing_out if f.user_id == user_id else shared_financing_out)(f) for f in financed],
    )
