"""Save a card: attach it for later use without its holder, and keep what it is recognized by."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind
from chalicelib.books.billing.gateway import Card, NewCard, PaymentDeclined, PaymentRefused, PaymentStatus, Setup
from chalicelib.books.billing.model import Buyer, Customer, SavedCard
from chalicelib.books.billing.queries import StoredCustomer
from chalicelib.books.idempotency.model import RequestInFlight
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context
from chalicelib.flows.recurring.retry import card_saved
from chalicelib.kernel.errors import Defect, DomainError, Kind
from chalicelib.kernel.ids import derived, new_id

TRIES_MAX = 8


class SetupNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "setup-intent-not-found"
    detail = "There is no such setup intent of yours."


@dataclass(frozen=True, slots=True)
class CardSaved:
    card: SavedCard


@dataclass(frozen=True, slots=True)
class CardWaiting:
    """The bank wants the holder to authenticate; the webhook finishes it."""

    status: PaymentStatus
    client_secret: str | None


def save_card(context: Context, buyer: Buyer, new: NewCard) -> CardSaved | CardWaiting:
    """Attach a card to the person's customer and make it the one that is charged.

    Raises TooManyAttempts, PaymentDeclined, PaymentRefused, RawCardRefused, UnknownTestCard, SetupNotFound,
    PaymentServiceDown.
    """
    context.gateway.check_card(new)
    attempt = _count_attempt(context, buyer)
    stored = _known_customer(context, buyer)
    customer_id = _customer_id(stored.customer)
    if new.setup_intent is not None:
        setup = context.gateway.setup(new.setup_intent)
        if setup is None or setup.customer_id != customer_id:
            raise SetupNotFound
    else:
        key = derived("card", buyer.user_id, attempt)
        metadata = {"user_id": str(buyer.user_id)}
        setup = context.gateway.set_up_card(new, customer_id=customer_id, key=key, metadata=metadata)
        _set_expiry(context, setup, new, key)
    return keep_setup(context, buyer.user_id, setup, sent=new)


def keep_setup(context: Context, user_id: int, setup: Setup, *, sent: NewCard | None = None) -> CardSaved | CardWaiting:
    """Keep what a setup came to: its card, or that it waits for authentication. Raises PaymentDeclined."""
    for _ in range(TRIES_MAX):
        stored = billing_queries.customer(context.table, user_id, context.gateway.account, context.now)
        if setup.card is not None:
            # A setup that is still awaited stays so, unless the customer has just saved this card instead of it.
            awaited = None if sent is not None or stored.customer.setup_id == setup.id else stored.customer.setup_id
            changed = stored.customer.model_copy(
                update={"card": _saved(setup.card, sent), "setup_id": awaited, "updated_at": context.now}
            )
        elif setup.status in (PaymentStatus.FAILED, PaymentStatus.CANCELED):
            raise PaymentDeclined
        else:
            changed = stored.customer.model_copy(update={"setup_id": setup.id, "updated_at": context.now})
        if _put(context, changed, stored.version):
            if changed.card is not None and setup.card is not None:
                card_saved(context, user_id)
                return CardSaved(changed.card)
            return CardWaiting(setup.status, setup.client_secret)
    raise RequestInFlight


def forget_card(context: Context, user_id: int, payment_method_id: str) -> None:
    """The card was detached at the processor: it is not charged any more."""
    for _ in range(TRIES_MAX):
        stored = billing_queries.customer(context.table, user_id, context.gateway.account, context.now)
        card = stored.customer.card
        if card is None or card.payment_method_id != payment_method_id:
            return
        changed = stored.customer.model_copy(update={"card": None, "updated_at": context.now})
        if _put(context, changed, stored.version):
            return
    raise RequestInFlight


def refresh_card(context: Context, user_id: int, card: Card) -> None:
    """The bank or somebody at the processor changed the card's expiry: show it."""
    for _ in range(TRIES_MAX):
        stored = billing_queries.customer(context.table, user_id, context.gateway.account, context.now)
        known = stored.customer.card
        if known is None or known.payment_method_id != card.payment_method_id:
            return
        if (card.exp_year, card.exp_month) <= (known.bank_exp_year, known.bank_exp_month):
            return
        changed = stored.customer.model_copy(update={"card": _saved(card, None), "updated_at": context.now})
        if _put(context, changed, stored.version):
            return
    raise RequestInFlight


