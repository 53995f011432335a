"""Which lots of a page are cleared away once they have expired, and when the page is looked at next. Pure.

An expired lot counts for nothing, so this changes no balance; it keeps pages small. A page with a lot that ends carries
the time of its next look. Who grants does not read the page, and leaves an earlier look as it is; a later one makes the
clearing later, by a month at most, since no look is further away than that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.books.ledger.model import Balance, Lot

LOOK_WITHIN = timedelta(days=30)
KEPT_LOOK = timedelta(days=7)
UNLIMITED_KEPT = timedelta(days=180)
"""So long an unlimited lot stays that a payment granted: a dispute that is won would let a missing one begin again."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """What one look comes to: the lots that go, those that stay, and when to look again (None: nothing ends)."""

    going: tuple[Lot, ...]
    staying: tuple[Lot, ...]
    look_at: datetime | None


def expired(balance: Balance, now: datetime) -> list[Lot]:
    """The lots of a page that have ended."""
    return [lot for lot in balance.lots if lot.expires_at is not None and lot.expires_at <= now]


def look(balance: Balance, now: datetime, *, kept: Collection[str]) -> Expiry:
    """What of a page is to be cleared away. `kept`: lots (by id) that may be made to end later yet.

    What is held, frozen or disputed stays until that is over.
    """
    over = {lot.id for lot in expired(balance, now) if lot.id not in kept and _is_free(lot, balance, now)}
    going = tuple(lot for lot in balance.lots if lot.id in over)
    staying = tuple(lot for lot in balance.lots if lot.id not in over)
    return Expiry(going, staying, next_look((lot.expires_at for lot in staying), now))


def next_look(ends: Iterable[datetime | None], now: datetime) -> datetime | None:
    """When to look at lots that end then: in a week at those that have ended and were kept."""
    looks = [end if end > now else now + KEPT_LOOK for end in ends if end is not None]
    return min([*looks, now + LOOK_WITHIN]) if looks else None


def _is_free(lot: Lot, balance: Balance, now: datetime) -> bool:
    if lot.held or lot.frozen or lot.origin.invoice_id in balance.disputed:
        return False
    paid_without_limit = lot.remaining < 0 and lot.origin.invoice_id is not None
    return not paid_without_limit or (lot.expires_at is not None and lot.expires_at + UNLIMITED_KEPT <= now)
