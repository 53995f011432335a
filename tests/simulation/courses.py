"""What must hold of what recurs while it goes on: each period paid once, one attempt a day, one payment open at a time,
and as long as everything works, access without a gap and every refill on its day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from chalicelib.books.billing.model import PAID_STATUSES
from chalicelib.books.ledger.model import Portion
from chalicelib.books.subscriptions.cycle import is_metered
from chalicelib.books.subscriptions.model import Financing, Holding, Subscription
from tests.periods import OPEN, boundary, is_over, latest

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

Item = dict[str, Any]

HARD = frozenset({"lost_card", "stolen_card", "expired_card"})
DAY_SECONDS, CLOCKS_DIFFER_SECONDS = 86_400, 60


class Courses:
    """Sees the invoices, holdings and lots that change, and Stripe's new payments."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._paid: dict[tuple[int, str], int] = {}
        self._invoices: dict[int, tuple[int, Item]] = {}
        self._payments: defaultdict[int, list[Item]] = defaultdict(list)
        self._asked: dict[int, int] = {}
        self._scheduled: set[str] = set()
        self._seen = 0
        self._lots: set[str] = set()
        self._healthy_since: datetime | None = None
        self._ill: set[int] = set()

    def begin_health(self) -> None:
        """From now on every tick comes, and nothing fails but cards."""
        self._healthy_since = self._stage.now
        for holding in self._holdings():
            self._note(holding)

    def invoice(self, invoice: Item, delivery: Item) -> Iterator[str]:
        """An invoice as it is now."""
        renewal = delivery.get("renewal")
        if renewal is None:
            return
        self._invoices[invoice["id"]] = renewal["holding_id"], invoice
        if invoice["status"] in PAID_STATUSES and not invoice.get("undelivered"):
            period = renewal["holding_id"], renewal["starts_at"]
            first = self._paid.setdefault(period, invoice["id"])
            if first != invoice["id"]:
                yield f"{period} was paid by the invoices {first} and {invoice['id']}"

    def holding(self, row: Item) -> None:
        if self._healthy_since is not None:
            self._note(_read(row))

    def granted(self, portion: Portion) -> Iterator[str]:
        """Units came: of what recurs never before their day."""
        self._lots.add(portion.lot_id)
        origin = portion.origin
        if origin is not None and (origin.subscription_id or origin.financing_id) is not None:
            mark = int(portion.lot_id.rpartition("_")[2])
            if mark > self._stage.now.timestamp() + CLOCKS_DIFFER_SECONDS:
                yield f"lot {portion.lot_id} came at {self._stage.now}, before its day"

    def payments(self) -> Iterator[str]:
        """Stripe's new payments: the one before can succeed no more, and ours are a day apart."""
        objects = self._stage.standin.world.store.objects["payment_intent"]
        for intent in islice(objects.values(), self._seen, None):
            self._seen += 1
            ident, invoice = self._invoices.get(int(intent["metadata"]["invoice_id"]), (0, {}))
            if not ident:
                continue
            others = [one["id"] for one in self._payments[ident] if one["status"] in OPEN]
            if others:
                yield f"{ident} was asked for {intent['id']}, and {others} could still be paid"
            before = self._payments[ident][-1:]
            self._payments[ident].append(intent)
            reference = invoice["payment"]
            if str(reference["attempt"]) == intent["metadata"]["attempt"] and reference.get("scheduled"):
                last, self._asked[ident] = self._asked.get(ident, 0), intent["created"]
                if intent["created"] - last < DAY_SECONDS - CLOCKS_DIFFER_SECONDS:
                    yield f"{ident} was asked for {intent['id']} {intent['created'] - last} s after the one before"
                ours = [one for one in before if one["id"] in self._scheduled]
                self._scheduled.add(intent["id"])
                if any(_refused_for_good(one) == reference["payment_method_id"] for one in ours):
                    yield f"{ident} was asked for {intent['id']} with a card that is lost"

    def gaps(self) -> Iterator[str]:
        """Of whom nothing is due and who has access, nothing that lasts as long as access has ended."""
        now = self._stage.now
        for holding in self._holdings():
            until = holding.access_until
            if is_over(holding) or (until is not None and until <= now) or self._is_due(holding):
                continue
            standing = {
                f"{holding.id}_{item.link_id}_{holding.terms.since}"
                for item in holding.terms.items
                if not is_metered(item)
            }
            for lot_id, lot in self._lots_of(holding):
                if lot_id in standing and 0 < int(lot["e"]["N"]) <= now.timestamp() and "u" not in lot:
                    yield f"{holding.id} has access until {until}, its lot {lot_id} ended at {lot['e']['N']}"

    def refills(self) -> Iterator[str]:
        """While everything worked, each item came at each of its boundaries that was paid for."""
        since = self._healthy_since
        for holding in self._holdings():
            if since is None or holding.id in self._ill or holding.created_at > since:
                continue
            paid = holding.paid_through
            last = self._stage.now if paid is None else min(self._stage.now, paid)
            for item in holding.terms.items if holding.origin <= since else ():
                first = latest(holding.origin, item.renewal, since) + 1
                for number in range(first, latest(holding.origin, item.renewal, last) + 1):
                    at = boundary(holding.origin, item.renewal, number)
                    lot_id = f"{holding.id}_{item.link_id}_{int(at.timestamp())}"
                    if is_metered(item) and lot_id not in self._lots and (paid is None or at < paid):
                        yield f"{holding.id} did not get {lot_id}, which was due at {at}"

    def _note(self, holding: Holding) -> None:
        """Whoever pays late has what comes while it was not paid once, and not every time that it would have come."""
        pauses = isinstance(holding, Subscription) and holding.pause is not None
        if pauses or holding.dunning is not None or holding.held_back is not None or holding.ended_at is not None:
            self._ill.add(holding.id)

    def _holdings(self) -> Iterator[Holding]:
        for person in self._stage.people:
            for prefix in ("SUB#", "FIN#"):
                for row in self._stage.memory.beginning(f"USER#{person.user_id}", prefix):
                    yield _read(row)

    def _is_due(self, holding: Holding) -> bool:
        prefix = "SUB" if isinstance(holding, Subscription) else "FIN"
        row = self._stage.memory.get((f"USER#{holding.user_id}", f"{prefix}#{holding.id:016d}")) or {}
        return "due_at" in row and int(row["due_at"]["N"]) <= self._stage.now.timestamp()

    def _lots_of(self, holding: Holding) -> Iterator[tuple[str, Item]]:
        for partition in (f"LEDGER#USER#{holding.user_id}", f"LEDGER#TEAM#{holding.id}"):
            for page in self._stage.memory.beginning(partition, "BAL#"):
                for name, lot in page.items():
                    if name.startswith("lot_"):
                        yield name.removeprefix("lot_"), lot["M"]


def _refused_for_good(intent: Item) -> str | None:
    """The card that a payment was refused with, where it can never succeed."""
    error = intent["last_payment_error"] or {}
    return str(error["payment_method"]["id"]) if error.get("decline_code") in HARD else None


def _read(row: Item) -> Holding:
    kind: type[Subscription] | type[Financing] = Subscription if row["sk"]["S"].startswith("SUB#") else Financing
    return kind.model_validate_json(row["doc"]["S"])