def forget_customer(context: Context, user_id: int, customer_id: str) -> None:
    """The customer was deleted at the processor: the next card makes a new one."""
    for _ in range(TRIES_MAX):
        stored = billing_queries.customer(context.table, user_id, context.gateway.account, context.now)
        if stored.customer.customer_id != customer_id:
            return
        emptied = Customer(
            user_id=user_id,
            account=context.gateway.account,
            generation=stored.customer.generation + 1,
            updated_at=context.now,
        )
        if _put(context, emptied, stored.version):
            return
    raise RequestInFlight


def _set_expiry(context: Context, setup: Setup, new: NewCard, key: str) -> None:
    """Give a test card the expiry that was sent with its number (D20). One that has passed is only shown.

    The card is attached and good whatever becomes of this, so that it is never refused for it.
    """
    if setup.card is None or new.number is None or new.exp_month is None or new.exp_year is None:
        return
    if (new.exp_year, new.exp_month) < (context.now.year, context.now.month):
        return
    with suppress(PaymentDeclined, PaymentRefused):
        context.gateway.set_expiry(setup.card.payment_method_id, month=new.exp_month, year=new.exp_year, key=key)


def _count_attempt(context: Context, buyer: Buyer) -> int:
    """Count the attempt before it reaches the processor, so that a hundred at once count too."""
    attempt = new_id(context.now, context.random_bits)
    for _ in range(TRIES_MAX):
        row = context.table.get(billing.attempts_key(buyer.user_id, AttemptKind.CARD))
        begins = billing.attempt_begins(
            buyer.user_id,
            AttemptKind.CARD,
            row,
            attempt_id=attempt,
            limit=context.limits.card_attempts_per_hour,
            now=context.now,
        )
        try:
            commit(context.table, [begins])
        except billing.AttemptsMoved:
            continue
        return attempt
    raise RequestInFlight


def _known_customer(context: Context, buyer: Buyer) -> StoredCustomer:
    """The person as a customer of the processor. Two at once get one customer: its key follows from the person."""
    account = context.gateway.account
    for _ in range(TRIES_MAX):
        stored = billing_queries.customer(context.table, buyer.user_id, account, context.now)
        if stored.customer.customer_id is not None:
            return stored
        customer_id = context.gateway.create_customer(
            key=derived("customer", account, buyer.user_id, stored.customer.generation),
            email=buyer.email,
            name=f"{buyer.first_name} {buyer.last_name}".strip(),
            user_id=buyer.user_id,
        )
        changed = stored.customer.model_copy(update={"customer_id": customer_id, "updated_at": context.now})
        if _put(context, changed, stored.version):
            return StoredCustomer(changed, stored.version + 1)
    raise RequestInFlight


def _put(context: Context, customer: Customer, version: int) -> bool:
    try:
        commit(context.table, [billing.put_customer(customer, version=version)])
    except billing.CustomerMoved:
        return False
    return True


def _saved(card: Card, sent: NewCard | None) -> SavedCard:
    """The card as it is shown: with the expiry that was sent, which in test mode may have passed (D20)."""
    return SavedCard(
        payment_method_id=card.payment_method_id,
        brand=card.brand,
        last4=card.last4,
        exp_month=(sent.exp_month if sent is not None else None) or card.exp_month,
        exp_year=(sent.exp_year if sent is not None else None) or card.exp_year,
        bank_exp_month=card.exp_month,
        bank_exp_year=card.exp_year,
        fingerprint=card.fingerprint,
    )


def _customer_id(customer: Customer) -> str:
    if customer.customer_id is None:
        raise Defect(f"person {customer.user_id} is no customer yet")
    return customer.customer_id
