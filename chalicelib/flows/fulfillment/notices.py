"""The mails about an invoice, to its customer and to staff: text and HTML, from what was agreed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Protocol

from chalicelib.books.billing.model import Dispute, Invoice, Refund
from chalicelib.books.catalog.model import Coupon
from chalicelib.books.identity.model import Person
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions.model import Dunning, Holding
from chalicelib.kernel.ids import derived
from chalicelib.kernel.money import Money

Rows = Sequence[tuple[str, str]]


class Recipient(Protocol):
    """Whoever gets a mail."""

    @property
    def email(self) -> str: ...

    @property
    def first_name(self) -> str: ...


def receipt(invoice: Invoice, now: datetime) -> Message:
    """The receipt of a purchase, once for each invoice."""
    paid = invoice.paid_at or now
    rows = [(line.description, str(Money(line.amount, invoice.currency))) for line in invoice.lines]
    facts = [
        ("Invoice", str(invoice.id)),
        ("Date", paid.strftime("%Y-%m-%d %H:%M UTC")),
        ("Total", str(invoice.total)),
    ]
    if invoice.payment is not None and invoice.amount > 0:
        facts.append(("Paid with", f"{invoice.payment.card_brand} ending in {invoice.payment.card_last4}"))
    if invoice.coupons:
        facts.append(("Coupons", ", ".join(coupon.slug for coupon in invoice.coupons)))
    subject = f"Your receipt, {invoice.total}"
    return mail(
        derived("receipt", invoice.id), invoice.buyer, subject, "Thank you for your purchase.", facts, now, rows=rows
    )


def returned(invoice: Invoice, amount: Money, now: datetime) -> Message:
    """Says that a payment that could not be delivered goes back, once for each invoice."""
    sentence = (
        f"Your payment of {amount} arrived after the purchase had ended, so we are returning all of it to your card. "
        "Nothing more needs to be done."
    )
    facts = [("Invoice", str(invoice.id)), ("Returned", str(amount))]
    subject = f"We are returning your payment of {amount}"
    return mail(derived("returned", invoice.id), invoice.buyer, subject, sentence, facts, now)


def credit_note(invoice: Invoice, refund: Refund, now: datetime) -> Message:
    """Says what goes back to the customer, once for each refund."""
    amount = Money(refund.amount, invoice.currency)
    facts = [
        ("Credit note", refund.number or refund.id),
        ("Invoice", str(invoice.id)),
        ("Date", refund.created_at.strftime("%Y-%m-%d %H:%M UTC")),
        ("Refunded", str(amount)),
    ]
    sentence = "We are returning money to the card that you paid with. Your bank may take a few days to show it."
    subject = f"Your refund of {amount}"
    return mail(derived("credit-note", refund.id), invoice.buyer, subject, sentence, facts, now)


def refund_failed(invoice: Invoice, refund: Refund, person: Person, now: datetime) -> Message:
    """Tells staff that a refund did not reach the customer, once for each of them."""
    amount = Money(refund.amount, invoice.currency)
    rest = "What it had taken back was given back; please look at it."
    if invoice.undelivered:
        rest = "Nothing was delivered for that payment: the customer is owed this money. Please refund it again."
    sentence = f"A refund did not reach the customer's bank. {rest}"
    facts = [("Refund", refund.id), ("Credit note", refund.number or ""), *_about(invoice, amount)]
    subject = f"A refund of {amount} failed"
    return mail(derived("refund-failed", refund.id, person.user_id), person, subject, sentence, facts, now)


def disputed(invoice: Invoice, dispute: Dispute, person: Person, now: datetime) -> Message:
    """Tells staff that a customer disputes a payment, once for each of them."""
    amount = Money(dispute.amount, invoice.currency)
    sentence = "A customer disputes a payment. What it bought is frozen until the dispute is decided."
    facts = [("Dispute", dispute.id), ("Reason", dispute.reason), *_about(invoice, amount)]
    subject = f"A payment of {amount} is disputed"
    return mail(derived("disputed", dispute.id, person.user_id), person, subject, sentence, facts, now)


def reward_earned(coupon: Coupon, seller: Person, now: datetime) -> Message:
    """Tells somebody what they earned when another bought with their coupon, once for each reward."""
    amount = f"{coupon.discount_value} {coupon.currency}"
    facts = [("Coupon", coupon.slug), ("Worth", amount)]
    if coupon.expires_at is not None:
        facts.append(("Use it before", coupon.expires_at.strftime("%Y-%m-%d %H:%M UTC")))
    sentence = "Somebody bought a plan with your coupon. This coupon is for you alone, for one purchase of your own."
    return mail(derived("reward", coupon.slug), seller, f"You earned {amount}", sentence, facts, now)


def payment_failed(buyer: Recipient, holding: Holding, amount: Money, now: datetime) -> Message:
    """Says that a payment that recurs was refused, once for each try, and what comes next."""
    dunning = holding.dunning
    plan = holding.terms.plan_title or holding.terms.plan_slug
    facts = [("Plan", plan), ("Amount", str(amount))]
    if dunning is not None and not dunning.hard:
        facts.append(("We try again", dunning.next_attempt_at.strftime("%Y-%m-%d %H:%M UTC")))
    sentence = "Your payment was refused. Your access continues for some days; please check your card, or save another."
    if dunning is not None and dunning.payment_method_id is None:
        sentence = "There is no card to charge. Your access continues for some days; please save a card."
    elif dunning is not None and dunning.hard:
        sentence = (
            "Your card cannot be charged any more. Your access continues for some days; please save another card."
        )
    subject = f"Your payment of {amount} was refused"
    ident = derived("refused", holding.id, *_try_of(dunning), int(now.timestamp()))
    return mail(ident, buyer, subject, sentence, facts, now)


def _try_of(dunning: Dunning | None) -> tuple[object, ...]:
    """Two tries may be refused within a second: by the schedule, and with a card that was saved meanwhile."""
    return () if dunning is None else (dunning.failures, dunning.payment_method_id)


def finish_payment(invoice: Invoice, dunning: Dunning, link: str, now: datetime) -> Message:
    """Asks a customer to confirm a payment at their bank, once for each try."""
    sentence = "Your bank asks you to confirm a payment. Please do so at this address; your access continues meanwhile:"
    facts = [("Invoice", str(invoice.id)), ("Amount", str(invoice.total))]
    facts.append(("We try again", dunning.next_attempt_at.strftime("%Y-%m-%d %H:%M UTC")))
    subject = f"Please confirm your payment of {invoice.total}"
    attempt = 0 if invoice.payment is None else invoice.payment.attempt
    ident = derived("confirm", invoice.id, attempt, int(now.timestamp()))
    return mail(ident, invoice.buyer, subject, sentence, facts, now, link=link)


def holding_over(buyer: Recipient, holding: Holding, now: datetime) -> Message:
    """Says that a plan is over because it was not paid, once."""
    plan = holding.terms.plan_title or holding.terms.plan_slug
    sentence = f"{plan} has ended, since it could not be paid. You can buy it again at any time."
    ident = derived("over", holding.id)
    return mail(ident, buyer, f"{plan} has ended", sentence, [("Plan", plan)], now)


def recharge_stopped(buyer: Recipient, code: str, cause: tuple[object, ...], now: datetime) -> Message:
    """Says that a team's pool is not filled up any more, and why, once for each cause."""
    sentence = (
        "Your team's units ran low, and more of them could not be paid with your card. Nothing was charged, and no "
        "more are bought until you switch the automatic recharge on again."
    )
    ident = derived("recharge-stopped", *cause)
    return mail(ident, buyer, "Your team's automatic recharge has stopped", sentence, [("Reason", code)], now)


