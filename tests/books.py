"""What must hold of all rows and of Stripe once everything has come to rest, checked by one function.

`check_books` reads every row and every object of the stand-in and lists what is wrong. The tests of
tests/journeys/test_crash_invariants.py break the books one by one, so that each check is known to be able to fail.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.books.billing.model import PAID_STATUSES, Customer, Invoice, InvoiceStatus
from chalicelib.books.billing.refunds import amount_returned, is_disputed
from chalicelib.books.consumption.model import Session
from chalicelib.books.inbox.model import Event, EventStatus
from chalicelib.books.ledger.chain import content, digest
from chalicelib.books.ledger.model import Entry, EntryKind, Holder
from chalicelib.books.ledger.rows import read_balance
from chalicelib.books.outbox.model import Message, MessageStatus
from chalicelib.books.subscriptions.cycle import claimed_plans
from chalicelib.books.subscriptions.model import Fate, Financing, Holding, Subscription
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.rows import Row, load
from chalicelib.flows.fulfillment.consequences import units_target
from chalicelib.flows.fulfillment.delivery import Delivery
from chalicelib.kernel.ids import derived
from tests.adjustments import adjustments
from tests.invitations import invitations
from tests.lots import lots
from tests.moto_table import all_rows
from tests.periods import Recurring, what_recurs
from tests.rewards import rewards
from tests.spends import spends
from tests.team_books import Teams, what_is_seated
from tests.world import World

STRIPE_KEYS_KEPT_SECONDS = 86_400
CLOCKS_DIFFER = timedelta(seconds=10)
RECUR = ("SUB#", "FIN#", "SEAT#", "RECHARGE#")


def check_books(world: World, *, parked: Collection[str] = ()) -> None:
    """Fail with everything that does not add up. `parked`: types of events that may have been given up."""
    wrong = what_is_wrong(world, parked=parked)
    assert not wrong, "\n".join(wrong)


def what_is_wrong(world: World, *, parked: Collection[str] = ()) -> list[str]:
    """Every broken rule, in a sentence each."""
    books = _Books(world)
    return [
        *books.charges(),
        *books.disputes(),
        *books.deliveries(),
        *books.receipts(),
        *books.recurring(),
        *books.teams(),
        *spends(books.rows, books.invoices, books.deliveries_of),
        *lots(books.rows, books.entries),
        *books.reversals(),
        *adjustments(books.rows, books.entries, books.invoices),
        *books.chains(),
        *books.claims(),
        *books.coupons(),
        *rewards(books.by_key, books.invoices, books.deliveries_of, books.delivered),
        *books.bags(),
        *books.waiting(frozenset(parked)),
        *books.sessions(),
        *books.customers(),
        *invitations(books.rows, books.holdings.values()),
    ]


class _Books:
    """All rows, read once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows = all_rows(world.table)
        self.by_key = {(row.key.pk, row.key.sk): row for row in self.rows}
        found = self.of("INVOICE#")
        self.invoices = {invoice.id: invoice for invoice in (load(Invoice, row) for row in found)}
        self.deliveries_of = {
            load(Invoice, row).id: Delivery.model_validate_json(str(row.values["delivery"])) for row in found
        }
        self.entries = [(row.key.pk, load(Entry, row)) for row in self.of("ENTRY#")]
        self.holdings = {int(row.key.sk.split("#")[1]): row for prefix in ("SUB#", "FIN#") for row in self.of(prefix)}
        self.held = {ident: _holding(row) for ident, row in self.holdings.items()}
        rows = self.holdings.items()
        self.due = frozenset(ident for ident, row in rows if "due_at" in row.values and not self._later(row))
        self.recorded: defaultdict[int, list[datetime]] = defaultdict(list)
        for told in (load(Activity, row) for row in self.of("ACT#")):
            if told.kind in ("refund-recorded", "dispute-recorded"):
                self.recorded[int(str(told.facts["invoice"]))].append(told.at)
        self.granted = {
            invoice_id: [e for _, e in self.entries if e.kind is EntryKind.GRANT and e.cause == f"invoice:{invoice_id}"]
            for invoice_id in self.invoices
        }

    def of(self, prefix: str) -> list[Row]:
        return [row for row in self.rows if row.key.sk.startswith(prefix)]

    def delivered(self, invoice: Invoice) -> bool:
        """Paid, and not given back because it could not be delivered any more."""
        return invoice.status in PAID_STATUSES and not invoice.undelivered

    def charges(self) -> list[str]:
        """Each invoice is charged at most once, exactly its amount, and only money that was taken pays it."""
        wrong = []
        refunds = self.world.at_stripe("refund")
        for invoice in self.invoices.values():
            paid = [
                intent
                for intent in self.world.at_stripe("payment_intent")
                if intent["status"] == "succeeded" and intent["metadata"].get("invoice_id") == str(invoice.id)
            ]
            expected = int(invoice.is_paid and invoice.amount > 0)
            if len(paid) != expected:
                wrong.append(f"invoice {invoice.id} is {invoice.status} and was charged {len(paid)} times")
            wrong += [
                f"invoice {invoice.id} of {invoice.amount} was charged {intent['amount_received']}"
                for intent in paid
                if intent["amount_received"] != invoice.amount
            ]
            refunds_of_it = [one for one in refunds if one["payment_intent"] in {intent["id"] for intent in paid}]
            returned = sum(refund["amount"] for refund in refunds_of_it if refund["status"] != "failed")
            for_nothing = any(refund["metadata"].get("reason") == "not-deliverable" for refund in refunds_of_it)
            if for_nothing and not invoice.undelivered:
                wrong.append(f"invoice {invoice.id} was delivered and its money given back")
            if returned != invoice.amount_refunded:
                wrong.append(f"invoice {invoice.id} shows {invoice.amount_refunded} refunded, Stripe {returned}")
        bags = Counter(i.bag_id for i in self.invoices.values() if self.delivered(i))
        wrong += [f"bag {bag_id} was delivered {times} times" for bag_id, times in bags.items() if times > 1]
        return wrong

    def disputes(self) -> list[str]:
        """A paid invoice shows the disputes that Stripe has, as they are there."""
        payments = {i["id"]: i["metadata"].get("invoice_id") for i in self.world.at_stripe("payment_intent")}
        there: dict[str | None, set[tuple[str, str]]] = {}
        for dispute in self.world.at_stripe("dispute"):
            there.setdefault(payments[dispute["payment_intent"]], set()).add((dispute["id"], dispute["status"]))
        return [
            f"invoice {ident} shows the disputes {known}, Stripe has {there.get(str(ident), set())}"
            for ident, invoice in self.invoices.items()
            if (known := {(one.id, one.status) for one in invoice.disputes}) != there.get(str(ident), set())
        ]

    def receipts(self) -> list[str]:
        """Whoever was delivered something is told so, once."""
        return [
            f"the delivered invoice {invoice.id} has no receipt"
            for invoice in self.invoices.values()
            if self.delivered(invoice)
            and (invoice.is_purchase or invoice.amount)
            and (f"OUTBOX#{derived('receipt', invoice.id)}", "MESSAGE") not in self.by_key
        ]

    def deliveries(self) -> list[str]:
        """What was bought is granted exactly once where it is paid, and not at all where it is not."""
        wrong = []
        for ident, invoice in self.invoices.items():
            delivery = self.deliveries_of[ident]
            wanted: Counter[int] = Counter()
            if delivery.units is not None:
                wanted[delivery.units.unit.service_id] += delivery.units.how_many
            for item in delivery.plan.terms.items if delivery.plan is not None else ():
                wanted[item.service_id] += item.how_many
            got: Counter[int] = Counter()
            for entry in self.granted[ident]:
                for portion in entry.portions:
                    came_again = delivery.plan is not None and not portion.lot_id.endswith("_0")
                    got[entry.unit.service_id] += 0 if came_again else portion.granted
            paid = invoice.is_paid and not invoice.undelivered
            if invoice.undelivered and invoice.status is InvoiceStatus.FULFILLED:
                wrong.append(f"invoice {ident} is FULFILLED and nothing was delivered")
            if delivery.renewal is not None or delivery.change is not None:
                wanted = got if paid else Counter()  # its units come by refills, which `periods` counts
            if got != (wanted if paid else Counter()):
                wrong.append(f"invoice {ident} is {invoice.status}, sells {dict(wanted)} and granted {dict(got)}")
            if (ident in self.holdings) != (paid and delivery.plan is not None):
                wrong.append(
                    f"invoice {ident} is {invoice.status}; is there its subscription? {ident in self.holdings}"
                )
        return wrong

    def _later(self, row: Row) -> bool:
        return int(str(row.values["due_at"])) > int(self.world.now.timestamp())

    def recurring(self) -> list[str]:
        """What recurs was paid period by period, and each item's units came once a boundary."""
        pages = self.of("BAL#")
        return what_recurs(
            Recurring(
                holdings=self.held,
                due=self.due,
                invoices=self.invoices,
                deliveries=self.deliveries_of,
                delivered=self.delivered,
                entries=self.entries,
                open_lots=[lot for row in pages for lot in read_balance(Holder.person(0), row).lots],
                intents=self.world.at_stripe("payment_intent"),
                now=self.world.now,
            )
        )

    def teams(self) -> list[str]:
        return what_is_seated(Teams(self.rows, self.entries, self.held, self.due, self.world.now))

    def reversals(self) -> list[str]:
        """Of each grant as much is taken back, or owed, as money went back; only what is disputed is frozen."""
        wrong = []
        due: Counter[tuple[str, str]] = Counter()
        got: Counter[tuple[str, str]] = Counter()
        for ident, invoice in self.invoices.items():
            for entry in self.granted[ident]:
                if entry.id not in invoice.reversed_units and _untouched(entry, self.recorded[ident]):
                    continue
                countable = sum(portion.granted for portion in entry.portions if not portion.unlimited)
                wanted = countable * amount_returned(invoice) // invoice.amount if invoice.amount else 0
                if any(order.lines for order in invoice.refund_orders):
                    wanted = units_target(
                        invoice, entry, fate=Fate.LIVE, ended_at=None, collect=False, is_over=False
                    ).due
                revoked = sum(invoice.revoked_units.get(portion.lot_id, 0) for portion in entry.portions)
                if not max(0, wanted - revoked) <= invoice.reversed_units.get(entry.id, 0) <= wanted:
                    wrong.append(f"invoice {ident} took back {invoice.reversed_units.get(entry.id, 0)}, not {wanted}")
        for pk, entry in self.entries:
            if entry.kind in (EntryKind.REVERSE, EntryKind.RESTORE):
                got[pk, entry.unit.name] -= entry.units
            cause = entry.cause.removeprefix("invoice:")
            if entry.kind is EntryKind.GRANT and cause.isdigit() and int(cause) in self.invoices:
                due[pk, entry.unit.name] += self.invoices[int(cause)].reversed_units.get(entry.id, 0)
        for row in self.rows:
            if not (row.key.pk.startswith("LEDGER#") and row.key.sk.startswith("BAL#")):
                continue
            balance = read_balance(Holder.person(0), row)
            got[row.key.pk, balance.unit.name] += sum(owed.units for owed in balance.owed)
            if row.values.get("owes", 0) != balance.debt:
                wrong.append(f"{row.key} owes {row.values.get('owes', 0)}, its debts are {balance.debt}")
            for lot in balance.lots:
                disputed = lot.origin.invoice_id in self.invoices and is_disputed(self.invoices[lot.origin.invoice_id])
                if (lot.usable(self.world.now) and disputed) or (lot.frozen != 0 and not disputed):
                    wrong.append(f"lot {lot.id} has {lot.remaining} and {lot.frozen} frozen; disputed: {disputed}")
        accounts = {*due, *got}
        return wrong + [
            f"{account}: {due[account]} are due back, {got[account]} are taken or owed"
            for account in sorted(accounts)
            if due[account] != got[account]
        ]

    def chains(self) -> list[str]:
        """Each entry has the hash of its content, and is either a head of its page or named by a later entry there."""
        wrong: list[str] = []
        heads: dict[tuple[str, str], set[str]] = {}
        for row in self.of("BAL#"):
            found = {name.removeprefix("head_") for name in row.values if name.startswith("head_")}
            heads[row.key.pk, row.key.sk] = found
        hashes: dict[tuple[str, str], set[str]] = {page: set() for page in heads}
        named: dict[tuple[str, str], set[str]] = {page: set() for page in heads}
        for row in self.of("ENTRY#"):
            entry, hashed = load(Entry, row), str(row.values.get("hash"))
            _, kind, ident = row.key.pk.split("#")
            if hashed != digest(content(Holder(kind, int(ident)), row.doc)):
                wrong.append(f"entry {entry.id} does not have its hash")
            page = (row.key.pk, f"BAL#{entry.unit.name}#{entry.portions[0].page}")
            hashes[page].add(hashed)
            named[page].update(entry.parents or ())
        for page in heads:
            wrong += [f"{page} is led by {head}, which is no entry" for head in heads[page] - hashes[page]]
            wrong += [f"{page} has an entry that names {one}, which is none" for one in named[page] - hashes[page]]
            loose = hashes[page] - heads[page] - named[page]
            wrong += [f"{page} has the entry {one}, which nothing leads to" for one in loose]
            wrong += [f"{page} is led by {head}, which is named too" for head in heads[page] & named[page]]
        return wrong

    def claims(self) -> list[str]:
        """A plan, and the one that it will be changed to, is claimed by its live holding and by nothing else."""
        claimed = {(int(str(row.values["invoice_id"])), row.key.sk.split("#")[2]) for row in self.of("CLAIM#PLAN#")}
        live = [(ident, row) for ident, row in self.holdings.items() if ident in self.invoices]
        wanted = {(ident, str(plan)) for ident, row in live for plan in claimed_plans(_holding(row))}
        wrong = [f"the claim of {plan} by {ident} has no subscription" for ident, plan in claimed - wanted]
        wrong += [f"the subscription {ident} has no claim of {plan}" for ident, plan in wanted - claimed]
        held = set(self.holdings)  # a trial is had once, also when it is over
        trials = {int(str(row.values["invoice_id"])) for row in self.of("CLAIM#TRIAL#")}
        wrong += [f"the trial's claim of invoice {ident} has no subscription" for ident in trials - held]
        return wrong

    def coupons(self) -> list[str]:
        """A coupon counts as used exactly where a delivered purchase holds it."""
        total: Counter[str] = Counter()
        by_person: Counter[tuple[str, str]] = Counter()
        for ident, invoice in self.invoices.items():
            for coupon in self.deliveries_of[ident].coupons if self.delivered(invoice) else ():
                by_person[f"USER#{invoice.buyer.user_id}", f"CLAIM#COUPON#{coupon.id}"] += 1
                if coupon.how_many_offers >= 0:
                    total[coupon.slug] += 1
        wrong = []
        for row in self.of("COUPON#"):
            slug = row.key.sk.removeprefix("COUPON#")
            if row.values.get("used", 0) != total[slug]:
                wrong.append(f"coupon {slug} counts {row.values.get('used', 0)} uses, {total[slug]} are held")
        rows = {(row.key.pk, row.key.sk): row.values.get("used", 0) for row in self.of("CLAIM#COUPON#")}
        for key in {*rows, *by_person}:
            if rows.get(key, 0) != by_person[key]:
                wrong.append(f"{key} counts {rows.get(key, 0)} uses, {by_person[key]} are held")
        return wrong

    def bags(self) -> list[str]:
        """A bag is PAID exactly where an invoice of it is, and by that invoice."""
        wrong = []
        for row in self.of("BAG#"):
            state, invoice_id = row.values["state"], row.values.get("invoice_id")
            bag_id = int(row.key.sk.removeprefix("BAG#"))
            paid = [i.id for i in self.invoices.values() if i.bag_id == bag_id and self.delivered(i)]
            if (state, [invoice_id] if invoice_id else []) != (("PAID", paid) if paid else ("CHECKING", [])):
                wrong.append(f"bag {bag_id} is {state} by {invoice_id}; its delivered invoices are {paid}")
        return wrong

    def waiting(self, parked: frozenset[str]) -> list[str]:
        """Nothing waits for ever: no invoice, no event, no message; nothing is still in the due index."""
        wrong = [f"invoice {i.id} is PENDING" for i in self.invoices.values() if i.status is InvoiceStatus.PENDING]
        for event in (load(Event, row) for row in self.of("EVENT")):
            given_up = event.status is EventStatus.PARKED and event.type not in parked
            if given_up or event.status is EventStatus.PENDING:
                wrong.append(f"event {event.id} {event.type} is {event.status}: {event.error}")
        for message in (load(Message, row) for row in self.of("MESSAGE")):
            if message.status is not MessageStatus.SENT:
                wrong.append(f"message {message.id} is {message.status}")
        waited_for = {row.key.pk for row in self.of("WAITING#")}
        wrong += [
            f"{row.key} is still due"
            for row in self.rows
            if "due_shard" in row.values
            and row.key.pk not in waited_for  # places are looked at while somebody waits
            and not row.key.sk.startswith("BAL#")  # what expired counts for nothing, cleared away or not
            and not (row.key.sk.startswith(RECUR) and self._later(row))  # what recurs comes later
        ]
        attempts = {name for row in self.of("ATTEMPTS#payment") for name in row.values}
        paid = [i for i in self.invoices.values() if i.status is InvoiceStatus.FULFILLED]
        return wrong + [f"the paid invoice {i.id} counts as a decline" for i in paid if f"try_{i.id}" in attempts]

    def sessions(self) -> list[str]:
        """A session's units are taken once; a cancelled one's are back; a hash names its session."""
        wrong = []
        kinds = Counter((entry.cause, entry.kind) for _, entry in self.entries)
        for row in (row for row in self.of("SESSION#")):
            session = load(Session, row)
            cause, taken = f"session:{session.id}", len(session.takings)
            back = taken if session.cancelled_at is not None else 0
            if (kinds.pop((cause, EntryKind.CONSUME), 0), kinds.pop((cause, EntryKind.RELEASE), 0)) != (taken, back):
                wrong.append(f"session {session.id} does not match its entries")
        uses = (EntryKind.CONSUME, EntryKind.RELEASE)
        wrong += [f"{kind} of {cause} has no session" for cause, kind in kinds if kind in uses]
        made = {load(Session, row).id for row in self.of("SESSION#")}
        hashed = Counter(int(str(row.values["session"])) for row in self.of("SESSION_HASH#"))
        return wrong + [f"a hash names the session {ident}" for ident in hashed if ident not in made]

    def customers(self) -> list[str]:
        """A person is one living customer of Stripe at most, and is charged with a card that is attached to it.

        Beside those that a crash left a day before: Stripe has forgotten their key by then. Nothing may be theirs.
        """
        methods = {method["id"]: method["customer"] for method in self.world.at_stripe("payment_method")}
        used = {
            thing["customer"]
            for kind in ("payment_intent", "setup_intent", "payment_method")
            for thing in self.world.at_stripe(kind)
        }
        living: dict[str, list[Any]] = {}
        for customer in self.world.at_stripe("customer"):
            if "deleted" not in customer:
                living.setdefault(customer["metadata"].get("user_id"), []).append(customer)
        wrong = []
        for known in (load(Customer, row) for row in self.of("CUSTOMER#")):
            if known.card is not None and methods.get(known.card.payment_method_id) != known.customer_id:
                wrong.append(
                    f"the card {known.card.payment_method_id} of person {known.user_id} is not theirs at Stripe"
                )
        for user_id, found in living.items():
            last = max(customer["created"] for customer in found)
            kept = [one for one in found if one["id"] in used or one["created"] > last - STRIPE_KEYS_KEPT_SECONDS]
            if len(kept) > 1:
                wrong.append(f"person {user_id} is {len(kept)} customers at Stripe")
        return wrong


def _untouched(entry: Entry, recorded: Sequence[datetime]) -> bool:
    """Whether what was granted had ended, or had not come yet, each time that money went back or might have."""
    ends = max(one.expires_at or datetime.max.replace(tzinfo=UTC) for one in entry.portions)
    return bool(recorded) and all(ends <= at + CLOCKS_DIFFER or entry.at >= at - CLOCKS_DIFFER for at in recorded)


def _holding(row: Row) -> Holding:
    return load(Subscription, row) if row.key.sk.startswith("SUB#") else load(Financing, row)
