"""What must hold of recharges: a month's spend is what its invoices come to, and each that is pending has its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from chalicelib.books.billing.model import Invoice, InvoiceStatus
from chalicelib.dynamo.rows import Row
from chalicelib.flows.fulfillment.delivery import Delivery


def spends(rows: Sequence[Row], invoices: Mapping[int, Invoice], deliveries: Mapping[int, Delivery]) -> Iterator[str]:
    """Every broken rule, in a sentence each."""
    wanted: Counter[tuple[str, str]] = Counter()
    pending: dict[tuple[str, str], int] = {}
    for ident, invoice in invoices.items():
        units = deliveries[ident].units
        if units is None or units.pool is None:
            continue
        is_pending = invoice.status is InvoiceStatus.PENDING
        pk = f"TEAM#{units.pool.team_id}"
        if is_pending or (invoice.is_paid and not invoice.undelivered):
            wanted[pk, f"SPEND#{units.pool.month}"] += invoice.amount
        if is_pending:
            pending[pk, f"RECHARGE#{units.unit.name}"] = ident
    found = {(row.key.pk, row.key.sk): int(str(row.values["spent"])) for row in rows if row.key.sk.startswith("SPEND#")}
    for key in {*found, *wanted}:
        if found.get(key, 0) != wanted[key]:
            yield f"{key} counts {found.get(key, 0)}, its invoices come to {wanted[key]}"
    bound = {
        (row.key.pk, row.key.sk): row.values["invoice"]
        for row in rows
        if row.key.sk.startswith("RECHARGE#") and "invoice" in row.values
    }
    if bound != pending:
        yield f"recharges are being paid by {bound}, the pending invoices of pools are {pending}"
