"""Buy units of a service with the saved card, in one call (the documents' consumable checkout)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind
from chalicelib.books.billing.model import Buyer, InvoiceKind, Whence
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog import store as catalog_store
from chalicelib.books.catalog.model import SET_KIND_OF, ResourceSet, Service, ServicePrice, ServiceType, SetKind
from chalicelib.books.catalog.pricing import check_limits, priced, units_price
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed, RequestInFlight
from chalicelib.books.ledger.model import SetRef, Unit
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.writes import backoff
from chalicelib.flows.checkout.begin import Purchase, begin, check_amount, invoice_of
from chalicelib.flows.checkout.charge import charge
from chalicelib.flows.checkout.pay import BEGIN_TRIES_MAX, Replayed, answered_alike, replayed
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import Delivery, UnitsDelivery
from chalicelib.flows.fulfillment.settle import Outcome
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.ids import new_id


class ServiceSetRequired(DomainError):
    slug = "service-set-required"
    detail = "The service is sold for several sets: say which ({offered})."


class SubscriptionRequired(DomainError):
    slug = "subscription-is-required"
    detail = "Seats are bought for a subscription: say for which."


class ServiceSetNotOffered(DomainError):
    slug = "service-set-not-offered"
    detail = "The service is not sold for the set {wanted}."


class BothSets(DomainError):
    slug = "mentorship-service-set-or-event-type-set-is-required"
    detail = "Units are for one set: name one kind of set only."


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyUnits:
    """So many units of a service (id or slug) at an academy. `sets`: the set given for each kind."""

    service: int | str
    how_many: int
    academy_id: int
    country: str | None = None
    sets: tuple[tuple[SetKind, int], ...] = ()
    whence: Whence | None = None


def buy_units(context: Context, buyer: Buyer, command: BuyUnits, keyed: Keyed | None = None) -> Outcome | Replayed:
    """Charge the saved card and deliver the units.

    Raises BadReputation, ServiceNotFound, PriceNotFound, SubscriptionRequired, ServiceSetRequired,
    ServiceSetNotOffered, BothSets, what limits a purchase of units, AmountTooLow, CardRequired, TooManyAttempts,
    KeyReused, RequestInFlight, and what the processor refuses (never a decline: that is an outcome).
    """
    return answered_alike(context, keyed, lambda: _bought(context, buyer, command, keyed))


def _bought(context: Context, buyer: Buyer, command: BuyUnits, keyed: Keyed | None) -> Outcome | Replayed:
    service_id = catalog.service_id(context.table, command.service)
    for attempt in range(BEGIN_TRIES_MAX):
        rows = _read(context, buyer, service_id, command, keyed)
        replay = replayed(context, buyer, rows, keyed)
        if replay is not None:
            return replay
        billing_queries.check_standing(rows.get(billing.reputation_key(buyer.user_id)))
        purchase = _purchase(context, buyer, command, rows, service_id)
        customer = billing_queries.read_customer(
            rows.get(billing.customer_key(buyer.user_id, context.gateway.account)),
            buyer.user_id,
            context.gateway.account,
            context.now,
        ).customer
        invoice = invoice_of(context, purchase, customer)
        try:
            stored = begin(context, invoice, purchase.delivery, rows=rows, keyed=keyed)
        except billing.AttemptsMoved:
            backoff.wait(attempt)
            continue
        return charge(context, stored, keyed=keyed)
    raise RequestInFlight


def _read(context: Context, buyer: Buyer, service_id: int, command: BuyUnits, keyed: Keyed | None) -> dict[Key, Row]:
    keys = [
        catalog_store.service_key(service_id),
        catalog_store.price_key(command.academy_id, service_id),
        billing.customer_key(buyer.user_id, context.gateway.account),
        billing.attempts_key(buyer.user_id, AttemptKind.PAYMENT),
        billing.reputation_key(buyer.user_id),
        *(catalog_store.set_key(command.academy_id, kind, ident) for kind, ident in command.sets),
    ]
    if keyed is not None:
        keys.append(idempotency.key_of(keyed))
    return context.table.get_many(keys)


def _purchase(context: Context, buyer: Buyer, command: BuyUnits, rows: dict[Key, Row], service_id: int) -> Purchase:
    row = rows.get(catalog_store.service_key(service_id))
    if row is not None and load(Service, row).type is ServiceType.SEAT:
        raise SubscriptionRequired
    service, price = catalog.priced_service(rows, service_id, command.academy_id, command.service)
    of_set = _set_of(context, command, rows, service, price)
    draft = units_price(price, how_many=command.how_many, country=command.country)
    quoted = priced([draft.model_copy(update={"description": f"{command.how_many} {service.title}"})])
    check_limits(price, how_many=command.how_many, charged=quoted.total, country=command.country)
    check_amount(quoted.total)
    ident = new_id(context.now, context.random_bits)
    unit = unit_sold(service, of_set, command.academy_id)
    units = UnitsDelivery(
        unit=unit, how_many=command.how_many, live_every=price.units_live or 0, live_unit=price.units_live_unit
    )
    return Purchase(
        id=ident,
        kind=InvoiceKind.UNITS,
        academy_id=command.academy_id,
        buyer=buyer,
        bag_id=ident,
        priced=quoted,
        amount=quoted.amount,
        coupons=(),
        country=command.country,
        plan_slug=None,
        delivery=Delivery(units=units),
        whence=command.whence,
    )


def _set_of(
    context: Context, command: BuyUnits, rows: dict[Key, Row], service: Service, price: ServicePrice
) -> ResourceSet | None:
    """Which set the units are for (D19)."""
    kind = SET_KIND_OF.get(service.type)
    if len(command.sets) > 1:
        raise BothSets
    offered = price.set_ids.get(kind, ()) if kind is not None else ()
    if command.sets:
        wanted_kind, wanted = command.sets[0]
        row = rows.get(catalog_store.set_key(command.academy_id, wanted_kind, wanted))
        if wanted_kind is not kind or wanted not in offered or row is None:
            raise ServiceSetNotOffered(wanted=wanted)
        return load(ResourceSet, row)
    return only_set(context, command.academy_id, kind, offered)


def only_set(context: Context, academy_id: int, kind: SetKind | None, offered: Sequence[int]) -> ResourceSet | None:
    """The one set that a service is sold for, where none was named; None: it stands for itself (D19).

    Raises ServiceSetRequired, ServiceSetNotOffered.
    """
    if not offered:
        return None
    if len(offered) > 1 or kind is None:
        raise ServiceSetRequired(offered=", ".join(str(ident) for ident in offered))
    found = catalog.sets(context.table, academy_id, kind, offered)
    if not found:
        raise ServiceSetNotOffered(wanted=offered[0])
    return found[0]


def unit_sold(service: Service, of_set: ResourceSet | None, academy_id: int) -> Unit:
    """What an account counts that has units of this service, for this set or for itself."""
    return Unit(
        academy_id=academy_id,
        service_id=service.id,
        service_slug=service.slug,
        service_type=service.type,
        session_seconds=service.session_seconds,
        set=None if of_set is None else SetRef(kind=of_set.kind, id=of_set.id, slug=of_set.slug),
    )
