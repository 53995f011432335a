"""Revoke: staff take units that a person has at their academy and has not spent: all that are asked for, or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.idempotency.model import Keyed, RequestInFlight, StoredAnswer
from chalicelib.books.identity import queries as identity
from chalicelib.books.ledger import queries as ledger_queries
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.burn import InsufficientCredits, Take, by_page, choose
from chalicelib.books.ledger.entries import portion_of
from chalicelib.books.ledger.model import Balance, Entry, EntryKind, Holder, Source
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.catalog.edit import Staff
from chalicelib.flows.context import Context
from chalicelib.flows.people.adjustment import TRIES_MAX, Adjustment, cause_of, kept_answer, recorded
from chalicelib.flows.people.grant import service_seen
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import new_id

KIND = "units-revoked"
UNLIMITED = -1
LOTS_MAX = 25


class InsufficientUnits(DomainError):
    kind = Kind.CONFLICT
    slug = "insufficient-units"
    detail = "Of {service} {available} can be taken, {wanted} were asked for (-1: unlimited): nothing was taken."


class TooManyLots(DomainError):
    slug = "too-many-lots"
    detail = "So many units are in {lots} lots, and {limit} can be taken from at once: take fewer units at a time."


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeUnits:
    """So many units of a service (id or slug); -1: the unlimited ones that staff granted."""

    service: int | str
    how_many: int
    reason: str


def revoke(
    context: Context, staff: Staff, user_id: int, command: RevokeUnits, keyed: Keyed | None
) -> Adjustment | StoredAnswer:
    """Take the units in the order in which they would be spent, in one transaction with its entries, the audit, the
    timeline and the key's answer. Of what a payment granted its invoice remembers it, so that a refund does not count
    as spent what staff took.

    Raises UserNotFound, ServiceNotFound, InsufficientUnits, TooManyLots, KeyReused, RequestInFlight.
    """
    for attempt in range(TRIES_MAX):
        kept = kept_answer(context, keyed)
        if kept is not None:
            return kept
        identity.user(context.table, user_id)
        takes = _takes(context, staff, user_id, command)
        made = _adjustment(context, user_id, command, takes)
        writes = [
            *recorded(context, staff, made, keyed=keyed, result=made),
            *_taking(context, made, takes),
            *_remembered(context, user_id, takes),
        ]
        try:
            commit(context.table, writes)
        except (ledger.Moved, billing.InvoiceMoved, RequestInFlight):
            backoff.wait(attempt)
            continue
        return made
    raise RequestInFlight


def _takes(context: Context, staff: Staff, user_id: int, command: RevokeUnits) -> list[Take]:
    """Out of what is the person's own: what a team pools is not one person's to lose."""
    balances = [
        balance
        for balance in ledger_queries.own_balances(context.table, Holder.person(user_id))
        if balance.unit.academy_id == staff.academy_id
        and command.service in (balance.unit.service_id, balance.unit.service_slug)
    ]
    if not balances:
        service_seen(context, staff.academy_id, command.service)
    service, wanted = command.service, command.how_many
    takes = _unlimited(context, balances) if wanted == UNLIMITED else _countable(context, balances, wanted)
    if isinstance(takes, int):
        raise InsufficientUnits(service=service, wanted=wanted, available=takes)
    if len(takes) > LOTS_MAX:
        raise TooManyLots(lots=len(takes), limit=LOTS_MAX)
    return takes


def _unlimited(context: Context, balances: Sequence[Balance]) -> list[Take] | int:
    """Those of plans and purchases end with what they belong to. 0: there are none."""
    takes = [
        Take(balance, lot, UNLIMITED)
        for balance in balances
        for lot in balance.lots
        if lot.remaining < 0 and lot.usable(context.now) and lot.origin.source is Source.STAFF
    ]
    return takes or 0


def _countable(context: Context, balances: Sequence[Balance], units: int) -> list[Take] | int:
    """The lots that give so many, or how many they have where those are too few."""
    counted = [
        balance.model_copy(update={"lots": tuple(lot for lot in balance.lots if lot.remaining >= 0)})
        for balance in balances
    ]
    try:
        return choose(counted, units=units, service="", now=context.now)
    except InsufficientCredits as error:
        return int(str(error.ids["available"]))


def _adjustment(context: Context, user_id: int, command: RevokeUnits, takes: Sequence[Take]) -> Adjustment:
    unit = takes[0].balance.unit
    return Adjustment(
        id=new_id(context.now, context.random_bits),
        user_id=user_id,
        kind=KIND,
        service_id=unit.service_id,
        service_slug=unit.service_slug,
        how_many=command.how_many,
        reason=command.reason,
        lots=tuple((take.lot.id, take.units) for take in takes),
    )


def _taking(context: Context, made: Adjustment, takes: Sequence[Take]) -> list[Write]:
    writes: list[Write] = []
    for number, (balance, of_page) in enumerate(by_page(takes)):
        portions = tuple(portion_of(take) for take in of_page)
        entry = Entry(
            id=f"{made.id}_{number}#revoke",
            kind=EntryKind.REVOKE,
            unit=balance.unit,
            units=-sum(portion.units for portion in portions),
            portions=portions,
            cause=cause_of(made.id),
            at=context.now,
        )
        writes += ledger.take_writes(balance.holder, balance, of_page, entry=entry, now=context.now)
    return writes


def _remembered(context: Context, user_id: int, takes: Sequence[Take]) -> list[Write]:
    """The invoices that paid for what is taken. One that is not this person's is none of theirs to change."""
    by_invoice: dict[int, Counter[str]] = {}
    for take in takes:
        if take.lot.origin.invoice_id is not None:
            by_invoice.setdefault(take.lot.origin.invoice_id, Counter())[take.lot.id] += take.units
    return [
        billing.changed_invoice(
            stored.invoice.model_copy(
                update={"revoked_units": dict(by_invoice[stored.invoice.id] + Counter(stored.invoice.revoked_units))}
            ),
            version=stored.version,
        )
        for stored in billing_queries.invoices_stored(context.table, user_id, by_invoice)
    ]
