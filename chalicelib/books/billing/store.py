"""Bags, invoices, customers and attempts as rows.

A bag's row has `state` and `invoice_id` beside its document, and `content`: what flows quoted. An invoice's row has
`delivery`: what flows will do when it is paid. Both are opaque here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from chalicelib.books.billing.attempts import PREFIX, WINDOW, AttemptKind, check, recent
from chalicelib.books.billing.model import (
    ORDER_SWEEP_AFTER,
    PENDING_SWEEP_AFTER,
    Bag,
    BagState,
    Customer,
    Invoice,
    InvoiceStatus,
    Standing,
)
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Action, Path
from chalicelib.dynamo.rows import Key, Row, Value
from chalicelib.dynamo.writes import Put, Update, absent, absent_or_same, anyway, at_version, never
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import sortable

INVOICES_DUE = "invoice"
CREDIT_NOTES = "credit-note"
MARK = "mark_"
BAG_KEPT_SECONDS = 7 * 86_400


class BagMoved(Exception):
    """The bag is not in the state that it was read in: somebody else began or finished paying it."""


class InvoiceMoved(Exception):
    """The invoice was changed by somebody else since it was read."""


class SeriesMoved(Exception):
    """Another document took the number at the same time; take the next one."""


class CustomerMoved(Exception):
    """The customer's row was changed by somebody else since it was read."""


class AttemptsMoved(Exception):
    """Another attempt of the same person began at the same time; count again."""


class PurchaseInFlight(DomainError):
    kind = Kind.CONFLICT
    slug = "payment-in-flight"
    detail = "This purchase is being paid right now. Ask again in a moment."
    retry_after_seconds = 2


def bag_key(user_id: int, bag_id: int) -> Key:
    return Key(keys.user(user_id), keys.ordered("BAG", bag_id))


def invoice_key(user_id: int, invoice_id: int) -> Key:
    return Key(keys.user(user_id), keys.ordered("INVOICE", invoice_id))


def customer_key(user_id: int, account: str) -> Key:
    return Key(keys.user(user_id), f"CUSTOMER#{account}")


def attempts_key(user_id: int, kind: AttemptKind) -> Key:
    return Key(keys.user(user_id), f"ATTEMPTS#{kind}")


def series_key(academy_id: int, series: str) -> Key:
    return Key(keys.academy(academy_id), f"SERIES#{series}")


def reputation_key(user_id: int) -> Key:
    """Has an attribute for each mark."""
    return Key(keys.user(user_id), "REPUTATION")


def customer_ref(account: str, customer_id: str) -> str:
    return f"CUSTOMER#{account}#{customer_id}"


def invoices_ref(academy_id: int) -> str:
    return f"INVOICES#{academy_id}"


def new_bag(bag: Bag, content: str) -> Put:
    values: dict[str, Value] = {
        "doc": bag.model_dump_json(),
        "content": content,
        "state": BagState.CHECKING.value,
        "ttl": int(bag.expires_at.timestamp()) + BAG_KEPT_SECONDS,
    }
    return Put(
        key=bag_key(bag.buyer.user_id, bag.id),
        values=values,
        condition=absent_or_same(bag.model_dump_json()),
        refused=never(f"two bags with the id {bag.id}"),
    )


def bag_begins(user_id: int, bag_id: int, *, invoice_id: int, state: BagState = BagState.PAYING) -> Update:
    """From CHECKING to PAYING (or at once to PAID) for this invoice. Raises BagMoved where another was first."""
    return Update(
        key=bag_key(user_id, bag_id),
        actions=(Path("state").set(state.value), Path("invoice_id").set(invoice_id), Path("ttl").remove()),
        condition=Path("state") == BagState.CHECKING.value,
        refused=lambda old: BagMoved(),
    )


def bag_paid(user_id: int, bag_id: int, *, invoice_id: int) -> Update:
    return Update(
        key=bag_key(user_id, bag_id),
        actions=(Path("state").set(BagState.PAID.value), Path("invoice_id").set(invoice_id), Path("ttl").remove()),
        condition=Path("doc").exists() & (Path("state") != BagState.PAID.value),
        refused=lambda old: BagMoved(),
    )


def bag_reopens(user_id: int, bag_id: int, *, invoice_id: int) -> Update:
    """Back to CHECKING, so that a better card can pay it."""
    return Update(
        key=bag_key(user_id, bag_id),
        actions=(Path("state").set(BagState.CHECKING.value), Path("invoice_id").remove()),
        condition=(Path("state") == BagState.PAYING.value) & (Path("invoice_id") == invoice_id),
        refused=lambda old: BagMoved(),
    )


def new_invoice(invoice: Invoice, delivery: str) -> Put:
    return Put(
        key=invoice_key(invoice.buyer.user_id, invoice.id),
        values=_invoice_values(invoice, 1) | {"delivery": delivery},
        condition=absent,
        refused=never(f"two invoices with the id {invoice.id}"),
    )


