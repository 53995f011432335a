"""The saved card, over HTTP (D20)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec.structs import asdict
from pydantic import Field, field_validator

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing.attempts import TooManyAttempts
from chalicelib.books.billing.gateway import (
    NewCard,
    PaymentDeclined,
    PaymentRefused,
    PaymentServiceDown,
    RawCardRefused,
    UnknownTestCard,
)
from chalicelib.books.billing.model import SavedCard
from chalicelib.books.identity import queries as identity
from chalicelib.entrypoints._auth import academy_id_of
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints.academy.buyers import buyer_of
from chalicelib.entrypoints.academy.inputs import Ref, Secret
from chalicelib.entrypoints.academy.queries import AcademyQuery
from chalicelib.flows.checkout.save_card import CardWaiting, SetupNotFound, save_card
from chalicelib.kernel.errors import DomainError

BRANDS = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "amex": "American Express",
    "discover": "Discover",
    "diners": "Diners Club",
    "jcb": "JCB",
    "unionpay": "UnionPay",
}
CENTURY = 2000
THIS_DEPLOYMENT = "default"

Digits = Annotated[str, Field(pattern=r"^[0-9]{1,4}$")]


class MissingCardInformation(DomainError):
    slug = "missing-card-information"
    detail = "Send exactly one of: card_number with exp_month, exp_year and cvc; payment_method; setup_intent; token."


class CardBody(Input):
    """A card. `card_number` is accepted in test mode only, and only Stripe's published test numbers."""

    slugs: ClassVar[Mapping[str, str]] = {
        "card_number": "missing-card-information",
        "exp_month": "missing-card-information",
        "exp_year": "missing-card-information",
        "cvc": "missing-card-information",
    }

    card_number: str | None = Field(default=None, min_length=12, max_length=23, pattern=r"^[0-9 -]+$", repr=False)
    exp_month: Digits | None = None
    exp_year: Digits | None = None
    cvc: Digits | None = Field(default=None, repr=False)
    token: Secret | None = None
    payment_method: Secret | None = None
    setup_intent: Secret | None = None
    academy: Ref | None = None
    academy_id: Ref | None = None

    @field_validator("exp_month", "exp_year", "cvc", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class CardDetailsOut(Output):
    card_last4: str
    card_brand: str
    card_exp_month: int
    card_exp_year: int


class CardOut(Output):
    """The card that is charged, if there is one; then its fields are there."""

    has_payment_method: bool
    card_last4: str | None = None
    card_brand: str | None = None
    card_exp_month: int | None = None
    card_exp_year: int | None = None


class CardSavedOut(Output):
    """`status` ok: `details` by the academy's name. `requires_action`: confirm with `client_secret`."""

    status: str
    details: dict[str, CardDetailsOut] | None = None
    client_secret: str | None = None


@route("GET", "/v2/payments/card", access=Access.PERSON, answers={200: CardOut})
def get_card(call: Call, query: AcademyQuery) -> Answer:
    """The card that is charged."""
    academy_id_of(call, None)
    account = call.runtime.settings.stripe_account
    card = billing.customer(call.runtime.table, call.person.user_id, account, call.now).customer.card
    if card is None:
        return Answer(200, {"has_payment_method": False})
    return Answer(200, CardOut(has_payment_method=True, **asdict(_details(card))))


@route(
    "POST",
    "/v2/payments/card",
    access=Access.PERSON,
    answers={200: CardSavedOut},
    errors=(
        MissingCardInformation,
        RawCardRefused,
        UnknownTestCard,
        SetupNotFound,
        PaymentDeclined,
        PaymentRefused,
        PaymentServiceDown,
        TooManyAttempts,
    ),
)
def post_card(call: Call, body: CardBody) -> Answer:
    """Save a card for this and later payments."""
    new = _new_card(call, body)
    academy_id = academy_id_of(call, body)
    name = THIS_DEPLOYMENT if academy_id is None else identity.academy(call.runtime.table, academy_id).name
    saved = save_card(call.runtime.context(call.now), buyer_of(call.person), new)
    if isinstance(saved, CardWaiting):
        return Answer(200, {"status": saved.status.value, "client_secret": saved.client_secret})
    return Answer(200, {"status": "ok", "details": {name: _details(saved.card)}})


def _new_card(call: Call, body: CardBody) -> NewCard:
    ways = (body.card_number, body.token, body.payment_method, body.setup_intent)
    if body.card_number is not None and call.runtime.settings.live_mode:
        raise RawCardRefused
    if sum(way is not None for way in ways) != 1:
        raise MissingCardInformation
    if body.card_number is None:
        return NewCard(token=body.token, payment_method=body.payment_method, setup_intent=body.setup_intent)
    if body.exp_month is None or body.exp_year is None or body.cvc is None or not 1 <= int(body.exp_month) <= 12:
        raise MissingCardInformation
    year = int(body.exp_year)
    return NewCard(
        number=body.card_number.replace(" ", "").replace("-", ""),
        exp_month=int(body.exp_month),
        exp_year=year if year >= CENTURY else year + CENTURY,
    )


def _details(card: SavedCard) -> CardDetailsOut:
    return CardDetailsOut(
        card_last4=card.last4,
        card_brand=BRANDS.get(card.brand, card.brand.title()),
        card_exp_month=card.exp_month,
        card_exp_year=card.exp_year,
    )
