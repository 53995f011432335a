"""The guards of the backend, each with the patch that removes it: conditions, markers, keys, retries, sweeps.

`mutations.py` removes them one at a time and counts the seeds until that is seen. A guard that is never missed is
either useless or held by another test: `elsewhere.py` says which.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from types import ModuleType
from typing import Any
from unittest.mock import patch

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import PAID_STATUSES, Invoice, InvoiceStatus
from chalicelib.books.billing.refunds import paid_status
from chalicelib.books.catalog import coupon_store
from chalicelib.books.consumption import store as consumption
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.inbox import queries as inbox_queries
from chalicelib.books.inbox import store as inbox
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.reversal import reversal
from chalicelib.books.outbox import queries as outbox_queries
from chalicelib.books.outbox import store as outbox
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.dynamo import writes
from chalicelib.dynamo.writes import Delete, Put, Update, anyway
from chalicelib.entrypoints import stripe_webhook
from chalicelib.flows.checkout import begin, charge, pay, save_card
from chalicelib.flows.fulfillment import fulfill, record_refunds, reverse, settle
from chalicelib.flows.reconcile import handle_event, sweep
from chalicelib.flows.reconcile.metadata import named
from chalicelib.flows.reconcile.receive import receive
from chalicelib.flows.refunds import issue
from chalicelib.kernel.errors import TryLater
from local.stripe_standin.inprocess import InProcessClient
from tests.simulation.engine import Engine

Removal = Callable[[ExitStack], None]
_serial = itertools.count(1)


@dataclass(frozen=True)
class Guard:
    """What is removed, and how."""

    name: str
    remove: Removal

    @contextmanager
    def removed(self) -> Iterator[None]:
        with ExitStack() as patches:
            self.remove(patches)
            yield


def swapped(owner: Any, name: str, instead: Any) -> Removal:
    """Another thing under that name."""
    return lambda patches: patches.enter_context(patch.object(owner, name, instead))


def free(store: ModuleType, builder: str, *, only: int | None = None) -> Removal:
    """The writes of a store's builder (or only the so-manieth of them) without their condition."""
    built = getattr(store, builder)

    def freed(write: Any) -> Any:
        return replace(write, condition=anyway) if isinstance(write, Put | Update | Delete) else write

    def instead(*arguments: Any, **named: Any) -> Any:
        made = built(*arguments, **named)
        if not isinstance(made, list):
            return freed(made)
        return [freed(write) if only in (None, number) else write for number, write in enumerate(made)]

    return swapped(store, builder, instead)


def unwritten(store: ModuleType, builder: str) -> Removal:
    """A harmless write in place of the builder's."""
    built = getattr(store, builder)

    def instead(*arguments: Any, **named: Any) -> Any:
        made = built(*arguments, **named)
        return [_aside(write) for write in made] if isinstance(made, list) else _aside(made)

    return swapped(store, builder, instead)


def _aside(write: Any) -> Put:
    key = replace(write.key, pk="ASIDE", sk=f"{next(_serial)}")
    return Put(key=key, values={"n": 1}, condition=anyway, refused=writes.never("it has no condition"))


def nobodys(store: ModuleType, key: str) -> Removal:
    """A key whose partition does not say whose it is."""
    real = getattr(store, key)
    return swapped(store, key, lambda *arguments: replace(real(*arguments), pk="USER#0"))


def fresh_key(module: ModuleType) -> Removal:
    """A key of its own for each call to Stripe, in place of the one that follows from what it is for."""
    return swapped(module, "derived", lambda prefix, *parts: f"{prefix}_fresh_{next(_serial)}")


def fresh_charge_key(patches: ExitStack) -> None:
    """Stripe is given another key each time that it is asked for the same charge."""
    real = InProcessClient.request

    def request(client: Any, method: str, url: str, headers: Any, post_data: Any = None, **more: Any) -> Any:
        if method == "post" and url.endswith("/v1/payment_intents"):
            headers = {**headers, "Idempotency-Key": f"fresh-{next(_serial)}"}
        return real(client, method, url, headers, post_data, **more)

    patches.enter_context(patch.object(InProcessClient, "request", request))


def lost_list(patches: ExitStack) -> None:
    real = charge.find_payment

    def by_id_only(context: Any, invoice: Any) -> Any:
        return real(context, invoice) if invoice.payment.payment_id is not None else None

    for module in (charge, sweep):
        patches.enter_context(patch.object(module, "find_payment", by_id_only))


def entries_twice(patches: ExitStack) -> None:
    """An entry may be written over."""
    real = ledger._linked

    def freed(*arguments: Any, **named: Any) -> Any:
        puts, actions = real(*arguments, **named)
        return [replace(put, condition=anyway) for put in puts], actions

    patches.enter_context(patch.object(ledger, "_linked", freed))


def one_try(patches: ExitStack) -> None:
    patches.enter_context(patch.object(writes, "ATTEMPTS_MAX", 1))