def changed_invoice(
    invoice: Invoice, *, version: int, due_at: datetime | None = None, delivery: str | None = None
) -> Update:
    """The invoice as it is now, over the one read at `version`; with another delivery, if it is given one.

    Raises InvoiceMoved.
    """
    values = _invoice_values(invoice, version + 1)
    if delivery is not None:
        values["delivery"] = delivery
    if due_at is not None:
        values["due_at"] = int(due_at.timestamp())
    actions: list[Action] = [Path(name).set(value) for name, value in values.items()]
    if "due_shard" not in values:
        actions += [Path("due_shard").remove(), Path("due_at").remove()]
    return Update(
        key=invoice_key(invoice.buyer.user_id, invoice.id),
        actions=tuple(actions),
        condition=at_version(version),
        refused=lambda old: InvoiceMoved(),
    )


def next_numbers(academy_id: int, series: str, *, first: int, count: int) -> Update:
    """Take the next numbers of an academy's series, from `first` on. Raises SeriesMoved where another took them."""
    following = Path("following")
    return Update(
        key=series_key(academy_id, series),
        actions=(following.set(first + count),),
        condition=~following.exists() if first == 1 else following == first,
        refused=lambda old: SeriesMoved(),
    )


def marked(user_id: int, marks: Mapping[str, Standing | None]) -> Update:
    """Mark a person's reputation, once for each cause, or take marks off it (None). There must be one at least."""
    actions = [
        Path([MARK + cause]).remove() if standing is None else Path([MARK + cause]).set(standing.value)
        for cause, standing in marks.items()
    ]
    return Update(
        key=reputation_key(user_id),
        actions=tuple(actions),
        condition=anyway,
        refused=never("this write has no condition"),
    )


def put_customer(customer: Customer, *, version: int) -> Put:
    """The customer's row over the one read at `version` (0: none). Raises CustomerMoved."""
    values: dict[str, Value] = {"doc": customer.model_dump_json(), "version": version + 1}
    if customer.customer_id is not None:
        values |= {"ref": customer_ref(customer.account, customer.customer_id), "ref_sk": str(customer.user_id)}
    return Put(
        key=customer_key(customer.user_id, customer.account),
        values=values,
        condition=at_version(version),
        refused=lambda old: CustomerMoved(),
    )


def attempt_begins(
    user_id: int, kind: AttemptKind, row: Row | None, *, attempt_id: int, limit: int, now: datetime
) -> Update:
    """Count an attempt. Raises TooManyAttempts here and now, or AttemptsMoved where another began meanwhile."""
    values: Mapping[str, object] = row.values if row is not None else {}
    check(values, limit=limit, now=now)
    version = row.version if row is not None else 0
    live = recent(values, now)
    actions: list[Action] = [
        Path(f"{PREFIX}{attempt_id}").set(int(now.timestamp())),
        Path("version").set(version + 1),
        Path("ttl").set(int((now + 2 * WINDOW).timestamp())),
    ]
    actions += [Path(name).remove() for name in values if name.startswith(PREFIX) and name not in live]
    return Update(
        key=attempts_key(user_id, kind),
        actions=tuple(actions),
        condition=at_version(version),
        refused=lambda old: AttemptsMoved(),
    )


def attempt_uncounted(user_id: int, kind: AttemptKind, *, attempt_id: int) -> Update:
    """An attempt that succeeded, or that the bank has not decided yet, does not count."""
    return Update(
        key=attempts_key(user_id, kind),
        actions=(Path(f"{PREFIX}{attempt_id}").remove(),),
        condition=anyway,
        refused=never("this write has no condition"),
    )


def attempt_declined(user_id: int, kind: AttemptKind, *, attempt_id: int, now: datetime) -> Update:
    """An attempt that the bank declined after all counts from now on."""
    return Update(
        key=attempts_key(user_id, kind),
        actions=(
            Path(f"{PREFIX}{attempt_id}").set(int(now.timestamp())),
            Path("ttl").set(int((now + 2 * WINDOW).timestamp())),
        ),
        condition=anyway,
        refused=never("this write has no condition"),
    )


def _invoice_values(invoice: Invoice, version: int) -> dict[str, Value]:
    values: dict[str, Value] = {
        "doc": invoice.model_dump_json(),
        "version": version,
        "ref": invoices_ref(invoice.academy_id),
        "ref_sk": sortable(invoice.id),
    }
    if invoice.status is InvoiceStatus.PENDING:
        due = (invoice.payment.attempted_at if invoice.payment else invoice.created_at) + PENDING_SWEEP_AFTER
        values |= {"due_shard": keys.due_shard(INVOICES_DUE, str(invoice.id)), "due_at": int(due.timestamp())}
    elif invoice.open_orders:
        due = min(order.ordered_at for order in invoice.open_orders) + ORDER_SWEEP_AFTER
        values |= {"due_shard": keys.due_shard(INVOICES_DUE, str(invoice.id)), "due_at": int(due.timestamp())}
    return values
