"""What a further payment makes of a holding, and what its refusal does. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.books.subscriptions.course import MONTH, next_attempt
from chalicelib.books.subscriptions.cycle import (
    coming_terms,
    held_back,
    lifted,
    period_invoice_id,
    unplanned,
    with_planned,
)
from chalicelib.books.subscriptions.model import Dunning, Fate, Financing, Holding, Pause, Status, Subscription, Terms
from chalicelib.flows.fulfillment.delivery import RenewalDelivery
from chalicelib.kernel.errors import Defect
from chalicelib.kernel.ids import derived, derived_id
from chalicelib.kernel.periods import boundary

HARD_DECLINES = frozenset(
    {
        "currency_not_supported",
        "expired_card",
        "incorrect_number",
        "invalid_account",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_number",
        "lost_card",
        "new_account_information_available",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
    }
)
"""Reasons after which the same card never succeeds (https://docs.stripe.com/declines/codes)."""
NO_CARD = "no-card"
AUTHENTICATION = "authentication_required"
ONE_A_DAY = timedelta(days=1)
NOT_ASKED_AGAIN_FOR = timedelta(minutes=10)
INVOICES_KEPT = 36
"""How many invoices a holding names: the first and the latest."""
CHANGES_MAX = 30
"""How many changes of its plan a period has at most: what paid for the period is named as long as it runs."""


def expected_start(holding: Holding) -> datetime:
    """When the period (or instalment) that is to be paid next begins (is due)."""
    if isinstance(holding, Financing):
        return boundary(holding.origin, MONTH, holding.installments_paid)
    return boundary(holding.origin, holding.terms.period, holding.periods_paid)


def next_invoice_id(holding: Holding) -> int:
    ident = period_invoice_id(holding.id, expected_start(holding))
    return derived_id(ident, "again", holding.reissued) if holding.reissued else ident


def can_be_renewed(holding: Holding, invoice_id: int, renewal: RenewalDelivery) -> bool:
    """Whether a payment that succeeded is for what is to be paid next, of a holding that is not over."""
    agreed = renewal.terms is None or renewal.terms == digest(coming_terms(holding))
    refunded = holding.held_back is not None and holding.held_back.fate is Fate.ENDED
    credit = holding.credit if isinstance(holding, Subscription) else 0
    return (
        holding.ended_at is None
        and not refunded
        and agreed
        and renewal.credit <= credit
        and renewal.starts_at == expected_start(holding)
        and invoice_id == next_invoice_id(holding)
    )


def digest(terms: Terms) -> str:
    """What tells terms from others: the same ones have the same."""
    return derived("terms", terms.model_dump_json())


def renewed(holding: Holding, invoice_id: int, renewal: RenewalDelivery, now: datetime) -> Holding:
    """The holding once the payment has succeeded. What refunds and disputes of others did to it stays."""
    free = lifted(holding)
    after = free.model_copy(
        update={
            "paid_at": now.replace(microsecond=0),
            "payments": free.payments + renewal.count,
            "open_invoice_id": None,
            "reissued": 0,
            "dunning": None,
            "retry_at": None,
            "status_message": None,
            "recovered": free.recovered if free.dunning is None else free.dunning.recovery,
            "invoice_ids": with_invoice(free.invoice_ids, invoice_id),
        }
    )
    after = _further(after, renewal)
    if after.next_payment_at is not None and after.next_payment_at < now + ONE_A_DAY:
        after = after.model_copy(update={"retry_at": now + ONE_A_DAY})
    if holding.held_back is None:
        return after
    return held_back(after, holding.held_back.fates, holding.held_back, now)


def _further(holding: Holding, renewal: RenewalDelivery) -> Holding:
    if isinstance(holding, Subscription):
        free = holding.model_copy(update={"credit": holding.credit - renewal.credit})
        return _next_periods(with_planned(free), renewal.count)
    return _next_instalments(holding, renewal.count)


def _next_periods(holding: Subscription, count: int) -> Subscription:
    paid = holding.periods_paid + count
    until = boundary(holding.origin, holding.terms.period, paid)
    cancelled = holding.status is Status.CANCELLED
    return holding.model_copy(
        update={
            "periods_paid": paid,
            "paid_until": until,
            "next_payment_at": None if cancelled else until,
            "status": Status.CANCELLED if cancelled else Status.ACTIVE,
            "pause": holding.pause if holding.status is Status.ACTIVE else None,
        }
    )


def _next_instalments(holding: Financing, count: int) -> Financing:
    paid = holding.installments_paid + count
    whole = paid >= holding.how_many_installments
    cancelled = holding.status is Status.CANCELLED
    status = Status.FULLY_PAID if whole else (Status.CANCELLED if cancelled else Status.ACTIVE)
    return holding.model_copy(
        update={
            "installments_paid": paid,
            "next_payment_at": None if whole or cancelled else boundary(holding.origin, MONTH, paid),
            "status": status,
        }
    )


def with_invoice(invoice_ids: tuple[int, ...], invoice_id: int) -> tuple[int, ...]:
    """The invoices that a holding names, with one more."""
    kept = (*invoice_ids, invoice_id)
    return kept if len(kept) <= INVOICES_KEPT else (kept[0], *kept[-INVOICES_KEPT + 1 :])


def refused(
    holding: Holding,
    *,
    code: str,
    payment_method_id: str | None,
    scheduled: bool,
    now: datetime,
    recovery: str | None = None,
) -> Holding:
    """The holding after a payment of it was refused: tried again on the schedule, or over after its last day.

    What the customer tried (a new card, paying now) does not count on the schedule; nor does a payment before its day
    change anything. A pause that was to end early with it goes on.
    """
    if ends_early(holding):
        return rests_on(holding)
    before = holding.dunning
    due = holding.next_payment_at
    free = holding.model_copy(update={"retry_at": None})
    if due is None or (before is None and now < due):
        return free.model_copy(update={"open_invoice_id": None})
    counts = scheduled or before is None
    since = now.replace(microsecond=0) if before is None else before.since
    failures = (0 if before is None else before.failures) + int(counts)
    following = next_attempt(since, failures, now)
    if following is None:
        return over(free, Status.EXPIRED, "The payment was refused too often.", now)
    dunning = Dunning(
        since=since,
        failures=failures,
        payment_method_id=payment_method_id,
        code=code,
        hard=payment_method_id is None or code in HARD_DECLINES,
        next_attempt_at=following if counts or before is None else before.next_attempt_at,
        recovery=recovery,
    )
    return free.model_copy(
        update={"status": Status.PAYMENT_ISSUE, "status_message": "The payment was refused.", "dunning": dunning}
    )


def ends_early(holding: Holding) -> bool:
    """Whether its pause was ended by its customer, and the period that begins with that is not paid yet."""
    pause = holding.pause if isinstance(holding, Subscription) else None
    return holding.status is Status.PAUSED and pause is not None and pause.until < _ends(pause)


def rests_on(holding: Holding) -> Holding:
    """A pause that was to end early, as it was: until its own end."""
    pause = holding.pause if isinstance(holding, Subscription) else None
    if pause is None:
        raise Defect(f"holding {holding.id} has no pause")
    until = _ends(pause)
    return holding.model_copy(
        update={
            "origin": until,
            "next_payment_at": until,
            "pause": pause.model_copy(update={"until": until}),
            "open_invoice_id": None,
            "retry_at": None,
        }
    )


def _ends(pause: Pause) -> datetime:
    return pause.begins_at + timedelta(days=pause.days)


def given_up(holding: Holding, now: datetime) -> Holding:
    """The holding after an attempt to pay it was given up: asked again soon, but for a pause that was to end early."""
    return rests_on(holding) if ends_early(holding) else not_asked(holding, now)


def not_asked(holding: Holding, now: datetime) -> Holding:
    """The holding after the processor did not look at a payment of it: asked again soon, and nothing counted."""
    return holding.model_copy(update={"retry_at": now + NOT_ASKED_AGAIN_FOR})


def over(holding: Holding, status: Status, message: str | None, now: datetime) -> Holding:
    """The holding once it is over for good: what refunds and disputes did to it before changes nothing any more."""
    return unplanned(lifted(holding)).model_copy(
        update={
            "status": status,
            "status_message": message,
            "next_payment_at": None,
            "open_invoice_id": None,
            "dunning": None,
            "retry_at": None,
            "ended_at": now.replace(microsecond=0),
        }
    )
