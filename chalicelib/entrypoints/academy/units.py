"""Buying units of a service, or seats for a subscription, in one call (the documents' consumable checkout)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from msgspec.structs import asdict
from pydantic import Field

from chalicelib.books.billing.model import BagKind, Invoice
from chalicelib.books.catalog.model import SetKind
from chalicelib.books.catalog.pricing import AmountTooHigh, TooFewItems, TooManyItems
from chalicelib.books.catalog.queries import PriceNotFound, ServiceNotFound
from chalicelib.books.identity.queries import academy as read_academy
from chalicelib.books.identity.store import AcademyNotFound
from chalicelib.books.subscriptions.queries import SubscriptionNotFound
from chalicelib.entrypoints._auth import academy_id_of
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints._keyed import keyed
from chalicelib.entrypoints.academy.buyers import buyer_of, whence_of
from chalicelib.entrypoints.academy.inputs import Country, Ident, Ref
from chalicelib.entrypoints.academy.paying import REFUSALS_OF_PAYMENT, WaitingOut, answer_of, paid_answer
from chalicelib.entrypoints.academy.schemas import InvoiceOut, invoice_out
from chalicelib.flows.checkout.buy_consumables import (
    BothSets,
    BuyUnits,
    ServiceSetNotOffered,
    ServiceSetRequired,
    SubscriptionRequired,
    buy_units,
)
from chalicelib.flows.checkout.pay import Replayed
from chalicelib.flows.fulfillment.settle import Outcome
from chalicelib.flows.recurring.change import ChangedMeanwhile
from chalicelib.flows.recurring.proposal import SubscriptionCannotBeChanged
from chalicelib.flows.recurring.proration import TooManyChanges
from chalicelib.flows.recurring.resizing import PlanWithoutSeats
from chalicelib.flows.teams.find import OnlyOwnerAllowed
from chalicelib.flows.teams.resize import BuySeats, buy_seats
from chalicelib.kernel.errors import DomainError


class UnitsBody(Input):
    slugs: ClassVar[Mapping[str, str]] = {
        "how_many": "how-many-is-not-valid",
        "is_team_allowed": "is_team_allowed-must-be-a-boolean",
    }
    missing_slugs: ClassVar[Mapping[str, str]] = {
        "service": "service-is-required",
        "how_many": "how-many-is-required",
    }

    service: Ref
    how_many: int = Field(ge=1, le=1_000_000_000)
    academy: Ref | None = None
    academy_id: Ref | None = None
    country_code: Country | None = None
    is_team_allowed: bool = True
    mentorship_service_set: Ident | None = None
    event_type_set: Ident | None = None
    cohort_set: Ident | None = None
    subscription: Ident | None = None


class ChargeBagOut(Output):
    """The bag of a direct purchase: it was never checked, so it has no token."""

    id: int
    type: str
    status: str
    was_delivered: bool


class UnitsInvoiceOut(InvoiceOut):
    bag: ChargeBagOut


class AcademyIsRequired(DomainError):
    slug = "academy-is-required"
    detail = "Say at which academy."


REFUSALS_OF_SEATS: tuple[type[DomainError], ...] = (
    SubscriptionRequired,
    SubscriptionNotFound,
    OnlyOwnerAllowed,
    PlanWithoutSeats,
    SubscriptionCannotBeChanged,
    ChangedMeanwhile,
    TooManyChanges,
)


@route(
    "POST",
    "/v1/payments/consumable/checkout",
    access=Access.PERSON,
    keyed=True,
    answers={201: UnitsInvoiceOut, 202: WaitingOut},
    errors=(
        *REFUSALS_OF_PAYMENT,
        *REFUSALS_OF_SEATS,
        AcademyIsRequired,
        AcademyNotFound,
        ServiceNotFound,
        PriceNotFound,
        ServiceSetRequired,
        ServiceSetNotOffered,
        BothSets,
        TooFewItems,
        TooManyItems,
        AmountTooHigh,
    ),
)
def buy(call: Call, body: UnitsBody) -> Answer:
    """Buy units of a service with the saved card, or seats for a subscription.

    So many seats more for a `subscription`, whose `service` is one of seats: for the rest of its period, at the price
    that was agreed.
    """
    if body.subscription is not None:
        return answer_of(_seats_bought(call, body, body.subscription), 201, units_out)
    academy_id = academy_id_of(call, body)
    if academy_id is None:
        raise AcademyIsRequired
    command = BuyUnits(
        service=body.service,
        how_many=body.how_many,
        academy_id=academy_id,
        country=body.country_code,
        sets=_sets(body),
        whence=whence_of(call),
    )
    return answer_of(_bought(call, command), 201, units_out)


def units_out(invoice: Invoice) -> UnitsInvoiceOut:
    bag = ChargeBagOut(id=invoice.bag_id, type=BagKind.CHARGE, status="PAID", was_delivered=True)
    return UnitsInvoiceOut(**asdict(invoice_out(invoice)), bag=bag)


def _bought(call: Call, command: BuyUnits) -> Outcome | Replayed:
    key = keyed(call, "units", lambda result: paid_answer(result, 201, units_out))
    try:
        return buy_units(call.runtime.context(call.now), buyer_of(call.person), command, key)
    except PriceNotFound:
        read_academy(call.runtime.table, command.academy_id)  # an unknown academy is said to be that
        raise


def _seats_bought(call: Call, body: UnitsBody, subscription_id: int) -> Outcome | Replayed:
    key = keyed(call, "units", lambda result: paid_answer(result, 201, units_out))
    command = BuySeats(
        service=body.service, subscription_id=subscription_id, how_many=body.how_many, whence=whence_of(call)
    )
    return buy_seats(call.runtime.context(call.now), buyer_of(call.person), command, key)


def _sets(body: UnitsBody) -> tuple[tuple[SetKind, int], ...]:
    given = (
        (SetKind.MENTORSHIP_SERVICE, body.mentorship_service_set),
        (SetKind.EVENT_TYPE, body.event_type_set),
        (SetKind.COHORT, body.cohort_set),
    )
    return tuple((kind, ident) for kind, ident in given if ident is not None)
