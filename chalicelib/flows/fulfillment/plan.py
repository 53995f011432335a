"""What fulfilling an invoice puts in the table. Pure: from the invoice, its delivery and the instant it was paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.billing.model import Invoice
from chalicelib.books.ledger.model import Grant, Holder, Origin, SetRef, Source, Unit
from chalicelib.books.subscriptions.course import Refill
from chalicelib.books.subscriptions.cycle import financing_access_end, first_period_end, units_expire_at
from chalicelib.books.subscriptions.model import Financing, Holding, Status, Subscription, TermItem, Terms
from chalicelib.flows.fulfillment.delivery import Access, Delivery, PlanDelivery, UnitsDelivery
from chalicelib.kernel.errors import Defect
from chalicelib.kernel.periods import Span, after, boundary
from chalicelib.kernel.periods import Unit as TimeUnit


@dataclass(frozen=True, slots=True)
class Granting:
    """Grants of one unit to one holder: they share a balance page, so they are one write."""

    holder: Holder
    unit: Unit
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Fulfillment:
    """What begins with a paid invoice."""

    subscription: Subscription | None
    financing: Financing | None
    grantings: tuple[Granting, ...]
    pools: tuple[Holder, ...]


def fulfillment(invoice: Invoice, delivery: Delivery, paid_at: datetime) -> Fulfillment:
    """A subscription, a financing or units. Instants are whole seconds, as Stripe's are and lots keep them."""
    begins = paid_at.replace(microsecond=0)
    if delivery.units is not None:
        return Fulfillment(None, None, (_units(invoice, delivery.units, begins),), ())
    if delivery.renewal is not None or delivery.change is not None:
        return Fulfillment(None, None, (), ())  # its units come as refills do
    if delivery.plan is None:
        raise Defect(f"invoice {invoice.id} delivers nothing")
    if delivery.plan.access is Access.FINANCING:
        return _financing(invoice, delivery.plan, begins)
    return _subscription(invoice, delivery.plan, begins)


def _subscription(invoice: Invoice, plan: PlanDelivery, begins: datetime) -> Fulfillment:
    trial = plan.access is Access.TRIAL
    terms = plan.terms
    paid_until = after(begins, plan.trial) if trial else first_period_end(terms, begins)
    subscription = Subscription(
        id=invoice.id,
        user_id=invoice.buyer.user_id,
        status=Status.FREE_TRIAL if trial else Status.ACTIVE,
        terms=terms,
        origin=paid_until if trial else begins,
        periods_paid=0 if trial else 1,
        paid_at=begins,
        paid_until=paid_until,
        next_payment_at=paid_until,
        trial_ends_at=paid_until if trial else None,
        invoice_ids=(invoice.id,),
        created_at=begins,
        payments=0 if trial else 1,
        lots_until=paid_until,
    )
    grantings = _plan_units(invoice, terms, begins, access_until=paid_until, financed=False)
    return Fulfillment(subscription, None, grantings, _pools(invoice, terms))


def _financing(invoice: Invoice, plan: PlanDelivery, begins: datetime) -> Fulfillment:
    count = plan.instalments
    ends = financing_access_end(begins, life=plan.life, instalments=count)
    financing = Financing(
        id=invoice.id,
        user_id=invoice.buyer.user_id,
        status=Status.FULLY_PAID if count == 1 else Status.ACTIVE,
        terms=plan.terms,
        origin=begins,
        how_many_installments=count,
        installments_paid=1,
        monthly_amount=invoice.amount,
        paid_at=begins,
        next_payment_at=None if count == 1 else boundary(begins, Span(1, TimeUnit.MONTH), 1),
        plan_expires_at=ends,
        invoice_ids=(invoice.id,),
        created_at=begins,
        lots_until=ends,
    )
    grantings = _plan_units(invoice, plan.terms, begins, access_until=ends, financed=True)
    return Fulfillment(None, financing, grantings, _pools(invoice, plan.terms))


def _plan_units(
    invoice: Invoice, terms: Terms, begins: datetime, *, access_until: datetime, financed: bool
) -> tuple[Granting, ...]:
    found: dict[tuple[Holder, str], tuple[Unit, list[Grant]]] = {}
    for item in terms.items:
        holder = Holder.team(invoice.id) if item.pooled else Holder.person(invoice.buyer.user_id)
        unit = unit_of(item, terms.academy_id)
        grant = Grant(
            lot_id=f"{invoice.id}_{item.link_id}_{terms.since}",
            unit=unit,
            how_many=item.how_many,
            expires_at=units_expire_at(item, begins, access_until),
            origin=Origin(
                source=Source.PLAN,
                invoice_id=invoice.id,
                subscription_id=None if financed else invoice.id,
                financing_id=invoice.id if financed else None,
                team_id=invoice.id if item.pooled else None,
            ),
        )
        found.setdefault((holder, unit.name), (unit, []))[1].append(grant)
    return tuple(Granting(holder, unit, tuple(grants)) for (holder, _), (unit, grants) in found.items())


def _units(invoice: Invoice, units: UnitsDelivery, begins: datetime) -> Granting:
    team_id = None if units.pool is None else units.pool.team_id
    holder = Holder.person(invoice.buyer.user_id) if team_id is None else Holder.team(team_id)
    grant = Grant(
        lot_id=f"{invoice.id}_units_0",
        unit=units.unit,
        how_many=units.how_many,
        expires_at=None if units.live is None else after(begins, units.live),
        origin=Origin(source=Source.PURCHASE, invoice_id=invoice.id, team_id=team_id),
    )
    return Granting(holder, units.unit, (grant,))


def refill_grantings(holding: Holding, refills: Sequence[Refill], invoice_id: int) -> tuple[Granting, ...]:
    """Units that come again, to the person or the team's pool; `invoice_id` paid for the period that they come in."""
    financed = isinstance(holding, Financing)
    found: dict[tuple[Holder, str], tuple[Unit, list[Grant]]] = {}
    for refill in refills:
        item = refill.item
        holder = Holder.team(holding.id) if item.pooled else Holder.person(holding.user_id)
        unit = unit_of(item, holding.terms.academy_id)
        grant = Grant(
            lot_id=f"{holding.id}_{item.link_id}_{int(refill.at.timestamp())}",
            unit=unit,
            how_many=item.how_many,
            expires_at=refill.expires_at,
            origin=Origin(
                source=Source.PLAN,
                invoice_id=invoice_id,
                subscription_id=None if financed else holding.id,
                financing_id=holding.id if financed else None,
                team_id=holding.id if item.pooled else None,
            ),
        )
        found.setdefault((holder, unit.name), (unit, []))[1].append(grant)
    return tuple(Granting(holder, unit, tuple(grants)) for (holder, _), (unit, grants) in found.items())


def _pools(invoice: Invoice, terms: Terms) -> tuple[Holder, ...]:
    return (Holder.team(invoice.id),) if any(item.pooled for item in terms.items) else ()


def unit_of(item: TermItem, academy_id: int) -> Unit:
    """The unit that an item's grants count."""
    return Unit(
        academy_id=academy_id,
        service_id=item.service_id,
        service_slug=item.service_slug,
        service_type=item.service_type,
        session_seconds=item.session_seconds,
        set=None if item.set is None else SetRef(kind=item.set.kind, id=item.set.id, slug=item.set.slug),
    )
