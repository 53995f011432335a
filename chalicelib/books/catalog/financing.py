"""What a financing option may be. Pure."""

from __future__ import annotations

from chalicelib.books.catalog.model import FinancingOption
from chalicelib.books.catalog.prices import checked_currency, checked_price
from chalicelib.kernel.errors import DomainError, Kind

MONTHS_MAX = 120


class OptionNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "not-found"
    detail = "Financing option not found"


class OptionInUse(DomainError):
    slug = "financing-option-in-use"
    detail = "The plans {plans} are sold by this financing option."


class InvalidMonthlyPrice(DomainError):
    slug = "invalid-monthly-price"
    detail = "A monthly price is above 0."


class InvalidMonths(DomainError):
    slug = "invalid-months"
    detail = "A financing option has 1 to 120 months."


def checked_option(option: FinancingOption) -> FinancingOption:
    """The option as it is kept. Raises InvalidMonthlyPrice, InvalidMonths, InvalidPrice, CurrencyNotFound."""
    if not option.monthly_price > 0:
        raise InvalidMonthlyPrice
    checked_price(option.monthly_price, option.currency)
    if not 1 <= option.how_many_months <= MONTHS_MAX:
        raise InvalidMonths
    return option.model_copy(update={"currency": checked_currency(option.currency)})
