"""What must hold of the units that staff gave people and took: ledger, audit, timeline and invoices say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from chalicelib.books.audit.model import Change
from chalicelib.books.billing.model import Invoice
from chalicelib.books.ledger.model import Entry, EntryKind
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.rows import Row, load

KINDS = ("units-granted", "units-revoked")
Lots = dict[str, int]


def adjustments(
    rows: Iterable[Row], entries: Sequence[tuple[str, Entry]], invoices: Mapping[int, Invoice]
) -> list[str]:
    """Each grant and revocation of staff is audited with its entries, and is in the timeline; an invoice knows what was
    revoked, or ran out, of what it paid for.
    """
    audited, told = _told(rows)
    moved: dict[str, Lots] = {}
    revoked: Counter[tuple[int, str]] = Counter()
    for _, entry in entries:
        if entry.kind is EntryKind.REVOKE or (entry.kind is EntryKind.GRANT and entry.cause.startswith("staff:")):
            lots = moved.setdefault(entry.cause, {})
            lots.update({one.lot_id: -1 if one.unlimited else one.units for one in entry.portions})
        for one in entry.portions if entry.kind in (EntryKind.REVOKE, EntryKind.EXPIRE) else ():
            paid_by = one.origin.invoice_id if one.origin is not None else None
            if paid_by is not None and paid_by in invoices:
                revoked[paid_by, one.lot_id] += one.units
    wrong = [
        f"{cause} moved {moved.get(cause)}, its audit says {audited.get(cause)}"
        for cause in {*moved, *audited}
        if moved.get(cause) != audited.get(cause) or told[cause] != 1
    ]
    remembered = {(i.id, lot): units for i in invoices.values() for lot, units in i.revoked_units.items()}
    if remembered != revoked:
        wrong.append(f"invoices remember {remembered} as revoked, entries say {dict(revoked)}")
    return wrong


def _told(rows: Iterable[Row]) -> tuple[dict[str, Lots], Counter[str]]:
    """What the audit says of each adjustment's lots, and how often the timeline tells of it."""
    audited: dict[str, Lots] = {}
    told: Counter[str] = Counter()
    for row in rows:
        if row.key.sk.startswith("AUDIT#"):
            after = load(Change, row).after or {}
            if after.get("kind") in KINDS:
                audited[f"staff:{after['id']}"] = dict(after["lots"])
        elif row.key.sk.startswith("ACT#"):
            told[f"staff:{load(Activity, row).facts.get('adjustment')}"] += 1
    return audited, told