def someone_elses(patches: ExitStack) -> None:
    """A payment is taken for the one of whatever invoice its metadata names."""

    def anybodys(context: Any, payment: Any) -> Any:
        name = named(payment.metadata)
        user_id, invoice_id = (name.user_id, name.invoice_id) if name is not None else (0, 0)
        return billing_queries.invoice(context.table, user_id, invoice_id)

    patches.enter_context(patch.object(handle_event, "invoice_of_payment", anybodys))


def acknowledged_away(patches: ExitStack) -> None:
    """An event that could not be stored is answered as if it were."""

    def received(context: Any, event: Any, body: str) -> bool:
        try:
            return receive(context, event, body)
        except TryLater:
            return True

    patches.enter_context(patch.object(stripe_webhook, "receive", received))


def no_payments(patches: ExitStack) -> None:
    """Events of payments are taken for handled without a look."""
    patches.enter_context(patch.object(handle_event, "PAYMENTS", {}))
    unseen = {**handle_event.HANDLERS, "payment": lambda context, event: None, "checkout": lambda context, event: None}
    patches.enter_context(patch.object(handle_event, "HANDLERS", unseen))


def no_orders(patches: ExitStack) -> None:
    """Refunds that were ordered and not heard of are left alone by the sweep."""
    patches.enter_context(patch.object(sweep, "sweep_orders", lambda context, stored: stored.invoice))


def each_refund_for_itself(patches: ExitStack) -> None:
    """What was taken back before is not known."""
    real = reversal

    def forgetful(*arguments: Any, reversed_before: int, **given: Any) -> Any:
        return real(*arguments, reversed_before=0, **given)

    patches.enter_context(patch.object(reverse, "reversal", forgetful))


def no_topic(topic: str) -> Removal:
    """Events of a topic are taken for handled without a look."""
    handlers = {**handle_event.HANDLERS, topic: lambda context, event: None}
    return swapped(handle_event, "HANDLERS", handlers)


def not_read_again(patches: ExitStack) -> None:
    """What moved meanwhile is written over as it was read, whatever its version is now."""
    real = billing.changed_invoice

    def blind(invoice: Any, *, version: int, due_at: Any = None) -> Any:
        return replace(real(invoice, version=version, due_at=due_at), condition=anyway)

    patches.enter_context(patch.object(billing, "changed_invoice", blind))


def late_without_claims(patches: ExitStack) -> None:
    patches.enter_context(patch.object(fulfill, "claim_writes", lambda invoice, delivery: []))


def undelivered_is_no_matter(patches: ExitStack) -> None:
    """Whether something was delivered for the money is not looked at."""
    real = paid_status

    def trusting(invoice: Invoice) -> InvoiceStatus:
        return real(invoice.model_copy(update={"undelivered": False}))

    for module in (settle, record_refunds):
        patches.enter_context(patch.object(module, "paid_status", trusting))


def undelivered_is_tried_again(patches: ExitStack) -> None:
    """An invoice that was given up and whose money came late is settled each time that somebody looks."""
    patches.enter_context(patch.object(Invoice, "is_paid", property(lambda invoice: invoice.status in PAID_STATUSES)))


def begun_without_claims(patches: ExitStack) -> None:
    patches.enter_context(patch.object(begin, "claim_writes", lambda invoice, delivery: []))


def takes_what_was_revoked(patches: ExitStack) -> None:
    """A use is counted whatever has become of the coupon since it was quoted."""
    real = coupon_store.take_coupon

    def taken(coupon: Any, user_id: int) -> Any:
        own, *total = real(coupon, user_id)
        return [own, *(replace(write, condition=coupon_store._below(coupon.how_many_offers)) for write in total)]

    patches.enter_context(patch.object(coupon_store, "take_coupon", taken))


