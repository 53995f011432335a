"""Bags, invoices, subscriptions and lots for tests. Builders with valid defaults say only what matters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from chalicelib.books.billing.model import Bag, BagKind, Buyer, Dispute, Invoice, InvoiceKind, InvoiceStatus, Refund
from chalicelib.books.ledger.model import Grant, Origin, Source, Unit
from chalicelib.books.subscriptions.model import TermItem, Terms
from chalicelib.kernel.quotes import Line
from tests.shop import BASIC, CHAT

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
USER, ACADEMY, INVOICE, BAG = 7, 4, 3001, 2001


def a_buyer(**changed: Any) -> Buyer:
    values = {"user_id": USER, "email": "ada@example.com", "first_name": "Ada", "last_name": "L"}
    return Buyer.model_validate(values | changed)


def a_bag(**changed: Any) -> Bag:
    values = {
        "id": BAG,
        "token": "token",
        "kind": BagKind.PREVIEW,
        "academy_id": ACADEMY,
        "buyer": a_buyer(),
        "currency": "USD",
        "country": None,
        "created_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return Bag.model_validate(values | changed)


def a_line(amount: int) -> Line:
    return Line(
        id="plan",
        description="Basic, month",
        quantity=1,
        unit_price=Decimal(amount) / 100,
        exact_amount=Decimal(amount) / 100,
        remainder=Decimal(0),
        full_amount=amount,
        amount=amount,
    )


def an_invoice(**changed: Any) -> Invoice:
    values = {
        "id": INVOICE,
        "kind": InvoiceKind.PLAN,
        "status": InvoiceStatus.PENDING,
        "academy_id": ACADEMY,
        "buyer": a_buyer(),
        "bag_id": BAG,
        "currency": "USD",
        "amount": 5999,
        "lines": (a_line(5999),),
        "created_at": NOW,
    }
    return Invoice.model_validate(values | changed)


def a_refund(amount: int, status: str = "succeeded", *, ident: str = "re_1") -> Refund:
    return Refund(id=ident, amount=amount, status=status, created_at=NOW)


def a_dispute(amount: int, status: str, *, ident: str = "dp_1") -> Dispute:
    return Dispute(id=ident, amount=amount, status=status, reason="fraudulent", updated_at=NOW)


def a_term_item(**changed: Any) -> TermItem:
    values = {
        "link_id": "1",
        "service_id": CHAT,
        "service_slug": "ai-chat",
        "service_type": "VOID",
        "how_many": 100,
        "is_renewable": True,
    }
    return TermItem.model_validate(values | changed)


def some_terms(**changed: Any) -> Terms:
    values = {
        "plan_id": BASIC,
        "plan_slug": "basic",
        "plan_title": "Basic",
        "plan_version": 1,
        "academy_id": ACADEMY,
        "currency": "USD",
        "country": None,
        "pay_every": 1,
        "pay_every_unit": "MONTH",
        "full_amount": 5999,
        "lines": (a_line(5999),),
        "items": (a_term_item(),),
    }
    return Terms.model_validate(values | changed)


def a_unit(**changed: Any) -> Unit:
    values = {"academy_id": ACADEMY, "service_id": CHAT, "service_slug": "ai-chat", "service_type": "VOID"}
    return Unit.model_validate(values | changed)


def a_grant(lot_id: str = "lot", how_many: int = 10, **changed: Any) -> Grant:
    values = {
        "lot_id": lot_id,
        "unit": a_unit(),
        "how_many": how_many,
        "expires_at": None,
        "origin": Origin(source=Source.PURCHASE, invoice_id=INVOICE),
    }
    return Grant.model_validate(values | changed)
