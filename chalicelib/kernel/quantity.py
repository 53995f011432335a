"""How many: a finite count or unlimited, told apart by type. -1 exists only in JSON."""

from __future__ import annotations

from dataclasses import dataclass

UNLIMITED_IN_JSON = -1
UNITS_MAX = 10**12


@dataclass(frozen=True, slots=True)
class Finite:
    """A count of units, zero or more."""

    units: int

    def __post_init__(self) -> None:
        if not 0 <= self.units <= UNITS_MAX:
            raise ValueError(f"not a count of units: {self.units}")


@dataclass(frozen=True, slots=True)
class Unlimited:
    """As many as wanted."""


Quantity = Finite | Unlimited


def quantity_from_json(how_many: int) -> Quantity:
    """-1 is unlimited, a positive number is itself; anything else raises ValueError."""
    if how_many == UNLIMITED_IN_JSON:
        return Unlimited()
    if how_many <= 0:
        raise ValueError(f"how_many must be -1 or positive, not {how_many}")
    return Finite(how_many)


def quantity_to_json(quantity: Quantity) -> int:
    return UNLIMITED_IN_JSON if isinstance(quantity, Unlimited) else quantity.units