GUARDS: tuple[Guard, ...] = (
    # Conditions of billing.
    Guard("a bag is paid by one purchase at a time", free(billing, "bag_begins")),
    Guard("a bag is paid once", free(billing, "bag_paid")),
    Guard("a bag is reopened by its own purchase only", free(billing, "bag_reopens")),
    Guard("an invoice is changed as it was read (version)", not_read_again),
    Guard("an invoice is new", free(billing, "new_invoice")),
    Guard("a customer's row is changed as it was read (version)", free(billing, "put_customer")),
    Guard("attempts are counted one by one (version)", free(billing, "attempt_begins")),
    Guard("a paid invoice is no declined attempt", unwritten(billing, "attempt_uncounted")),
    Guard("a bag's put may be sent twice", swapped(billing, "absent_or_same", lambda doc: writes.absent)),
    # Claims.
    Guard("a plan is held once (condition of its claim)", free(subscriptions, "claim_plan")),
    Guard("a plan is held once (its claim is written)", unwritten(subscriptions, "claim_plan")),
    Guard("a trial is had once", free(subscriptions, "claim_trial")),
    Guard("a claim is given back", unwritten(subscriptions, "give_back_plan")),
    Guard("a claim is given back by its own purchase only", free(subscriptions, "give_back_plan")),
    Guard("a coupon's uses per person are limited", free(coupon_store, "take_coupon", only=0)),
    Guard("a coupon's uses are limited", free(coupon_store, "take_coupon", only=1)),
    Guard("a coupon's use is given back", unwritten(coupon_store, "return_coupon")),
    Guard("a use that was not taken is not given back", free(coupon_store, "return_coupon")),
    Guard("a reward that was revoked is not taken", takes_what_was_revoked),
    Guard("a reward is revoked with its payment", swapped(reverse, "are_revoked", lambda invoice: False)),
    Guard("a reward is made with the delivery", swapped(fulfill, "rewards", lambda invoice, delivery: ())),
    Guard("a purchase claims when it begins", begun_without_claims),
    Guard("a late payment claims again", late_without_claims),
    Guard("what was not delivered is never called fulfilled", undelivered_is_no_matter),
    Guard("what came too late is decided once", undelivered_is_tried_again),
    # The ledger.
    Guard("a lot is granted once, on a page with room", free(ledger, "grant_writes", only=0)),
    Guard("an entry is written once", entries_twice),
    Guard("units are taken only where enough are left", free(ledger, "take_writes", only=0)),
    Guard("units go back to a lot as it was read", free(ledger, "give_back_writes", only=0)),
    Guard("a grant is reversed as its lots were read", free(ledger, "reversal_writes", only=0)),
    Guard("a lot is retimed as its page was read", free(ledger, "retime_writes", only=0)),
    Guard("what a refund takes back is taken", unwritten(ledger, "reversal_writes")),
    Guard("refunds of one payment take back together", each_refund_for_itself),
    Guard("a holding is changed as it was read (version)", free(subscriptions, "changed_holding")),
    Guard("a credit note has a number of its own", free(billing, "next_numbers")),
    Guard("a hash is used once", free(consumption, "new", only=0)),
    Guard("a use is cancelled once", free(consumption, "changed")),
    Guard("a claim names its person", nobodys(subscriptions, "plan_claim_key")),
    Guard("a use names its person", nobodys(consumption, "session_key")),
    Guard("a balance names its holder", nobodys(ledger, "balance_key")),
    # Keys of requests, of charges, of refunds.
    Guard("a key opens one purchase", free(idempotency, "opened")),
    Guard("a key's answer is kept once", free(idempotency, "answered")),
    Guard("a key's answer is kept", unwritten(idempotency, "answered")),
    Guard("a charge has one key", fresh_charge_key),
    Guard("a person's customer has one key", fresh_key(save_card)),
    Guard("the refund of a late payment has one key", fresh_key(settle)),
    Guard("a refund that staff order has one key", fresh_key(issue)),
    Guard("a refund that was ordered is finished by the sweep", no_orders),
    Guard("a charge whose answer was lost is looked for in the list", lost_list),
    Guard("a charge is not made again when its key may be gone", swapped(charge, "KEY_HOLDS", timedelta(days=999))),
    Guard("the list begins before the attempt, since clocks differ", swapped(charge, "CLOCKS_DIFFER", timedelta(0))),
    Guard("a purchase in flight is left alone for a while", swapped(charge, "IN_FLIGHT", timedelta(0))),
    # What comes from Stripe.
    Guard("an event is stored once", free(inbox, "new")),
    Guard("an event is kept as it was read (version)", free(inbox, "changed")),
    Guard("a message is sent by one (version)", free(outbox, "changed")),
    Guard("events of payments are acted on", no_payments),
    Guard("events of setups are acted on", no_topic("setup")),
    Guard("events of charges are acted on", no_topic("charge")),
    Guard("events of refunds are acted on", no_topic("refund")),
    Guard("events of disputes are acted on", no_topic("dispute")),
    Guard("events of cards are acted on", no_topic("card")),
    Guard("events of customers are acted on", no_topic("customer")),
    Guard(
        "a failed payment is closed before its invoice is given up",
        swapped(settle, "_closed", lambda context, payment: payment),
    ),
    Guard("a payment is of its own customer's invoice only", someone_elses),
    Guard("an event is acknowledged only when it is stored", acknowledged_away),
    # Retries and sweeps.
    Guard("what collided is sent again", one_try),
    Guard(
        "a transaction that is sent again has its token",
        swapped(Engine, "_done_before", lambda engine, token, asked: False),
    ),
    Guard("pending invoices are swept", swapped(billing_queries, "due_invoices", lambda table, now: [])),
    Guard("pending events are swept", swapped(inbox_queries, "due", lambda table, now: [])),
    Guard("unsent messages are swept", swapped(outbox_queries, "due", lambda table, now: [])),
    Guard("a purchase that lost a race begins again", swapped(pay, "BEGIN_TRIES_MAX", 1)),
)
