"""What a customer has: units, invoices, subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import asdict

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.billing.queries import InvoiceNotFound
from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger.burn import available
from chalicelib.books.ledger.model import Balance, Holder, Lot, Unit
from chalicelib.books.subscriptions import queries as subscriptions
from chalicelib.books.subscriptions.cycle import shown
from chalicelib.books.subscriptions.model import Financing, Status, Subscription, Terms
from chalicelib.entrypoints._auth import academy_id_of
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, Query, route
from chalicelib.entrypoints._pages import link_headers, read_page
from chalicelib.entrypoints.academy.queries import Ident, ListQuery
from chalicelib.entrypoints.academy.schemas import CurrencyOut, InvoiceOut, currency_out, invoice_out, major

GROUPS = {
    "MENTORSHIP_SERVICE_SET": "mentorship_service_sets",
    "EVENT_TYPE_SET": "event_type_sets",
    "COHORT_SET": "cohort_sets",
}
EVERY_STATUS = frozenset(InvoiceStatus) - {InvoiceStatus.VOIDED}


class BalanceOut(Output):
    unit: int


class ServiceRefOut(Output):
    id: int
    slug: str


class LotOut(Output):
    """Units that came together: `how_many` are left, -1 is unlimited."""

    id: str
    how_many: int
    unit_type: str
    valid_until: Instant | None
    subscription_seat: int | None
    subscription_billing_team: int | None
    user: int | None
    subscription: int | None
    plan_financing: int | None
    standalone_invoice: int | None


class EntryOut(Output):
    """One set and service (D18). `balance.unit`: what can be used now; `held`: what reservations have set aside, and
    what is frozen while its payment is disputed.
    """

    id: int
    slug: str
    service: ServiceRefOut
    academy: int
    balance: BalanceOut
    held: int
    items: list[LotOut]


class ConsumablesOut(Output):
    mentorship_service_sets: list[EntryOut]
    event_type_sets: list[EntryOut]
    cohort_sets: list[EntryOut]
    voids: list[EntryOut]


class ConsumablesQuery(Query):
    academy: int | str | None = None
    service: Ident | None = None
    service_slug: str | None = None


class InvoicesQuery(ListQuery):
    status: str | None = None


class PlanRefOut(Output):
    id: int
    slug: str
    title: str | None


class HoldingOut(Output):
    """What subscriptions and financings have in common: what was agreed, as it was agreed."""

    id: int
    status: str
    status_message: str | None
    academy: int
    plans: list[PlanRefOut]
    paid_at: Instant
    next_payment_at: Instant | None
    currency: CurrencyOut
    country_code: str | None
    coupons: list[str]
    invoices: list[int]


class SubscriptionOut(HoldingOut):
    """`valid_until`: how long the access that is paid for lasts. `amount`: a period's price before coupons."""

    valid_until: Instant | None
    trial_ends_at: Instant | None
    pay_every: int
    pay_every_unit: str
    amount: float
    seats: int


class FinancingOut(HoldingOut):
    """A plan paid by instalments; `monthly_price` is each one's amount."""

    plan_expires_at: Instant
    how_many_installments: int
    installments_paid: int
    monthly_price: float


class HoldingsOut(Output):
    subscriptions: list[SubscriptionOut]
    plan_financings: list[FinancingOut]


class HoldingsQuery(Query):
    academy: int | str | None = None
    status: Status | None = None


@route("GET", "/v1/payments/me/service/consumable", access=Access.PERSON, answers={200: ConsumablesOut})
def list_consumables(call: Call, query: ConsumablesQuery) -> Answer:
    """What can be used now, over all academies, by set and service."""
    balances = ledger.balances(call.runtime.table, Holder.person(call.person.user_id))
    academy_id = academy_id_of(call, None)
    wanted = [
        balance
        for balance in balances
        if academy_id in (None, balance.unit.academy_id)
        and query.service in (None, balance.unit.service_id)
        and query.service_slug in (None, balance.unit.service_slug)
    ]
    return Answer(200, _consumables(wanted, call.person.user_id, call.now))


