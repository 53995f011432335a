"""What must hold after every step, looked at only where something changed: the cheap half of the books' rules.

Charged at most once, nothing below zero, entries = lots, no claim exceeded, nothing that was paid becomes unpaid, each
row touched only by its own callers, the same request under the same key answered the same. What holds only at rest is
in tests/books.py, and is looked at when a run ends.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.books.billing.model import PAID_STATUSES, InvoiceKind
from chalicelib.books.catalog.model import Coupon
from chalicelib.books.ledger.model import LOTS_PER_PAGE_MAX, SIGNS, Entry, EntryKind
from chalicelib.books.ledger.rows import seconds
from chalicelib.books.subscriptions.model import Fate
from chalicelib.flows.checkout.check import bag_id_of
from chalicelib.kernel.ids import EPOCH, RANDOM_BITS
from tests.lots import SWITCHES
from tests.simulation.courses import Courses
from tests.simulation.seatings import Seatings
from tests.simulation.tenancy import foreign

if TYPE_CHECKING:
    from tests.simulation.faults import Act
    from tests.simulation.stage import Customer, Sent, Stage
    from tests.world import Reply

Item = dict[str, Any]
Key = tuple[str, str]

NONE = {"N": "0"}
CARDS_PER_HOUR, DECLINES_PER_HOUR = 4, 2
ATTEMPTS_MAX = {"ATTEMPTS#card": CARDS_PER_HOUR, "ATTEMPTS#payment": DECLINES_PER_HOUR}
HOUR_SECONDS, CLOCKS_DIFFER_SECONDS = 3600, 60
TRANSIENT = frozenset({409, 503})
DECLINED = '"slug":"card-error"'


class Watch:
    """Sees every step of one run. `looked` answers what is wrong since the last time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._wrong: list[str] = []
        self._acts: list[Act] = []
        self._left: defaultdict[Key, Counter[str]] = defaultdict(Counter)
        self._unlimited: Counter[tuple[str, str, str]] = Counter()
        self._ends: defaultdict[tuple[str, str, str], set[int]] = defaultdict(set)
        self._invoices: dict[int, Item] = {}
        self._paid: dict[str, str] = {}
        self._events = 0
        self.courses = Courses(stage)
        self._seatings = Seatings(stage)
        self._coupons: dict[int, Coupon] = {}
        self._held: dict[int, tuple[str, int, bool]] = {}
        self._trials: Counter[tuple[str, int]] = Counter()

    def saw(self, act: Act) -> None:
        """An act has ended, or died."""
        if act.who is not None:
            self._acts.append(act)

    def answered(self, customer: Customer, sent: Sent, reply: Reply, act: Act) -> None:
        """A customer has an answer: no failure of ours, and the same as before where the request is the same."""
        if reply.status >= 500 and (reply.status != 503 or not act.struck):
            self._wrong.append(f"{sent.method} {sent.path} of person {customer.user_id}: {reply.status} {reply.text}")
        if sent.path == "/v2/payments/pay" and reply.status == 400 and "plan-already-" in reply.text:
            self._own_plan(customer, sent)
        once = sent.key is not None or sent.path == "/v2/payments/pay" or "/consumptionsession/" in sent.path
        if not once or reply.status in TRANSIENT:
            return
        final = reply.status in (200, 201) or (reply.status == 402 and sent.key is not None and DECLINED in reply.text)
        if sent.final is None:
            sent.final = reply if final else None
            return
        before, now = _outcome(sent.final), _outcome(reply)
        if before != now:
            self._wrong.append(f"{sent.method} {sent.path} was answered {before} and then {now}")

    def _own_plan(self, customer: Customer, sent: Sent) -> None:
        """Whoever pays a bag again is told what came of it, not that the plan is theirs already by this very bag."""
        bag_id = bag_id_of(sent.body["token"])
        bag = self._stage.memory.get((f"USER#{customer.user_id}", f"BAG#{bag_id:016d}"))
        if bag is not None and "invoice_id" in bag:
            self._wrong.append(f"the bag {bag_id} of person {customer.user_id} was refused for its own plan")

    def looked(self) -> list[str]:
        """What is wrong with what changed since the last look."""
        pages: set[Key] = set()
        for key, old in self._stage.memory.taken().items():
            new = self._stage.memory.get(key)
            if new is not None and new is not old:
                self._row(key, old, new, pages)
        for page in pages:
            self._page(page)
        self._stripe()
        self._wrong += self.courses.payments()
        self._wrong += self._seatings.looked()
        for act in self._acts:
            self._wrong += foreign(self._stage, act)
        self._acts = []
        found = [*self._wrong, *self._stage.defects.taken()]
        self._wrong = []
        return found

    def _row(self, key: Key, old: Item | None, new: Item, pages: set[Key]) -> None:
        pk, sk = key
        kind = sk.partition("#")[0]
        if kind == "ENTRY":
            self._entry(pk, old, new, pages)
        elif kind == "BAL":
            pages.add(key)
        elif kind == "INVOICE":
            self._invoice(pk, old, new)
        elif kind == "BAG" and old is not None and _text(old, "state") == "PAID" != _text(new, "state"):
            self._wrong.append(f"{key} was PAID and is {_text(new, 'state')}")
        elif kind == "COUPON":
            coupon = Coupon.model_validate_json(new["doc"]["S"])
            self._coupons[coupon.id] = coupon
            self._counted(key, new, coupon.how_many_offers)
            if old is not None and "revoked" in old and _used(new) > _used(old):
                self._wrong.append(f"{key} was taken after it was revoked")
        elif sk.startswith("CLAIM#COUPON#"):
            self._counted(key, new, self._coupon(int(sk.rpartition("#")[2])).how_many_per_person)
        elif sk in ATTEMPTS_MAX:
            self._attempts(key, new)
        elif pk.startswith("TEAM#"):
            self._wrong += self._seatings.row(pk, sk, old, new)
        elif kind in ("SUB", "FIN"):
            self._holding(pk, old, new)

    def _entry(self, pk: str, old: Item | None, new: Item, pages: set[Key]) -> None:
        entry = Entry.model_validate_json(new["doc"]["S"])
        if old is not None:
            self._wrong.append(f"the entry {entry.id} of {pk} was changed")
            return
        for portion in entry.portions:
            if entry.kind is EntryKind.GRANT:
                self._wrong += self.courses.granted(portion)
            page = (pk, f"BAL#{entry.unit.name}#{portion.page}")
            pages.add(page)
            self._ends[(*page, portion.lot_id)].add(seconds(portion.expires_at))
            if not portion.unlimited:
                self._left[page][portion.lot_id] += SIGNS[entry.kind] * portion.units
            elif entry.kind in SWITCHES:
                self._unlimited[(*page, portion.lot_id)] += SWITCHES[entry.kind]

    def _page(self, page: Key) -> None:
        row = self._stage.memory.get(page) or {}
        lots = {name.removeprefix("lot_"): value["M"] for name, value in row.items() if name.startswith("lot_")}
        if int(row.get("lots", {"N": "0"})["N"]) != len(lots) or len(lots) > LOTS_PER_PAGE_MAX:
            self._wrong.append(f"{page} counts {row.get('lots')} lots and has {len(lots)}")
        left = self._left[page]
        for lot in left.keys() | lots.keys():
            unlimited = self._unlimited[(*page, lot)] > 0
            usable, frozen = (int(lots[lot].get(name, NONE)["N"]) if lot in lots else 0 for name in "rz")
            expected = -1 if unlimited else left[lot]
            if usable + frozen != expected or (expected < 0 and not unlimited):
                self._wrong.append(f"lot {lot} of {page} has {usable} and {frozen}, its entries leave {expected}")
        for lot, found in lots.items():
            own = int(found.get("u", found["e"])["N"])
            if own not in self._ends[(*page, lot)]:
                self._wrong.append(f"lot {lot} of {page} ends at {own}, which no entry says")
        self._wrong += [f"lot {lot} of {page} holds {m['h']['N']}" for lot, m in lots.items() if int(m["h"]["N"]) < 0]

    def _invoice(self, pk: str, old: Item | None, new: Item) -> None:
        invoice = _doc(new)
        before = self._invoices.get(invoice["id"])
        self._invoices[invoice["id"]] = invoice
        self._wrong += self.courses.invoice(invoice, msgspec.json.decode(new["delivery"]["S"]))
        if before is None:
            return
        if pk != f"USER#{before['buyer']['user_id']}" or old is None:
            self._wrong.append(f"the invoice {invoice['id']} is there twice")
            return
        fixed = ("amount", "currency", "buyer", "bag_id", "lines", "academy_id")
        otherwise = before["kind"] == InvoiceKind.INSTALMENT or _planned(old) != _planned(new)
        asked_anew = (
            otherwise and before["status"] not in PAID_STATUSES
        )  # for all of it, or under what was planned since
        if any(before[name] != invoice[name] for name in fixed if not (asked_anew and name in ("amount", "lines"))):
            self._wrong.append(f"the invoice {invoice['id']} sells something else than before")
        delivered = before["status"] in PAID_STATUSES and not before.get("undelivered")
        if delivered and (invoice["status"] not in PAID_STATUSES or invoice.get("undelivered")):
            self._wrong.append(f"the invoice {invoice['id']} was {before['status']} and is {invoice['status']}")
        refunded = sum(
            refund["amount"] for refund in invoice["refunds"] if refund["status"] not in ("failed", "canceled")
        )
        if refunded > invoice["amount"]:
            self._wrong.append(f"the invoice {invoice['id']} of {invoice['amount']} gave back {refunded}")

    def _counted(self, key: Key, new: Item, limit: int) -> None:
        used = _used(new)
        if used < 0 or (used > limit >= 0):
            self._wrong.append(f"{key} counts {used} uses of {limit}")

    def _coupon(self, coupon_id: int) -> Coupon:
        if coupon_id not in self._coupons:
            for item in self._stage.memory.copy():
                if item["sk"]["S"].startswith("COUPON#"):
                    coupon = Coupon.model_validate_json(item["doc"]["S"])
                    self._coupons[coupon.id] = coupon
        return self._coupons[coupon_id]

    def _holding(self, pk: str, old: Item | None, new: Item) -> None:
        self.courses.holding(new)
        self._seatings.holding(new)
        holding = _doc(new)
        plan = (pk, holding["terms"]["plan_id"])
        held_back = holding.get("held_back") or {}
        over = holding.get("ended_at") is not None or held_back.get("fate") == Fate.ENDED
        self._held[holding["id"]] = (*plan, not over)
        live = [ident for ident, (*held, is_live) in self._held.items() if is_live and tuple(held) == plan]
        if len(live) > 1:
            self._wrong.append(f"{plan} is held {len(live)} times: {live}")
        if old is None and holding.get("trial_ends_at") is not None:
            invoice = self._stage.memory.get((pk, f"INVOICE#{holding['id']:016d}")) or {}
            card = msgspec.json.decode(invoice["delivery"]["S"])["plan"]["trial_fingerprint"]
            for trial in (plan, (card, plan[1])):
                self._trials[trial] += trial[0] is not None
                if self._trials[trial] > 1:
                    self._wrong.append(f"{trial} was tried {self._trials[trial]} times")

    def _attempts(self, key: Key, new: Item) -> None:
        """Attempts that began within the hour. One that waited for its bank, and one of what recurs (its invoice is
        named after its period), count only when they are declined.
        """
        now = self._stage.now.timestamp()
        since = now - HOUR_SECONDS + CLOCKS_DIFFER_SECONDS
        tries = {name: int(at["N"]) for name, at in new.items() if name.startswith("try_")}
        counted = [
            name for name, at in tries.items() if at > since and at <= _began(name) <= now + CLOCKS_DIFFER_SECONDS
        ]
        if len(counted) > ATTEMPTS_MAX[key[1]]:
            self._wrong.append(f"{key} has {len(counted)} attempts within an hour")

    def _stripe(self) -> None:
        events = self._stage.standin.world.events
        fresh = []
        for event in events.newest_first():
            if event.place <= self._events:
                break
            fresh.append(event)
        for event in reversed(fresh):
            self._events = event.place
            if event.kind == "payment_intent.succeeded":
                self._charged(msgspec.json.decode(event.text)["data"]["object"])

    def _charged(self, intent: Item) -> None:
        invoice_id = intent["metadata"]["invoice_id"]
        first = self._paid.setdefault(invoice_id, intent["id"])
        if first != intent["id"]:
            self._wrong.append(f"the invoice {invoice_id} was charged by {first} and by {intent['id']}")
        invoice = self._invoices.get(int(invoice_id))
        if invoice is None or invoice["amount"] != intent["amount_received"]:
            self._wrong.append(
                f"{intent['id']} took {intent['amount_received']} for the invoice {invoice_id}: {invoice}"
            )


def _began(attempt: str) -> int:
    """The second in which an attempt began, out of its id."""
    milliseconds = int(attempt.removeprefix("try_")) >> RANDOM_BITS
    return int((EPOCH + timedelta(milliseconds=milliseconds)).timestamp())


def _planned(item: Item) -> Any:
    """The terms that begin with what an invoice pays for; None: those go on that there are."""
    return (msgspec.json.decode(item["delivery"]["S"]).get("renewal") or {}).get("terms")


def _outcome(reply: Reply) -> tuple[int, Any]:
    """What must not change when a request comes again: what became of it, and of which thing."""
    if reply.status >= 400:
        return reply.status, None
    return 200, reply.json.get("id")


def _used(item: Item) -> int:
    return int(item.get("used", NONE)["N"])


def _doc(item: Item) -> Item:
    loaded: Item = msgspec.json.decode(item["doc"]["S"])
    return loaded


def _text(item: Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))