def fully_paid(invoice: Invoice, now: datetime) -> Message:
    """Says that the last instalment is paid, once for each plan."""
    sentence = "You have paid the last instalment. Nothing is left to be paid, and your certificate can be downloaded."
    facts = [("Plan", invoice.plan_slug or ""), ("Invoice", str(invoice.id))]
    ident = derived("fully-paid", invoice.financing_id)
    return mail(ident, invoice.buyer, "All instalments are paid", sentence, facts, now)


def mail(
    ident: str,
    to: Recipient,
    subject: str,
    sentence: str,
    facts: Rows,
    now: datetime,
    rows: Rows = (),
    link: str | None = None,
) -> Message:
    """To somebody by their first name: the sentence, then the link, the rows, the facts.

    A link lets its reader in: the text is not kept once it is sent.
    """
    name = to.first_name or "there"
    return Message(
        id=ident,
        to=to.email,
        subject=subject,
        text=_text(name, sentence, link, rows, facts),
        html=_html(name, sentence, link, rows, facts),
        created_at=now,
        confidential=link is not None,
    )


def _about(invoice: Invoice, amount: Money) -> list[tuple[str, str]]:
    return [("Invoice", str(invoice.id)), ("Amount", str(amount)), ("Customer", str(invoice.buyer.user_id))]


def _text(name: str, sentence: str, link: str | None, rows: Rows, facts: Rows) -> str:
    lines = [f"Hello {name},", "", sentence, ""]
    lines += [] if link is None else [link, ""]
    lines += [f"{description}: {amount}" for description, amount in rows]
    lines += [""] + [f"{label}: {value}" for label, value in facts]
    return "\n".join(lines) + "\n"


def _html(name: str, sentence: str, link: str | None, rows: Rows, facts: Rows) -> str:
    address = "" if link is None else f"<p><a href='{escape(link)}'>{escape(link)}</a></p>"
    cells = "".join(
        f"<tr><td>{escape(left)}</td><td style='text-align:right'>{escape(right)}</td></tr>"
        for left, right in [*rows, *facts]
    )
    return (
        "<!doctype html><html><body style='font-family:sans-serif'>"
        f"<p>Hello {escape(name)},</p><p>{escape(sentence)}</p>{address}"
        f"<table cellpadding='6'>{cells}</table></body></html>"
    )
