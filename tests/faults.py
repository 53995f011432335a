"""One fault of each kind between Stripe and us, planted behind everybody's back: in the stand-in, or in the table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing import store as billing_store
from chalicelib.books.billing.gateway import Charge
from chalicelib.books.billing.model import Dispute, Invoice, InvoiceStatus, Refund
from chalicelib.books.drift.model import DriftKind
from chalicelib.dynamo.writes import commit
from chalicelib.flows.fulfillment.reject import reject
from chalicelib.kernel.money import Money
from tests.world import Person, World

UNITS = 10
CHARGED = 45000
"""Ten units, and what they cost in cents."""


@dataclass
class Fault:
    """`mended`: it is mended where it is found. `healed` says what must be so then, or, where it is not, stay so."""

    kind: DriftKind
    mended: bool
    person: Person
    healed: Callable[[], None]
    found: dict[str, Any] = field(default_factory=dict)


@contextmanager
def unheard(world: World) -> Any:
    """Nobody hears of what is done at Stripe meanwhile."""
    world.misbehave(webhooks={"drop": True})
    yield
    world.misbehave()


def bought(world: World, card: str | None = None) -> tuple[Person, Invoice, str]:
    """A person who bought ten units, their invoice, and the payment's id."""
    person = world.person()
    assert person.save_card(*([card] if card else [])).status == 200
    answer = person.buy()
    assert answer.status == 201, answer.text
    world.settle()
    invoice = invoice_of(person)
    assert invoice.payment is not None and invoice.payment.payment_id is not None
    return person, invoice, invoice.payment.payment_id


def invoice_of(person: Person) -> Invoice:
    """A person's only invoice, as its row has it."""
    (row,) = person.invoices()
    return billing.invoice(person.world.table, person.user_id, row["id"]).invoice


def rewrite(world: World, invoice: Invoice, **changed: Any) -> None:
    """Change an invoice's row as no journey does."""
    stored = billing.invoice(world.table, invoice.buyer.user_id, invoice.id)
    after = stored.invoice.model_copy(update=changed)
    commit(world.table, [billing_store.changed_invoice(after, version=stored.version)])


def owns(person: Person, units: int, status: InvoiceStatus = InvoiceStatus.FULFILLED) -> Callable[[], None]:
    def check() -> None:
        assert person.units("mentorship-service") == units
        assert invoice_of(person).status is status

    return check


def charged_and_lost(world: World) -> Person:
    """Stripe took the money, and nobody of ours knows."""
    person = world.paying()
    world.settle()
    with unheard(world):
        lost = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}
        world.misbehave(webhooks={"drop": True}, rules=[lost])
        assert person.buy().status == 202
    return person


def charge(world: World, person: Person, invoice: Invoice, key: str, **metadata: str) -> str:
    """Take money at Stripe in an invoice's name; answer the payment's id."""
    assert invoice.payment is not None
    named = {"invoice_id": str(invoice.id), "user_id": str(person.user_id), "academy_id": str(invoice.academy_id)}
    with unheard(world):
        return world.runtime.gateway.charge(
            Charge(
                key=f"{key}-{invoice.id}",
                amount=Money(CHARGED, "USD"),
                customer_id=invoice.payment.customer_id,
                payment_method_id=invoice.payment.payment_method_id,
                description="again",
                metadata=named | metadata,
                present=True,
            )
        ).id


def intent_of(world: World, payment_id: str) -> dict[str, Any]:
    return world.standin.world.store.objects["payment_intent"][payment_id]


def charged_not_fulfilled(world: World) -> Fault:
    person = charged_and_lost(world)
    found = {"expected": "FULFILLED", "found": "PENDING"}
    return Fault(DriftKind.CHARGED_NOT_FULFILLED, True, person, owns(person, UNITS), found)


def charged_after_it_was_given_up(world: World) -> Fault:
    person = charged_and_lost(world)
    stored = billing.invoice(world.table, person.user_id, invoice_of(person).id)
    reject(world.runtime.context(world.now), stored, "test")
    found = {"expected": "FULFILLED", "found": "REJECTED"}
    return Fault(DriftKind.CHARGED_NOT_FULFILLED, True, person, owns(person, UNITS), found)


