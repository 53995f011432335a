"""What an invitation may promise, and what a promised plan is when it is given: free, for as long as it lasts. Pure.

Terms are frozen when the invitation is accepted, not when it is made: that is when the person gets the plan, so they
get it as whoever buys on that day does, and no stale half year lies between. What was promised stands whatever the
status of the plan is by then; staff who do not want that take the invitation back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from decimal import Decimal

from chalicelib.books.catalog.model import Cohort, Offer, Period, SetKind
from chalicelib.books.catalog.plans import FOR_SALE
from chalicelib.books.catalog.pricing import DraftLine, UnitPrice, priced
from chalicelib.flows.checkout.quote import GRANTS_MAX, Content, Way, terms_of
from chalicelib.flows.fulfillment.delivery import Access, Delivery, PlanDelivery
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.periods import Unit
from chalicelib.kernel.quotes import Step


class CohortNotFound(DomainError):
    slug = "cohort-not-found"
    detail = "Entry {entry}: the academy has no cohort {cohort}."


class PlanNotFound(DomainError):
    slug = "plan-not-found"
    detail = "Entry {entry}: the academy has no plan {plan}."


class PlanNotAvailable(DomainError):
    slug = "plan-not-available"
    detail = "Entry {entry}: the plan {plan} is {status}; one that is ACTIVE or UNLISTED can be given."


class PlanTooLarge(DomainError):
    slug = "plan-too-large"
    detail = (
        f"Entry {{entry}}: the plan {{plan}} has more than {GRANTS_MAX} service items, which no invitation can give."
    )


class PlanOutgrown(DomainError):
    """Staff have put more into the plan since they promised it than one transaction can give."""

    kind = Kind.CONFLICT
    slug = "plan-outgrown"
    detail = "The plan {plan} has become too large to be given. Please tell the academy."


class NamedTwice(DomainError):
    slug = "named-twice"
    detail = "Entry {entry}: it names {what} twice."


class MainCurrencyRequired(DomainError):
    slug = "academy-main-currency-required"
    detail = "Entry {entry}: the academy has no main currency, which the invoices of plans need."


class CohortNotSaas(DomainError):
    slug = "cohort-not-available-as-saas"
    detail = "Entry {entry}: the cohort {cohort} is not available as SaaS, so no plan can be given with it."


class PlanCohortMismatch(DomainError):
    slug = "plan-cohort-mismatch"
    detail = "Entry {entry}: none of the cohorts is in the cohort set of the plan {plan}."


def check_named(entry: int, cohort_ids: Sequence[int], plan_ids: Sequence[int]) -> None:
    """Raises NamedTwice."""
    for kind, ids in (("cohort", cohort_ids), ("plan", plan_ids)):
        for ident, times in Counter(ids).items():
            if times > 1:
                raise NamedTwice(entry=entry, what=f"the {kind} {ident}")


def check_cohorts(entry: int, wanted: Sequence[int], found: Collection[Cohort]) -> None:
    """Raises CohortNotFound."""
    known = {cohort.id for cohort in found}
    for cohort_id in wanted:
        if cohort_id not in known:
            raise CohortNotFound(entry=entry, cohort=cohort_id)


def check_plans(
    entry: int, wanted: Sequence[int], offers: Sequence[Offer], cohorts: Collection[Cohort], *, currency: str | None
) -> None:
    """Whether these plans can be promised to somebody in these cohorts.

    Raises PlanNotFound, PlanNotAvailable, MainCurrencyRequired, CohortNotSaas, PlanCohortMismatch, PlanTooLarge.
    """
    by_id = {offer.plan.id: offer for offer in offers}
    for plan_id in wanted:
        if plan_id not in by_id:
            raise PlanNotFound(entry=entry, plan=plan_id)
    if wanted and currency is None:
        raise MainCurrencyRequired(entry=entry)
    for cohort in cohorts if wanted else ():
        if not cohort.available_as_saas:
            raise CohortNotSaas(entry=entry, cohort=cohort.id)
    for offer in offers:
        _check_plan(entry, offer, {cohort.id for cohort in cohorts})


def gift(offer: Offer, *, currency: str) -> Content:
    """A plan as it is given: without a price, so that it is renewed without one too, without a trial and coupons.

    What renews is given by its shortest period; what does not, in one payment of nothing. Raises PlanOutgrown.
    """
    plan = offer.plan
    if len(offer.items) > GRANTS_MAX:
        raise PlanOutgrown(plan=plan.slug)
    nothing = UnitPrice(
        amount=Decimal(0), currency=currency, steps=(Step(rule="invitation", input=plan.slug, result=f"0 {currency}"),)
    )
    lines = priced((DraftLine(id="plan", description=f"{plan.title or plan.slug}, by invitation", price=nothing),))
    shortest = next((period for period in Period if period in plan.prices), Period.MONTH)
    if plan.is_renewable:
        way = Way(period=shortest, priced=lines, renewal_amount=0)
    else:
        way = Way(instalments=1, priced=lines)
    return Content(
        offer=offer,
        country=None,
        currency=currency,
        seats=plan.seats_included,
        extra_seats=0,
        ways=(way,),
        free=True,
        life=None if plan.life is None else (plan.life.every, plan.life.unit),
    )


def delivery_of(content: Content) -> Delivery:
    """What such a gift delivers: a subscription of what renews, a financing of what does not (D32)."""
    (way,) = content.ways
    every, unit = content.life or (0, Unit.MONTH)
    return Delivery(
        plan=PlanDelivery(
            access=Access.SUBSCRIPTION if content.offer.plan.is_renewable else Access.FINANCING,
            terms=terms_of(content, way),
            life_every=every,
            life_unit=unit,
        )
    )


def _check_plan(entry: int, offer: Offer, cohort_ids: Collection[int]) -> None:
    plan = offer.plan
    if plan.status not in FOR_SALE:
        raise PlanNotAvailable(entry=entry, plan=plan.slug, status=plan.status)
    if len(offer.items) > GRANTS_MAX:
        raise PlanTooLarge(entry=entry, plan=plan.slug)
    if plan.cohort_set_id is None:
        return
    of_set = {ident for found in offer.sets if found.kind is SetKind.COHORT for ident in found.member_ids}
    if of_set.isdisjoint(cohort_ids):
        raise PlanCohortMismatch(entry=entry, plan=plan.slug)
