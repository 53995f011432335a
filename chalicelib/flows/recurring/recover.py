"""Recover: what the link of a mail leads to, by which a customer finishes a payment at their bank without signing in.

The link's secret is 256 random bits behind the ids of the person and the invoice; only its digest is kept, and a later
refusal ends it. It shows one payment and lets nobody do anything but pay it.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.gateway import PaymentStatus
from chalicelib.books.billing.model import Invoice
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.identity.credentials import SECRET_CHARACTERS_MAX, secret_digest
from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions.cycle import coming_terms
from chalicelib.books.subscriptions.model import Holding, Terms
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import Delivery
from chalicelib.flows.fulfillment.renew import RECOVERY_PREFIX, key_of
from chalicelib.flows.fulfillment.settle import settle
from chalicelib.kernel.errors import DomainError, Kind

ID_DIGITS_MAX = 16


class RecoveryNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "recovery-not-found"
    detail = "There is no payment to finish at this address, or not any more."


@dataclass(frozen=True, slots=True)
class Recovery:
    """A payment that its customer can finish: with `client_secret` and the card that it was tried with. `terms` are
    those that it pays for, of which the next period may be the first.
    """

    invoice: Invoice
    terms: Terms
    status: PaymentStatus
    client_secret: str | None = None
    payment_method_id: str | None = None


def recover(context: Context, secret: str) -> Recovery:
    """The payment that this secret is for, as the processor has it now. Raises RecoveryNotFound, PaymentServiceDown."""
    stored, holding, terms = _found(context, secret)
    digest = secret_digest(secret)
    if stored.invoice.is_paid and _is(digest, holding.recovered):
        return Recovery(stored.invoice, terms, PaymentStatus.SUCCEEDED)
    if holding.dunning is None or not _is(digest, holding.dunning.recovery):
        raise RecoveryNotFound
    reference = stored.invoice.payment
    if reference is None or reference.payment_id is None:
        return Recovery(stored.invoice, terms, PaymentStatus.PROCESSING)  # the next attempt is under way
    payment = context.gateway.payment(reference.payment_id)
    if payment is None or payment.status is PaymentStatus.CANCELED:
        raise RecoveryNotFound
    if payment.status is PaymentStatus.SUCCEEDED:
        return Recovery(settle(context, stored, payment).invoice, terms, PaymentStatus.SUCCEEDED)
    if payment.status is PaymentStatus.PROCESSING:
        return Recovery(stored.invoice, terms, PaymentStatus.PROCESSING)
    return Recovery(
        stored.invoice,
        terms,
        PaymentStatus.REQUIRES_ACTION,
        client_secret=payment.client_secret,
        payment_method_id=reference.payment_method_id,
    )


def _found(context: Context, secret: str) -> tuple[StoredInvoice, Holding, Terms]:
    """The invoice that a secret names, what it is of, and the terms that it pays for."""
    if not secret.startswith(RECOVERY_PREFIX) or len(secret) > SECRET_CHARACTERS_MAX:
        raise RecoveryNotFound
    ids = secret.removeprefix(RECOVERY_PREFIX).split(".")[:2]
    if len(ids) != 2 or not all(one.isascii() and one.isdigit() and len(one) <= ID_DIGITS_MAX for one in ids):
        raise RecoveryNotFound
    user_id, invoice_id = map(int, ids)
    row = context.table.get(billing.invoice_key(user_id, invoice_id))
    stored = None if row is None else billing_queries.read_invoice(row)
    renewal = None if stored is None else Delivery.model_validate_json(stored.delivery).renewal
    held = None if renewal is None else subscription_queries.held(context.table, key_of(user_id, renewal))
    if stored is None or renewal is None or held is None:
        raise RecoveryNotFound
    coming = coming_terms(held.holding)
    return stored, held.holding, coming if coming.plan_id == renewal.plan_id else held.holding.terms


def _is(digest: str, kept: str | None) -> bool:
    return kept is not None and hmac.compare_digest(digest, kept)
