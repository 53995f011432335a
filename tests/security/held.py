"""What the owner holds in each state that some operation needs, and a link that finishes a payment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import InvoiceKind, InvoiceStatus
from chalicelib.books.catalog.model import Period
from chalicelib.books.identity.credentials import new_secret, secret_digest
from chalicelib.books.subscriptions import queries, store
from chalicelib.books.subscriptions.model import Dunning, Financing, Pause, Status, Subscription
from chalicelib.dynamo.writes import commit
from chalicelib.flows.fulfillment.delivery import Delivery, RenewalDelivery
from chalicelib.flows.fulfillment.renew import RECOVERY_PREFIX
from chalicelib.flows.fulfillment.renewal import expected_start, next_invoice_id
from chalicelib.kernel.periods import Unit
from tests.shop import a_plan, put
from tests.world import Person, World

SUBSCRIPTION = "/v1/payments/me/subscription/{subscription_id}"
FINANCING = "/v1/payments/me/planfinancing/{financing_id}"
WHOLE = 990


def in_each_state(world: World, owner: Person) -> dict[str, Mapping[str, Any]]:
    """The examples of the operations that not every subscription or financing serves."""
    (basic,) = queries.subscriptions(world.table, owner.user_id)
    (bootcamp,) = queries.financings(world.table, owner.user_id)
    plan = a_plan(
        world.now,
        world.academy_id,
        id=WHOLE,
        slug="whole",
        is_renewable=False,
        prices={Period.YEAR: Decimal(900)},
        time_of_life=12,
        time_of_life_unit=Unit.MONTH,
    )
    put(world.table, plan)
    whole = owner.pay(owner.check("whole").json, chosen_period="YEAR").json["id"]
    cancelled = {"status": Status.CANCELLED, "next_payment_at": None}
    pause = Pause(asked_at=world.now, days=3, begins_at=world.now, until=world.now + timedelta(days=3))
    secret = a_link(world, basic)
    return {
        f"PUT {SUBSCRIPTION}/reactivate": {"subscription_id": another(world, basic, 1, **cancelled)},
        f"PUT {SUBSCRIPTION}/resume": {"subscription_id": another(world, basic, 2, pause=pause)},
        f"PUT {SUBSCRIPTION}/pay": {
            "subscription_id": another(
                world, basic, 3, next_payment_at=world.now, retry_at=world.now + timedelta(days=1)
            )
        },
        f"PUT {FINANCING}/reactivate": {"financing_id": another(world, bootcamp, 4, **cancelled)},
        f"PUT {FINANCING}/pay": {"body": ("all",), "all": True},
        f"GET {FINANCING}/certificate": {"financing_id": whole},
        "GET /v1/payments/recover/{token}": {"token": secret},
    }


def another(world: World, found: Subscription | Financing, number: int, **changes: Any) -> int:
    """One more of the same, in another state."""
    ident = found.id + number
    made = found.model_copy(update={"id": ident, "invoice_ids": (ident,), **changes})
    new = store.new_subscription(made) if isinstance(made, Subscription) else store.new_financing(made)
    commit(world.table, [new])
    return ident


def a_link(world: World, found: Subscription) -> str:
    """The secret of a link to a payment that was refused and is tried again just now."""
    ident = next_invoice_id(found.model_copy(update={"id": found.id + 5}))
    secret = new_secret(f"{RECOVERY_PREFIX}{found.user_id}.{ident}.")
    dunning = Dunning(
        since=world.now,
        failures=1,
        payment_method_id=None,
        code="authentication_required",
        hard=False,
        next_attempt_at=world.now + timedelta(days=1),
        recovery=secret_digest(secret),
    )
    holding_id = another(world, found, 5, status=Status.PAYMENT_ISSUE, dunning=dunning)
    invoice = billing_queries.invoice(world.table, found.user_id, found.id).invoice
    assert invoice.payment is not None
    changes = {
        "id": ident,
        "kind": InvoiceKind.RENEWAL,
        "status": InvoiceStatus.PENDING,
        "subscription_id": holding_id,
        "payment": invoice.payment.model_copy(update={"payment_id": None, "charge_id": None, "attempt": 2}),
    }
    renewal = RenewalDelivery(
        holding_id=holding_id, financed=False, plan_id=found.terms.plan_id, starts_at=expected_start(found)
    )
    delivery = Delivery(renewal=renewal).model_dump_json()
    commit(world.table, [billing.new_invoice(invoice.model_copy(update=changes), delivery)])
    return secret