def charge_without_invoice(world: World) -> Fault:
    person, invoice, _ = bought(world)
    payment_id = charge(world, person, invoice, "nowhere", invoice_id="77")
    found = {"expected": "nothing", "found": "45000 USD", "invoice_id": 77, "payment_id": payment_id}
    return Fault(DriftKind.CHARGE_WITHOUT_INVOICE, False, person, owns(person, UNITS), found)


def duplicate_charge(world: World) -> Fault:
    person, invoice, first = bought(world)
    second = charge(world, person, invoice, "twice")
    found = {"expected": first, "found": second, "payment_id": second}
    return Fault(DriftKind.DUPLICATE_CHARGE, False, person, owns(person, UNITS), found)


def twins(world: World) -> Fault:
    """Two payments of a pending invoice, which knows neither."""
    person = charged_and_lost(world)
    charge(world, person, invoice_of(person), "twin")
    return Fault(DriftKind.DUPLICATE_CHARGE, False, person, owns(person, 0, InvoiceStatus.PENDING))


def one_cent_more(world: World) -> Fault:
    person, _, payment_id = bought(world)
    intent_of(world, payment_id).update(amount=CHARGED + 1, amount_received=CHARGED + 1)
    found = {"expected": "45000 USD", "found": "45001 USD"}
    return Fault(DriftKind.AMOUNT, False, person, owns(person, UNITS), found)


def another_currency(world: World) -> Fault:
    """Of a payment that nobody has heard of: it is not delivered either."""
    person = charged_and_lost(world)
    world.at_stripe("payment_intent")[-1].update(currency="eur")
    found = {"expected": "45000 USD", "found": "45000 EUR"}
    return Fault(DriftKind.AMOUNT, False, person, owns(person, 0, InvoiceStatus.PENDING), found)


def another_customer(world: World) -> Fault:
    person, invoice, payment_id = bought(world)
    assert invoice.payment is not None
    intent_of(world, payment_id).update(customer="cus_another")
    found = {"expected": invoice.payment.customer_id, "found": "cus_another"}
    return Fault(DriftKind.CUSTOMER_MISMATCH, False, person, owns(person, UNITS), found)


def another_person(world: World) -> Fault:
    person, invoice, _ = bought(world)
    other = world.person()
    payment_id = charge(world, person, invoice, "other", user_id=str(other.user_id))
    found = {"expected": f"person {person.user_id}", "found": f"person {other.user_id}", "payment_id": payment_id}
    return Fault(DriftKind.CUSTOMER_MISMATCH, False, person, owns(person, UNITS), found)


def never_charged(world: World) -> Fault:
    person, invoice, _ = bought(world)
    assert invoice.payment is not None
    rewrite(world, invoice, payment=invoice.payment.model_copy(update={"payment_id": "pi_invented"}))
    intents = world.standin.world.store.objects["payment_intent"]
    del intents[str(invoice.payment.payment_id)]
    found = {"expected": "45000 USD", "found": "pi_invented is unknown"}
    return Fault(DriftKind.FULFILLED_NOT_CHARGED, False, person, owns(person, UNITS), found)


def charge_that_did_not_succeed(world: World) -> Fault:
    person, _, payment_id = bought(world)
    intent_of(world, payment_id).update(status="canceled", amount_received=0)
    found = {"found": f"{payment_id} is canceled"}
    return Fault(DriftKind.FULFILLED_NOT_CHARGED, False, person, owns(person, UNITS), found)


def one_charge_for_two(world: World) -> Fault:
    _, _, payment_id = bought(world)
    other, invoice, theirs = bought(world)
    assert invoice.payment is not None
    rewrite(world, invoice, payment=invoice.payment.model_copy(update={"payment_id": payment_id}))
    del world.standin.world.store.objects["payment_intent"][theirs]
    return Fault(DriftKind.FULFILLED_NOT_CHARGED, False, other, owns(other, UNITS), {"payment_id": payment_id})


def refund_missing(world: World) -> Fault:
    person, _, payment_id = bought(world)
    with unheard(world):
        refund = world.control(f"/_control/refund/{payment_id}", {"amount": 10001})

    def healed() -> None:
        invoice = invoice_of(person)
        assert (invoice.status, invoice.amount_refunded) == (InvoiceStatus.PARTIALLY_REFUNDED, 10001)

    found = {"expected": "10001 USD succeeded", "found": "nothing", "object_id": refund["id"]}
    return Fault(DriftKind.REFUND_MISSING, True, person, healed, found)


