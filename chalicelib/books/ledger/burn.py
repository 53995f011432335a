"""Which lots are used first: unlimited ones, then the soonest to expire, then the oldest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.books.ledger.model import Balance, Lot
from chalicelib.kernel.errors import DomainError, Kind

FOREVER = datetime.max.replace(tzinfo=UTC)


class InsufficientCredits(DomainError):
    kind = Kind.PAYMENT_REQUIRED
    slug = "insufficient-credits"
    detail = "Not enough units of {service} are left: {wanted} wanted, {available} available."


@dataclass(frozen=True, slots=True)
class Take:
    """Units to take from one lot of one balance page."""

    balance: Balance
    lot: Lot
    units: int


def choose(balances: Sequence[Balance], *, units: int, service: str, now: datetime) -> list[Take]:
    """The lots that give so many units. Raises InsufficientCredits where they have too few together."""
    usable = [(balance, lot) for balance in balances for lot in balance.lots if lot.usable(now)]
    usable.sort(key=lambda pair: _order(pair[1]))
    takes: list[Take] = []
    wanted = units
    for balance, lot in usable:
        part = wanted if lot.remaining < 0 else min(wanted, lot.remaining)
        takes.append(Take(balance, lot, part))
        wanted -= part
        if wanted == 0:
            return takes
    raise InsufficientCredits(service=service, wanted=units, available=units - wanted)


def available(lots: Sequence[Lot], now: datetime) -> int:
    """What can be used now: -1 where a lot is unlimited."""
    usable = [lot.remaining for lot in lots if lot.usable(now)]
    return -1 if any(remaining < 0 for remaining in usable) else sum(usable)


def _order(lot: Lot) -> tuple[bool, datetime, datetime, str]:
    return (lot.remaining >= 0, lot.expires_at or FOREVER, lot.created_at, lot.id)
