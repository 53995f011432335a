"""What an object at the processor says of our side. We wrote it there; whoever has its dashboard can change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.kernel.ids import ID_MAX


@dataclass(frozen=True, slots=True)
class Named:
    """The invoice that a payment names, and whose it is said to be."""

    invoice_id: int
    user_id: int
    academy_id: int | None


def named(metadata: Mapping[str, str]) -> Named | None:
    """None where the payment names no invoice of ours: another application shares the account."""
    invoice_id, user_id = number(metadata.get("invoice_id")), number(metadata.get("user_id"))
    if invoice_id is None or user_id is None:
        return None
    return Named(invoice_id, user_id, number(metadata.get("academy_id")))


def number(text: str | None) -> int | None:
    """An id of ours, or None for anything else."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 16:
        return None
    return int(text) if int(text) <= ID_MAX else None