def refund_that_failed(world: World) -> Fault:
    person, _, payment_id = bought(world)
    refund = world.control(f"/_control/refund/{payment_id}", {"amount": 10000})
    world.settle()
    with unheard(world):
        world.control(f"/_control/fail_refund/{refund['id']}", {})
    found = {"expected": "10000 USD failed", "found": "10000 USD succeeded"}

    def healed() -> None:
        assert invoice_of(person).status is InvoiceStatus.FULFILLED

    return Fault(DriftKind.REFUND_MISSING, True, person, healed, found)


def refund_unknown(world: World) -> Fault:
    person, invoice, _ = bought(world)
    phantom = Refund(id="re_phantom", amount=100, status="succeeded", created_at=world.now)
    rewrite(world, invoice, refunds=(phantom,), status=InvoiceStatus.PARTIALLY_REFUNDED)

    def stays() -> None:
        assert invoice_of(person).refunds == (phantom,)

    found = {"expected": "nothing", "found": "100 USD succeeded", "object_id": "re_phantom"}
    return Fault(DriftKind.REFUND_UNKNOWN, False, person, stays, found)


def dispute_missing(world: World) -> Fault:
    person, _, payment_id = bought(world)
    with unheard(world):
        dispute = world.control(f"/_control/dispute/{payment_id}", {"outcome": "open"})

    def healed() -> None:
        assert invoice_of(person).status is InvoiceStatus.DISPUTED

    found = {"expected": "45000 USD needs_response", "found": "nothing", "object_id": dispute["id"]}
    return Fault(DriftKind.DISPUTE_MISSING, True, person, healed, found)


def dispute_that_was_won(world: World) -> Fault:
    person, _, payment_id = bought(world)
    world.control(f"/_control/dispute/{payment_id}", {"outcome": "open"})
    world.settle()
    with unheard(world):
        world.control(f"/_control/dispute/{payment_id}", {"outcome": "won"})

    def healed() -> None:
        assert invoice_of(person).status is InvoiceStatus.FULFILLED

    found = {"expected": "45000 USD won", "found": "45000 USD needs_response"}
    return Fault(DriftKind.DISPUTE_MISSING, True, person, healed, found)


def dispute_unknown(world: World) -> Fault:
    person, invoice, _ = bought(world)
    phantom = Dispute(id="dp_phantom", amount=100, status="lost", reason="fraudulent", updated_at=world.now)
    rewrite(world, invoice, disputes=(phantom,), status=InvoiceStatus.PARTIALLY_REFUNDED)

    def stays() -> None:
        assert invoice_of(person).disputes == (phantom,)

    found = {"found": "100 USD lost", "object_id": "dp_phantom"}
    return Fault(DriftKind.DISPUTE_UNKNOWN, False, person, stays, found)


def duplicate_customer(world: World) -> Fault:
    person = world.paying()
    world.settle()
    (ours,) = [one["id"] for one in world.at_stripe("customer") if one["metadata"]["user_id"] == str(person.user_id)]
    with unheard(world):
        second = world.runtime.gateway.create_customer(
            key=f"second-{person.user_id}", email=person.email, name="Ada", user_id=person.user_id
        )

    def stays() -> None:
        assert person.get("/v2/payments/card").json["has_payment_method"]

    found = {"expected": ours, "object_id": second}
    return Fault(DriftKind.DUPLICATE_CUSTOMER, False, person, stays, found)


PLANTED: tuple[Callable[[World], Fault], ...] = (
    charged_not_fulfilled,
    charged_after_it_was_given_up,
    charge_without_invoice,
    duplicate_charge,
    twins,
    one_cent_more,
    another_currency,
    another_customer,
    another_person,
    never_charged,
    charge_that_did_not_succeed,
    one_charge_for_two,
    refund_missing,
    refund_that_failed,
    refund_unknown,
    dispute_missing,
    dispute_that_was_won,
    dispute_unknown,
    duplicate_customer,
)
