"""Which lots are used first: unlimited ones, then the soonest to expire, then the oldest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.books.ledger.model import Balance, Grant, Lot
from chalicelib.kernel.errors import DomainError, Kind

FOREVER = datetime.max.replace(tzinfo=UTC)


class InsufficientCredits(DomainError):
    kind = Kind.PAYMENT_REQUIRED
    slug = "insufficient-credits"
    detail = "Not enough units of {service} are left: {wanted} wanted, {available} available."


@dataclass(frozen=True, slots=True)
class Take:
    """Units to take from one lot of one balance page; -1 ends an unlimited lot."""

    balance: Balance
    lot: Lot
    units: int


def choose(balances: Sequence[Balance], *, units: int, service: str, now: datetime) -> list[Take]:
    """The lots that give so many units. Raises InsufficientCredits where they have too few together.

    What an account owes stays in its lots.
    """
    usable = [(balance, lot) for balance in balances for lot in balance.lots if lot.usable(now)]
    usable.sort(key=lambda pair: _order(pair[1]))
    free = _free(balances, now)
    takes: list[Take] = []
    wanted = units
    for balance, lot in usable:
        part = wanted if lot.remaining < 0 else min(wanted, lot.remaining, free[_account(balance)])
        if part:
            takes.append(Take(balance, lot, part))
            free[_account(balance)] -= part
            wanted -= part
        if wanted == 0:
            return takes
    raise InsufficientCredits(service=service, wanted=units, available=units - wanted)


def by_page(takes: Sequence[Take]) -> list[tuple[Balance, list[Take]]]:
    """The takes of each page: a transaction names a row once."""
    pages: list[tuple[Balance, list[Take]]] = []
    for take in takes:
        for balance, of_page in pages:
            if balance is take.balance:
                of_page.append(take)
                break
        else:
            pages.append((take.balance, [take]))
    return pages


def _free(balances: Sequence[Balance], now: datetime) -> dict[tuple[str, int, str], int]:
    """For each account the countable units that it may use: those that it has, less what it owes."""
    free: dict[tuple[str, int, str], int] = {}
    for balance in balances:
        units = sum(lot.remaining for lot in balance.lots if lot.usable(now) and lot.remaining > 0)
        free[_account(balance)] = free.get(_account(balance), 0) + units - balance.debt
    return {account: max(0, units) for account, units in free.items()}


def _account(balance: Balance) -> tuple[str, int, str]:
    return (balance.holder_kind, balance.holder_id, balance.unit.name)


def collected(grants: Sequence[Grant], owing: Balance | None) -> dict[str, int]:
    """Of each new lot, the units that pay what its account owes. Unlimited ones pay nothing."""
    debt = 0 if owing is None else owing.debt
    paid: dict[str, int] = {}
    for grant in grants:
        part = min(debt, max(0, grant.how_many))
        if part:
            paid[grant.lot_id] = part
            debt -= part
    return paid


def available(lots: Sequence[Lot], now: datetime, *, debt: int = 0) -> int:
    """What can be used now, less what is owed: -1 where a lot is unlimited."""
    usable = [lot.remaining for lot in lots if lot.usable(now)]
    return -1 if any(remaining < 0 for remaining in usable) else max(0, sum(usable) - debt)


def _order(lot: Lot) -> tuple[bool, datetime, datetime, str]:
    return (lot.remaining >= 0, lot.expires_at or FOREVER, lot.created_at, lot.id)
