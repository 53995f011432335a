"""Changing the plan or the period of a subscription, over HTTP (D73, D82)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from pydantic import field_validator

from chalicelib.books.billing.store import PurchaseInFlight
from chalicelib.books.catalog.model import Period
from chalicelib.books.catalog.pricing import AmountTooHigh, MultipleCurrenciesFound, TooFewItems, TooManyItems
from chalicelib.books.catalog.queries import PlanNotFound
from chalicelib.books.subscriptions.queries import SubscriptionNotFound
from chalicelib.books.subscriptions.store import PlanAlreadyBought, PlanAlreadyFinanced, TrialAlreadyTaken
from chalicelib.books.waiting.model import PlanAtCapacity
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, Query, route
from chalicelib.entrypoints.academy.account_schemas import SubscriptionOut, subscription_out
from chalicelib.entrypoints.academy.buyers import buyer_of, whence_of
from chalicelib.entrypoints.academy.inputs import Ref
from chalicelib.entrypoints.academy.paying import REFUSALS_OF_PAYMENT, WaitingOut, paid_answer
from chalicelib.entrypoints.academy.queries import ref_of
from chalicelib.entrypoints.academy.schemas import CurrencyOut, currency_out, invoice_out, major
from chalicelib.flows.checkout.check import PlanNotSupportTeams
from chalicelib.flows.checkout.quote import PlanNotReady
from chalicelib.flows.fulfillment.settle import Refused, Waiting
from chalicelib.flows.recurring.change import ChangedMeanwhile, change, preview
from chalicelib.flows.recurring.proposal import (
    FinancingCannotBeChanged,
    PeriodNotOffered,
    PlanNotRenewable,
    Proposal,
    SubscriptionCannotBeChanged,
    Wish,
)
from chalicelib.flows.recurring.proration import TooManyChanges
from chalicelib.flows.recurring.resizing import SeatsInUse
from chalicelib.kernel.errors import DomainError

CHANGE = "/v1/payments/me/subscription/{subscription_id}/change"
REFUSALS: tuple[type[DomainError], ...] = (
    SubscriptionNotFound,
    FinancingCannotBeChanged,
    SubscriptionCannotBeChanged,
    PlanNotFound,
    PlanNotRenewable,
    PeriodNotOffered,
    PlanNotReady,
    PlanNotSupportTeams,
    MultipleCurrenciesFound,
    TooFewItems,
    TooManyItems,
    AmountTooHigh,
    PlanAlreadyBought,
    PlanAlreadyFinanced,
    PurchaseInFlight,
    SeatsInUse,
    TooManyChanges,
)


class ChangeBody(Input):
    """Another plan, or the same one by another period; without a period, by the one that it is paid by."""

    slugs: ClassVar[Mapping[str, str]] = {"chosen_period": "invalid-chosen-period"}

    plan: Ref
    chosen_period: Period | None = None

    @field_validator("chosen_period", mode="before")
    @classmethod
    def _period(cls, value: Any) -> Any:
        return Period.__members__.get(value.upper(), value) if isinstance(value, str) else value


class ChangeQuery(Query):
    plan: Annotated[str, Meta(min_length=1, max_length=60)]
    chosen_period: Period | None = None


class ChangeLineOut(Output):
    description: str
    amount: float


class PreviewOut(Output):
    """What is charged at `applies_at`, line by line: now for an upgrade, else with the next payment."""

    lines: list[ChangeLineOut]
    amount: float
    currency: CurrencyOut
    applies_at: Instant


@route("GET", f"{CHANGE}/preview", access=Access.PERSON, answers={200: PreviewOut}, errors=REFUSALS)
def preview_change(call: Call, subscription_id: int, query: ChangeQuery) -> Answer:
    """What a change would cost at this instant. It is reckoned anew when it is made."""
    wish = Wish(subscription_id=subscription_id, plan=ref_of(query.plan), period=query.chosen_period)
    return Answer(200, preview_out(preview(call.runtime.context(call.now), call.person.user_id, wish)))


@route(
    "PUT",
    CHANGE,
    access=Access.PERSON,
    answers={200: SubscriptionOut, 202: WaitingOut},
    errors=(*REFUSALS, *REFUSALS_OF_PAYMENT, ChangedMeanwhile, PlanAtCapacity, TrialAlreadyTaken),
)
def change_plan(call: Call, subscription_id: int, body: ChangeBody) -> Answer:
    """Change the plan or the period: an upgrade now, anything else at the end of what is paid."""
    wish = Wish(subscription_id=subscription_id, plan=body.plan, period=body.chosen_period)
    outcome = change(call.runtime.context(call.now), buyer_of(call.person), wish, whence_of(call))
    if isinstance(outcome, Refused):
        raise outcome.error
    if isinstance(outcome, Waiting):
        return paid_answer(outcome, 200, invoice_out)
    return Answer(200, subscription_out(outcome.subscription))


def preview_out(found: Proposal) -> PreviewOut:
    code, reckoned = found.terms.currency, found.reckoned
    return PreviewOut(
        lines=[ChangeLineOut(description=line.description, amount=major(line.amount, code)) for line in reckoned.lines],
        amount=major(reckoned.amount, code),
        currency=currency_out(code),
        applies_at=found.applies_at,
    )
