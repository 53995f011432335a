"""Changing the plan or the period of a subscription, over HTTP (D73, D82); of a financing neither can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import Meta

from chalicelib.books.billing.store import PurchaseInFlight
from chalicelib.books.catalog.model import Period
from chalicelib.books.catalog.pricing import AmountTooHigh, MultipleCurrenciesFound, TooFewItems, TooManyItems
from chalicelib.books.catalog.queries import PlanNotFound
from chalicelib.books.subscriptions.queries import FinancingNotFound, SubscriptionNotFound
from chalicelib.books.subscriptions.store import (
    PlanAlreadyBought,
    PlanAlreadyFinanced,
    TrialAlreadyTaken,
    financing_key,
)
from chalicelib.books.waiting.model import PlanAtCapacity
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, Query, refusal_of, route
from chalicelib.entrypoints._keyed import keyed_late
from chalicelib.entrypoints.academy.account_schemas import SubscriptionOut, subscription_out
from chalicelib.entrypoints.academy.buyers import buyer_of, whence_of
from chalicelib.entrypoints.academy.holdings import FINANCING, SUBSCRIPTION
from chalicelib.entrypoints.academy.inputs import ChosenPeriod, Ref, period_named
from chalicelib.entrypoints.academy.paying import REFUSALS_OF_PAYMENT, WaitingOut, changed_answer
from chalicelib.entrypoints.academy.queries import ref_of
from chalicelib.entrypoints.academy.schemas import CurrencyOut, currency_out, major
from chalicelib.flows.checkout.check import PlanNotSupportTeams
from chalicelib.flows.checkout.quote import PlanNotReady
from chalicelib.flows.recurring.change import ChangedMeanwhile, change, change_financing, preview
from chalicelib.flows.recurring.once import once
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
from chalicelib.kernel.errors import DomainError, FieldProblem
from chalicelib.kernel.fields import NO_MEMBER

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
    chosen_period: ChosenPeriod | None = None


class ChangeQuery(Query):
    """`chosen_period`: one of these names, in any case of its letters."""

    plan: Annotated[str, Meta(min_length=1, max_length=60)]
    chosen_period: Annotated[str, Meta(extra_json_schema={"enum": [*Period]})] | None = None


class ChangeLineOut(Output):
    description: str
    amount: float


class PreviewOut(Output):
    """What is charged at `applies_at`, line by line: now for an upgrade, else with the next payment."""

    lines: list[ChangeLineOut]
    amount: float
    currency: CurrencyOut
    applies_at: Instant


@route("GET", f"{SUBSCRIPTION}/change/preview", access=Access.PERSON, answers={200: PreviewOut}, errors=REFUSALS)
def preview_change(call: Call, subscription_id: int, query: ChangeQuery) -> Answer:
    """What a change would cost at this instant. It is reckoned anew when it is made."""
    wish = Wish(subscription_id=subscription_id, plan=ref_of(query.plan), period=_period(query))
    return Answer(200, preview_out(preview(call.runtime.context(call.now), call.person.user_id, wish)))


@route(
    "PUT",
    f"{SUBSCRIPTION}/change",
    access=Access.PERSON,
    keyed=True,
    answers={200: SubscriptionOut, 202: WaitingOut},
    errors=(*REFUSALS, *REFUSALS_OF_PAYMENT, ChangedMeanwhile, PlanAtCapacity, TrialAlreadyTaken),
)
def change_plan(call: Call, subscription_id: int, body: ChangeBody) -> Answer:
    """Change the plan or the period: an upgrade now, anything else at the end of what is paid."""
    wish = Wish(subscription_id=subscription_id, plan=body.plan, period=body.chosen_period)
    context, buyer = call.runtime.context(call.now), buyer_of(call.person)
    key, whence = keyed_late(call, f"change-{subscription_id}"), whence_of(call)
    outcome = once(context, buyer, subscription_id, key, lambda: change(context, buyer, wish, whence, key))
    return changed_answer(context, key, outcome, lambda done: Answer(200, subscription_out(done.subscription)))


@route(
    "GET",
    f"{FINANCING}/change/preview",
    access=Access.PERSON,
    answers={},
    errors=(FinancingNotFound, FinancingCannotBeChanged),
)
def preview_change_of_financing(call: Call, query: ChangeQuery, financing_id: int) -> Answer:
    """Refused: all instalments of a plan are agreed on."""
    _period(query)
    change_financing(call.runtime.context(call.now), financing_key(call.person.user_id, financing_id))


@route(
    "PUT",
    f"{FINANCING}/change",
    access=Access.PERSON,
    answers={},
    errors=(FinancingNotFound, FinancingCannotBeChanged),
)
def change_plan_of_financing(call: Call, body: ChangeBody, financing_id: int) -> Answer:
    """Refused: all instalments of a plan are agreed on."""
    change_financing(call.runtime.context(call.now), financing_key(call.person.user_id, financing_id))


def _period(query: ChangeQuery) -> Period | None:
    named = period_named(query.chosen_period)
    if isinstance(named, Period | None):
        return named
    raise refusal_of([FieldProblem("chosen_period", NO_MEMBER)])


def preview_out(found: Proposal) -> PreviewOut:
    code, reckoned = found.terms.currency, found.reckoned
    return PreviewOut(
        lines=[ChangeLineOut(description=line.description, amount=major(line.amount, code)) for line in reckoned.lines],
        amount=major(reckoned.amount, code),
        currency=currency_out(code),
        applies_at=found.applies_at,
    )
