"""Valid things of each book, for cases that say only what matters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.books.billing.model import Bag, BagKind, Buyer, Customer, Invoice, InvoiceKind, InvoiceStatus
from chalicelib.books.consumption.model import Session
from chalicelib.books.idempotency.model import Keyed, StoredAnswer
from chalicelib.books.identity.model import Academy, ApiKey, Credential, Membership, Person, TokenEntry, User
from chalicelib.books.inbox.model import Event
from chalicelib.books.ledger.model import Grant, Holder, Origin, Source, Unit
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions.model import Financing, Status, Subscription, Terms
from chalicelib.books.timeline.model import Activity
from chalicelib.kernel.periods import Unit as TimeUnit

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECOND = int(NOW.timestamp())
USER, ACADEMY = 7, 3
BUYER = Buyer(user_id=USER, email="ada@example.com", first_name="Ada", last_name="Lovelace")
HOLDER, TEAM = Holder.person(USER), Holder.team(900)
UNIT = Unit(academy_id=ACADEMY, service_id=52, service_slug="mentoring", service_type="VOID")


def an_invoice(**changed: Any) -> Invoice:
    values = {
        "id": 100,
        "kind": InvoiceKind.PLAN,
        "status": InvoiceStatus.PENDING,
        "academy_id": ACADEMY,
        "buyer": BUYER,
        "bag_id": 40,
        "currency": "USD",
        "amount": 5999,
        "lines": (),
        "created_at": NOW,
    }
    return Invoice.model_validate(values | changed)


def a_bag(**changed: Any) -> Bag:
    values = {
        "id": 40,
        "token": "a-token",
        "kind": BagKind.PREVIEW,
        "academy_id": ACADEMY,
        "buyer": BUYER,
        "currency": "USD",
        "country": None,
        "created_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return Bag.model_validate(values | changed)


def a_customer(**changed: Any) -> Customer:
    return Customer.model_validate({"user_id": USER, "account": "default", "updated_at": NOW} | changed)


def a_session(**changed: Any) -> Session:
    values = {
        "id": 70,
        "user_id": USER,
        "academy_id": ACADEMY,
        "service_id": 52,
        "service_slug": "mentoring",
        "hash": None,
        "how_many": 1,
        "takings": (),
        "created_at": NOW,
        "eta": NOW + timedelta(minutes=1),
    }
    return Session.model_validate(values | changed)


def a_grant(lot_id: str = "100_1_0", how_many: int = 5, *, expires_at: datetime | None = None) -> Grant:
    origin = Origin(source=Source.PURCHASE, invoice_id=100)
    return Grant(lot_id=lot_id, unit=UNIT, how_many=how_many, expires_at=expires_at, origin=origin)


def a_user(**changed: Any) -> User:
    values = {"id": USER, "email": "ada@example.com", "first_name": "Ada", "last_name": "L", "created_at": NOW}
    return User.model_validate(values | changed)


def an_academy(**changed: Any) -> Academy:
    return Academy.model_validate({"id": ACADEMY, "slug": "4geeks", "name": "4Geeks", "created_at": NOW} | changed)


def a_membership(**changed: Any) -> Membership:
    return Membership.model_validate({"academy_id": ACADEMY, "user_id": USER, "role": "staff"} | changed)


def a_credential(**changed: Any) -> Credential:
    person = Person(user_id=USER, email="ada@example.com", first_name="Ada", last_name="L")
    return Credential.model_validate({"kind": "token", "person": person, "created_at": NOW} | changed)


def a_token_entry(**changed: Any) -> TokenEntry:
    values = {"id": "t1", "digest": "d1", "created_at": NOW, "expires_at": NOW + timedelta(days=1)}
    return TokenEntry.model_validate(values | changed)


def an_api_key(**changed: Any) -> ApiKey:
    values = {"id": 55, "name": "sync", "academy_id": ACADEMY, "scopes": ("x",), "digest": "d2", "created_at": NOW}
    return ApiKey.model_validate(values | changed)


def an_event(**changed: Any) -> Event:
    values = {"id": "evt_1", "type": "payment_intent.succeeded", "received_at": NOW, "tried_since": NOW}
    return Event.model_validate(values | changed)


def a_message(**changed: Any) -> Message:
    values = {"id": "m1", "to": "ada@example.com", "subject": "S", "text": "T", "html": "H", "created_at": NOW}
    return Message.model_validate(values | changed)


def an_activity(**changed: Any) -> Activity:
    values = {"id": "a1", "user_id": USER, "academy_id": ACADEMY, "kind": "plan-bought", "at": NOW}
    return Activity.model_validate(values | changed)


def terms() -> Terms:
    return Terms(
        plan_id=1001,
        plan_slug="basic",
        plan_title=None,
        plan_version=1,
        academy_id=ACADEMY,
        currency="USD",
        country=None,
        pay_every=1,
        pay_every_unit=TimeUnit.MONTH,
        full_amount=5999,
        lines=(),
        items=(),
    )


def a_subscription(**changed: Any) -> Subscription:
    values = {
        "id": 100,
        "user_id": USER,
        "status": Status.ACTIVE,
        "terms": terms(),
        "origin": NOW,
        "periods_paid": 1,
        "paid_at": NOW,
        "paid_until": NOW + timedelta(days=30),
        "next_payment_at": NOW + timedelta(days=30),
        "invoice_ids": (100,),
        "created_at": NOW,
    }
    return Subscription.model_validate(values | changed)


def a_financing(**changed: Any) -> Financing:
    values = {
        "id": 100,
        "user_id": USER,
        "status": Status.ACTIVE,
        "terms": terms(),
        "origin": NOW,
        "how_many_installments": 12,
        "installments_paid": 1,
        "monthly_amount": 29900,
        "paid_at": NOW,
        "next_payment_at": NOW + timedelta(days=30),
        "plan_expires_at": NOW + timedelta(days=365),
        "invoice_ids": (100,),
        "created_at": NOW,
    }
    return Financing.model_validate(values | changed)


def a_keyed(**changed: Any) -> Keyed:
    values: dict[str, Any] = {"caller": "u7", "route": "POST /pay", "key": "k", "input_hash": "h"}
    return Keyed(**values | changed, render=lambda result: StoredAnswer(status=200, body="{}"))
