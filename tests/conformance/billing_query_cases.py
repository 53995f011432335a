"""What the queries of billing, subscriptions, the catalog and the ledger find, and what beside it they must not."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing import store as billing_store
from chalicelib.books.billing.model import BagState, InvoiceStatus
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog import store as catalog_store
from chalicelib.books.catalog.model import PlanStatus, ResourceSet, SetKind
from chalicelib.books.catalog.operations import creation
from chalicelib.books.ledger import pool_store
from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger import store as ledger_store
from chalicelib.books.subscriptions import queries as subscriptions
from chalicelib.books.subscriptions import store as subscriptions_store
from chalicelib.dynamo.writes import Put, Write
from chalicelib.kernel.ids import new_id
from tests.conformance.cases import Rows, rows_of
from tests.conformance.coupon_query_cases import COUPON_QUERIES
from tests.conformance.ledger_cases import PAGE, lot, page
from tests.conformance.queries import Asked, by_page
from tests.conformance.things import (
    ACADEMY,
    HOLDER,
    NOW,
    TEAM,
    UNIT,
    USER,
    a_bag,
    a_customer,
    a_financing,
    a_grant,
    a_subscription,
    an_invoice,
)
from tests.shop import CHAT, MENTOR_SET, a_coupon, a_plan, a_price, a_service, an_item


def invoices(*idents: int, status: InvoiceStatus = InvoiceStatus.FULFILLED) -> Rows:
    return rows_of(*(billing_store.new_invoice(an_invoice(id=ident, status=status), "{}") for ident in idents))


PAID = frozenset({InvoiceStatus.FULFILLED})
LATE = NOW + timedelta(minutes=20)
PENDING: Rows = {**invoices(100, 101, status=InvoiceStatus.PENDING), **invoices(102)}


def _at(seconds: int) -> int:
    """The smallest id of an instant."""
    return new_id(NOW + timedelta(seconds=seconds), lambda bits: 0)


MADE = invoices(_at(0) - 1, _at(0), _at(1), _at(2))
CUSTOMER = rows_of(billing_store.put_customer(a_customer(customer_id="cus_1"), version=0))

BILLING = (
    Asked(
        of=billing.bag,
        name="by its id",
        rows=rows_of(billing_store.new_bag(a_bag(), "content")),
        ask=lambda table: billing.bag(table, USER, 40),
        answer=billing.StoredBag(a_bag(), BagState.CHECKING, None, "content"),
    ),
    Asked(
        of=billing.bag,
        name="another person's",
        rows=rows_of(billing_store.new_bag(a_bag(), "content")),
        ask=lambda table: billing.bag(table, USER + 1, 40),
        refused=billing.BagNotFound,
    ),
    Asked(
        of=billing.invoice,
        name="by its id",
        rows=invoices(100),
        ask=lambda table: billing.invoice(table, USER, 100),
        answer=billing.StoredInvoice(an_invoice(status=InvoiceStatus.FULFILLED), "{}", 1),
    ),
    Asked(
        of=billing.invoices_named,
        name="those that there are, in the order of the ids",
        rows=invoices(9, 10, 100),
        ask=lambda table: [one.id for one in billing.invoices_named(table, USER, [100, 77, 9])],
        answer=[100, 9],
    ),
    Asked(
        of=billing.invoices,
        name="page by page, newest first",
        rows=invoices(9, 10, 100, 1000),
        ask=lambda table: by_page(lambda cursor: billing.invoices(table, USER, statuses=PAID, limit=3, cursor=cursor)),
        answer=[[1000, 100, 10], [9]],
    ),
    Asked(
        of=billing.invoices_made,
        name="in a window, oldest first, page by page",
        rows=MADE,
        ask=lambda table: by_page(
            lambda cursor: billing.invoices_made(
                table, ACADEMY, since=NOW, until=NOW + timedelta(seconds=2), limit=1, cursor=cursor
            )
        ),
        answer=[[_at(0)], [_at(1)]],
    ),
    Asked(
        of=billing.invoice_of_academy,
        name="whoever bought, and not of another academy",
        rows=invoices(100),
        ask=lambda table: [
            (found := billing.invoice_of_academy(table, academy_id, ident)) and found.id
            for academy_id, ident in ((ACADEMY, 100), (ACADEMY + 1, 100), (ACADEMY, 10))
        ],
        answer=[100, None, None],
    ),
    Asked(
        of=billing.customer,
        name="who is one",
        rows=CUSTOMER,
        ask=lambda table: billing.customer(table, USER, "default", NOW),
        answer=billing.StoredCustomer(a_customer(customer_id="cus_1"), 1),
    ),
    Asked(
        of=billing.customer,
        name="who is none yet",
        rows={},
        ask=lambda table: billing.customer(table, USER, "default", NOW),
        answer=billing.StoredCustomer(a_customer(), 0),
    ),
    Asked(
        of=billing.user_of_customer,
        name="by the outside id",
        rows=CUSTOMER,
        ask=lambda table: [billing.user_of_customer(table, "default", ident) for ident in ("cus_1", "cus_2")],
        answer=[USER, None],
    ),
    Asked(
        of=billing.due_invoices,
        name="only those that wait",
        rows=PENDING,
        ask=lambda table: (
            sorted(key.sk for key in billing.due_invoices(table, LATE)),
            billing.due_invoices(table, NOW),
        ),
        answer=(sorted(billing_store.invoice_key(USER, ident).sk for ident in (100, 101)), []),
    ),
)

PLANS = rows_of(
    *(
        write
        for number, status in enumerate((PlanStatus.ACTIVE, PlanStatus.DRAFT, PlanStatus.ACTIVE, PlanStatus.ACTIVE))
        for write in creation(
            a_plan(NOW, ACADEMY, id=number + 1, slug=f"p{number}", status=status, items=(), cohort_set_id=None)
        )
    )
)
ACTIVE = frozenset({PlanStatus.ACTIVE})
MENTORS = ResourceSet(id=MENTOR_SET, academy_id=ACADEMY, kind=SetKind.MENTORSHIP_SERVICE, slug="mentors", name="M")
PLAN = a_plan(NOW, ACADEMY, items=a_plan(NOW, ACADEMY).items[:1], cohort_set_id=None)
SOLD = rows_of(
    *creation(a_service()),
    *creation(an_item()),
    *creation(PLAN),
    *creation(MENTORS),
    *creation(a_price(ACADEMY, service_id=CHAT)),
)
SERVICES = rows_of(
    *creation(a_service()),
    *creation(a_service(id=94, slug="second")),
    *creation(a_service(id=95, slug="hidden", private=True)),
    *creation(a_service(id=96, slug="own", private=True, owner_id=ACADEMY)),
)
COUPON = catalog_store.new(a_coupon(NOW, ACADEMY))

CATALOG = (
    Asked(
        of=catalog.plan,
        name="by id and by slug",
        rows=PLANS,
        ask=lambda table: [catalog.plan(table, 3, now=NOW).slug, catalog.plan(table, "p0", now=NOW).id],
        answer=["p2", 1],
    ),
    Asked(
        of=catalog.plan,
        name="unknown",
        rows=PLANS,
        ask=lambda table: catalog.plan(table, "p9", now=NOW),
        refused=catalog.PlanNotFound,
    ),
    Asked(
        of=catalog.plans,
        name="page by page, newest first",
        rows=PLANS,
        ask=lambda table: by_page(lambda cursor: catalog.plans(table, ACADEMY, limit=2, now=NOW, cursor=cursor)),
        answer=[[4, 3], [2, 1]],
    ),
    Asked(
        of=catalog.offer,
        name="with an add-on",
        rows=SOLD,
        ask=lambda table: (
            (offered := catalog.offer(table, PLAN, add_ons=[CHAT]))
            and (offered.items[0].service, offered.sets, offered.add_on_services, offered.seat_price)
        ),
        answer=(a_service(), (MENTORS,), (a_service(),), None),
    ),
    Asked(
        of=catalog.offer,
        name="with an add-on that has no price",
        rows=SOLD,
        ask=lambda table: catalog.offer(table, PLAN, add_ons=[CHAT + 1]),
        refused=catalog.PriceNotFound,
    ),
    Asked(
        of=catalog.offer_and_rows,
        name="and what lies beside",
        rows={**SOLD, **rows_of(COUPON)},
        ask=lambda table: COUPON.key in catalog.offer_and_rows(table, PLAN, beside=[COUPON.key])[1],
        answer=True,
    ),
    Asked(
        of=catalog.service_id,
        name="by slug",
        rows=SERVICES,
        ask=lambda table: catalog.service_id(table, "second"),
        answer=94,
    ),
    Asked(
        of=catalog.service_id,
        name="unknown",
        rows=SERVICES,
        ask=lambda table: catalog.service_id(table, "third"),
        refused=catalog.ServiceNotFound,
    ),
    Asked(
        of=catalog.service,
        name="by slug",
        rows=SERVICES,
        ask=lambda table: catalog.service(table, "second").id,
        answer=94,
    ),
    Asked(
        of=catalog.services,
        name="page by page, each list its own",
        rows=SERVICES,
        ask=lambda table: [
            by_page(lambda cursor, scope=scope: catalog.services(table, scope, limit=1, cursor=cursor))  # type: ignore[misc]
            for scope in ("public", "private#0", f"private#{ACADEMY}")
        ],
        answer=[[[94], [93]], [[95]], [[96]]],
    ),
    Asked(
        of=catalog.service_items,
        name="of a plan",
        rows=SOLD,
        ask=lambda table: [(found.item, found.service) for found in catalog.service_items(table, PLAN)],
        answer=[(an_item(), a_service())],
    ),
    Asked(
        of=catalog.service_and_price,
        name="by slug",
        rows=SOLD,
        ask=lambda table: catalog.service_and_price(table, "ai-chat", ACADEMY),
        answer=(a_service(), a_price(ACADEMY, service_id=CHAT)),
    ),
    Asked(
        of=catalog.service_and_price,
        name="at an academy that does not sell it",
        rows=SOLD,
        ask=lambda table: catalog.service_and_price(table, "ai-chat", ACADEMY + 1),
        refused=catalog.PriceNotFound,
    ),
    Asked(
        of=catalog.sets,
        name="unknown ones left out",
        rows=SOLD,
        ask=lambda table: catalog.sets(table, ACADEMY, SetKind.MENTORSHIP_SERVICE, [MENTOR_SET, 99]),
        answer=(MENTORS,),
    ),
    *COUPON_QUERIES,
)


def _pool_page() -> Rows:
    granted = ledger_store.grant_writes(TEAM, UNIT, [a_grant("t")], page=0, now=NOW, cause="invoice:1")
    return {granted[0].key: page(t=lot(9))}


def _entries() -> list[Write]:
    return ledger_store.grant_writes(HOLDER, UNIT, [a_grant("a")], page=0, now=NOW, cause="invoice:1")


OWN: Rows = {PAGE: page(a=lot(5)), ledger_store.balance_key(HOLDER, UNIT, 1): page(b=lot(2))}
SHARED = {**OWN, **rows_of(pool_store.pool_write(HOLDER, TEAM)), **_pool_page(), **rows_of(*_entries())}

LEDGER = (
    Asked(
        of=ledger.history,
        name="without the balances",
        rows=SHARED,
        ask=lambda table: [(one.id, one.account, one.hash) for one in ledger.history(table, HOLDER)],
        answer=[("a#grant", UNIT.name, put.values["hash"]) for put in _entries() if isinstance(put, Put)],
    ),
    Asked(
        of=ledger.balances,
        name="of the person and of the pool",
        rows=SHARED,
        ask=lambda table: [(b.holder_kind, b.page, b.lots[0].remaining) for b in ledger.balances(table, HOLDER)],
        answer=[("USER", 0, 5), ("USER", 1, 2), ("TEAM", 0, 9)],
    ),
    Asked(
        of=ledger.own_balances,
        name="of the person only",
        rows=SHARED,
        ask=lambda table: [(b.holder_kind, b.page) for b in ledger.own_balances(table, HOLDER)],
        answer=[("USER", 0), ("USER", 1)],
    ),
    Asked(
        of=ledger.page,
        name="there and not there",
        rows=OWN,
        ask=lambda table: [
            (found := ledger.page(table, HOLDER, UNIT, number)) and found.lots[0].id for number in (1, 2)
        ],
        answer=["b", None],
    ),
    Asked(
        of=ledger.entry,
        name="there and not there",
        rows=SHARED,
        ask=lambda table: [(found := ledger.entry(table, HOLDER, i)) and found.units for i in ("a#grant", "b#grant")],
        answer=[5, None],
    ),
    Asked(
        of=ledger.entries,
        name="without the balances",
        rows=SHARED,
        ask=lambda table: [entry.id for entry in ledger.entries(table, HOLDER, limit=9).items],
        answer=["a#grant"],
    ),
)

HELD = (
    Asked(
        of=subscriptions.subscriptions,
        name="newest first",
        rows=rows_of(*(subscriptions_store.new_subscription(a_subscription(id=ident)) for ident in (9, 10))),
        ask=lambda table: [found.id for found in subscriptions.subscriptions(table, USER)],
        answer=[10, 9],
    ),
    Asked(
        of=subscriptions.financings,
        name="newest first",
        rows=rows_of(*(subscriptions_store.new_financing(a_financing(id=ident)) for ident in (9, 10))),
        ask=lambda table: [found.id for found in subscriptions.financings(table, USER)],
        answer=[10, 9],
    ),
)

ASKED: tuple[Asked, ...] = (*BILLING, *CATALOG, *LEDGER, *HELD)
