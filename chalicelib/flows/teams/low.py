"""When a unit of a team's pool is low, and what is bought of it then. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.catalog.model import Service, ServicePrice
from chalicelib.books.catalog.pricing import (
    AmountTooHigh,
    TooFewItems,
    TooManyItems,
    check_limits,
    most_units,
    priced,
    units_price,
)
from chalicelib.books.ledger.burn import available
from chalicelib.books.ledger.model import Balance, Unit
from chalicelib.books.subscriptions.course import MONTH
from chalicelib.books.subscriptions.model import Holding, Status, Terms
from chalicelib.books.teams.model import AutoRecharge
from chalicelib.flows.checkout.begin import AmountTooLow, check_amount
from chalicelib.flows.fulfillment.plan import unit_of
from chalicelib.kernel.money import Money, exact
from chalicelib.kernel.periods import boundary, latest_boundary
from chalicelib.kernel.quotes import Priced

NO_LIMIT = -1
GOING_ON = frozenset({Status.ACTIVE, Status.FREE_TRIAL})


@dataclass(frozen=True, slots=True)
class Buying:
    """So many units, and what they cost."""

    how_many: int
    priced: Priced


def pool_units(terms: Terms) -> dict[str, Unit]:
    """What can be bought for the pool of a plan, by the names of the accounts: what it has of it without limit not."""
    pooled = [item for item in terms.items if item.pooled]
    unlimited = {unit_of(item, terms.academy_id).name for item in pooled if item.how_many < 0}
    units = [unit_of(item, terms.academy_id) for item in pooled]
    return {unit.name: unit for unit in units if unit.name not in unlimited}


def goes_on(holding: Holding, now: datetime) -> bool:
    """Whether anything is bought for it: its status says that no payment of it was refused, disputed or returned, and
    that it is neither paused nor cancelled; and it gives access.
    """
    return holding.status in GOING_ON and has_access(holding, now)


def has_access(holding: Holding, now: datetime) -> bool:
    """Whether whoever sits in its team may use it now."""
    return holding.access_until is None or holding.access_until > now


def left_of(balances: Sequence[Balance], unit: str, now: datetime) -> int:
    """How many units of an account can be used, of the pages of one holder; -1: without limit."""
    pages = [balance for balance in balances if balance.unit.name == unit]
    return available([lot for page in pages for lot in page.lots], now, debt=sum(page.debt for page in pages))


def is_low(recharge: AutoRecharge, price: ServicePrice, terms: Terms, left: int) -> bool:
    """Whether what is left is worth the threshold or less, at the price of a single unit in the country of the terms.

    Never where it has no price in the currency of the terms.
    """
    unit = units_price(price, how_many=1, country=terms.country).price
    if left == NO_LIMIT or unit.currency != terms.currency:
        return False
    return exact(unit.amount, left) <= Money(recharge.threshold, terms.currency).major


def buying(recharge: AutoRecharge, service: Service, price: ServicePrice, terms: Terms) -> Buying | None:
    """As many units as the amount buys; None: not one, or not so few as are sold or charged."""
    amount = Money(recharge.amount, terms.currency)
    how_many = most_units(price, amount=amount, country=terms.country)
    if how_many < 1:
        return None
    draft = units_price(price, how_many=how_many, country=terms.country)
    found = priced([draft.model_copy(update={"description": f"{how_many} {service.title}, recharged by itself"})])
    try:
        check_limits(price, how_many=how_many, charged=found.total, country=terms.country)
        check_amount(found.total)
    except (TooFewItems, TooManyItems, AmountTooHigh, AmountTooLow):
        return None
    dearer = amount < found.total  # a bulk ratio above one
    return None if dearer or found.amount == 0 else Buying(how_many, found)


def month_of(holding: Holding, now: datetime) -> tuple[datetime, datetime]:
    """The month of spending that is under way: from the day of its purchase, whatever became of its periods since, so
    that no month begins anew before its time.
    """
    number = latest_boundary(holding.created_at, MONTH, now)
    return boundary(holding.created_at, MONTH, number), boundary(holding.created_at, MONTH, number + 1)