@route("GET", "/v1/payments/me/invoice", access=Access.PERSON, answers={200: list[InvoiceOut]})
def list_invoices(call: Call, query: InvoicesQuery) -> Answer:
    """The person's invoices, newest first; every status but VOIDED unless one is asked for."""
    statuses = EVERY_STATUS if query.status is None else _statuses(query.status)
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
    """Subscriptions and financings: those that are not over, or those of one status."""
    table, user_id = call.runtime.table, call.person.user_id
    academy_id = academy_id_of(call, None)

    def wanted(status: Status, terms: Terms, until: datetime | None) -> bool:
        if academy_id not in (None, terms.academy_id):
            return False
        return shown(status, until, call.now) if query.status is None else status is query.status

    held = [s for s in subscriptions.subscriptions(table, user_id) if wanted(s.status, s.terms, s.paid_until)]
    financed = [f for f in subscriptions.financings(table, user_id) if wanted(f.status, f.terms, f.plan_expires_at)]
    answer = HoldingsOut(
        subscriptions=[subscription_out(found) for found in held],
        plan_financings=[financing_out(found) for found in financed],
    )
    return Answer(200, answer)


def subscription_out(found: Subscription) -> SubscriptionOut:
    terms = found.terms
    return SubscriptionOut(
        **asdict(_holding(found)),
        valid_until=found.paid_until,
        trial_ends_at=found.trial_ends_at,
        pay_every=terms.pay_every,
        pay_every_unit=terms.pay_every_unit,
        amount=major(terms.full_amount, terms.currency),
        seats=terms.seats,
    )


def financing_out(found: Financing) -> FinancingOut:
    return FinancingOut(
        **asdict(_holding(found)),
        plan_expires_at=found.plan_expires_at,
        how_many_installments=found.how_many_installments,
        installments_paid=found.installments_paid,
        monthly_price=major(found.monthly_amount, found.terms.currency),
    )


def _holding(found: Subscription | Financing) -> HoldingOut:
    terms = found.terms
    return HoldingOut(
        id=found.id,
        status=found.status,
        status_message=found.status_message,
        academy=terms.academy_id,
        plans=[PlanRefOut(id=terms.plan_id, slug=terms.plan_slug, title=terms.plan_title)],
        paid_at=found.paid_at,
        next_payment_at=found.next_payment_at,
        currency=currency_out(terms.currency),
        country_code=terms.country,
        coupons=[coupon.slug for coupon in terms.coupons],
        invoices=list(found.invoice_ids),
    )


def _consumables(balances: Sequence[Balance], user_id: int, now: datetime) -> ConsumablesOut:
    by_account: dict[str, tuple[Unit, list[tuple[Balance, Lot]]]] = {}
    for balance in balances:
        owned = [(balance, lot) for lot in balance.lots if lot.usable(now) or lot.frozen]
        if owned:
            by_account.setdefault(balance.unit.name, (balance.unit, []))[1].extend(owned)
    groups: dict[str, list[EntryOut]] = {name: [] for name in (*GROUPS.values(), "voids")}
    for unit, found in by_account.values():
        groups[GROUPS.get(unit.service_type, "voids")].append(_entry(unit, found, user_id, now))
    return ConsumablesOut(**{name: sorted(rows, key=lambda row: row.service.id) for name, rows in groups.items()})


def _entry(unit: Unit, found: Sequence[tuple[Balance, Lot]], user_id: int, now: datetime) -> EntryOut:
    service = ServiceRefOut(id=unit.service_id, slug=unit.service_slug)
    return EntryOut(
        id=unit.service_id if unit.set is None else unit.set.id,
        slug=unit.service_slug if unit.set is None else unit.set.slug,
        service=service,
        academy=unit.academy_id,
        balance=BalanceOut(unit=available([lot for _, lot in found], now, debt=_debt(found))),
        held=sum(lot.held + max(0, lot.frozen) for _, lot in found),
        items=[_lot_out(balance, lot, user_id) for balance, lot in found],
    )


def _debt(found: Sequence[tuple[Balance, Lot]]) -> int:
    return sum({(b.holder_kind, b.holder_id, b.page): b.debt for b, _ in found}.values())


def _lot_out(balance: Balance, lot: Lot, user_id: int) -> LotOut:
    pooled = balance.holder.kind == "TEAM"
    origin = lot.origin
    single = origin.subscription_id is None and origin.financing_id is None
    return LotOut(
        id=lot.id,
        how_many=lot.remaining,
        unit_type="UNIT",
        valid_until=lot.expires_at,
        subscription_seat=None,
        subscription_billing_team=origin.team_id,
        user=None if pooled else user_id,
        subscription=origin.subscription_id,
        plan_financing=origin.financing_id,
        standalone_invoice=origin.invoice_id if single else None,
    )


def _statuses(text: str) -> frozenset[InvoiceStatus]:
    """Statuses by name, separated by commas; a name that is none matches nothing."""
    return frozenset(status for status in InvoiceStatus if status.value in text.upper().split(","))
