"""Grant: staff give a person units of a service at their academy, for ever or until an instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog import store as catalog_store
from chalicelib.books.catalog.model import SET_KIND_OF, ResourceSet, Service, ServicePrice, ServiceType
from chalicelib.books.catalog.queries import ServiceNotFound
from chalicelib.books.idempotency.model import Keyed, RequestInFlight, StoredAnswer
from chalicelib.books.identity import queries as identity
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.burn import collected
from chalicelib.books.ledger.model import Grant, Holder, Origin, Source, Unit
from chalicelib.books.ledger.queries import place
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import backoff, commit
from chalicelib.flows.catalog.edit import Staff
from chalicelib.flows.checkout.buy_consumables import ServiceSetNotOffered, only_set, unit_sold
from chalicelib.flows.context import Context
from chalicelib.flows.people.adjustment import TRIES_MAX, Adjustment, cause_of, kept_answer, recorded
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.ids import new_id

KIND = "units-granted"
LIVE_MAX = timedelta(days=36_525)


class SeatsNotGranted(DomainError):
    slug = "seats-are-not-granted"
    detail = "{service} is a seat: it belongs to a subscription and is not owned by itself."


class InvalidExpiry(DomainError):
    slug = "invalid-expires-at"
    detail = "expires_at is an instant to come, with its offset, within a hundred years."


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantUnits:
    """So many units (-1: unlimited) of a service (id or slug). `set_id`: the set that they are for."""

    service: int | str
    how_many: int
    reason: str
    expires_at: datetime | None = None
    set_id: int | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """`collected` of the units paid at once what the person owed of this service (the policy of what was spent)."""

    adjustment: Adjustment
    collected: int


def grant(
    context: Context, staff: Staff, user_id: int, command: GrantUnits, keyed: Keyed | None
) -> Granted | StoredAnswer:
    """Put the lot and its entry, the audit, the timeline and the key's answer, in one transaction.

    Raises UserNotFound, ServiceNotFound, SeatsNotGranted, InvalidExpiry, ServiceSetRequired, ServiceSetNotOffered,
    KeyReused, RequestInFlight.
    """
    holder = Holder.person(user_id)
    for attempt in range(TRIES_MAX):
        kept = kept_answer(context, keyed)
        if kept is not None:
            return kept
        made, granted = _made(context, staff, user_id, command)
        where = place(context.table, holder, granted.unit, lots=1)
        result = Granted(made, sum(collected([granted], where.owing).values()))
        writes = [
            *recorded(context, staff, made, keyed=keyed, result=result),
            *ledger.grant_writes(
                holder,
                granted.unit,
                [granted],
                page=where.page,
                now=context.now.replace(microsecond=0),
                cause=cause_of(made.id),
                owing=where.owing,
            ),
        ]
        try:
            commit(context.table, writes)
        except (ledger.PageFull, ledger.OwesUnits, RequestInFlight):
            backoff.wait(attempt)
            continue
        return result
    raise RequestInFlight


def service_seen(context: Context, academy_id: int, ref: int | str) -> tuple[Service, ServicePrice | None]:
    """A service that an academy may give: its own, everyone's, a public one, or one that it sells; and its price there.

    Raises ServiceNotFound, for the private ones of others too.
    """
    ident = catalog.service_id(context.table, ref)
    service_key, price_key = catalog_store.service_key(ident), catalog_store.price_key(academy_id, ident)
    rows = context.table.get_many([service_key, price_key])
    if service_key not in rows:
        raise ServiceNotFound(service=ref)
    service = load(Service, rows[service_key])
    price = load(ServicePrice, rows[price_key]) if price_key in rows else None
    if service.private and service.owner_id not in (None, academy_id) and price is None:
        raise ServiceNotFound(service=ref)
    return service, price


def _made(context: Context, staff: Staff, user_id: int, command: GrantUnits) -> tuple[Adjustment, Grant]:
    identity.user(context.table, user_id)
    service, price = service_seen(context, staff.academy_id, command.service)
    if service.type is ServiceType.SEAT:
        raise SeatsNotGranted(service=service.slug)
    unit = unit_sold(service, _set(context, staff.academy_id, command, service, price), staff.academy_id)
    ident = new_id(context.now, context.random_bits)
    lot_id = f"{ident}_staff_0"
    expires_at = _expiry(command.expires_at, context.now)
    made = Adjustment(
        id=ident,
        user_id=user_id,
        kind=KIND,
        service_id=service.id,
        service_slug=service.slug,
        set=unit.set,
        how_many=command.how_many,
        reason=command.reason,
        expires_at=expires_at,
        lots=((lot_id, command.how_many),),
    )
    return made, _grant(lot_id, unit, made)


def _grant(lot_id: str, unit: Unit, made: Adjustment) -> Grant:
    return Grant(
        lot_id=lot_id,
        unit=unit,
        how_many=made.how_many,
        expires_at=made.expires_at,
        origin=Origin(source=Source.STAFF),
    )


def _set(
    context: Context, academy_id: int, command: GrantUnits, service: Service, price: ServicePrice | None
) -> ResourceSet | None:
    """The set given, any of the academy's of the service's kind; else the only one that it is sold for (D19)."""
    kind = SET_KIND_OF.get(service.type)
    if command.set_id is None:
        offered = price.set_ids.get(kind, ()) if price is not None and kind is not None else ()
        return only_set(context, academy_id, kind, offered)
    found = () if kind is None else catalog.sets(context.table, academy_id, kind, [command.set_id])
    if not found:
        raise ServiceSetNotOffered(wanted=command.set_id)
    return found[0]


def _expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    """In whole seconds, as lots keep it."""
    if expires_at is None:
        return None
    if not now + timedelta(seconds=1) <= expires_at <= now + LIVE_MAX:
        raise InvalidExpiry
    return expires_at.astimezone(UTC).replace(microsecond=0)
