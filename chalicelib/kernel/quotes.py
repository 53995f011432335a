"""Priced lines: what a quote consists of, what an invoice keeps, and how each amount came about."""

from __future__ import annotations

from decimal import Decimal

from chalicelib.kernel.documents import Document
from chalicelib.kernel.money import Money


class Step(Document):
    """One decision of a price: which rule, what went in, what came out."""

    rule: str
    input: str
    result: str


class Line(Document):
    """One priced line.

    `unit_price` and `exact_amount` are exact decimals in major units: the line before discounts, and after them before
    rounding. `full_amount` and `amount` are minor units: before and after discounts, each rounded half up once.
    `remainder` is what rounding added, in major units.
    """

    id: str
    description: str
    quantity: int
    months: int = 1
    unit_price: Decimal
    exact_amount: Decimal
    remainder: Decimal
    full_amount: int
    amount: int
    steps: tuple[Step, ...] = ()


class Priced(Document):
    """The lines of one way to pay, in one currency, and their sums in minor units."""

    lines: tuple[Line, ...]
    currency: str

    @property
    def full_amount(self) -> int:
        return sum(line.full_amount for line in self.lines)

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def total(self) -> Money:
        return Money(self.amount, self.currency)
