"""Ids: integers below 2**53, time-ordered, made without a counter; and ids derived from what they follow from.

An integer id is milliseconds since 2025 (41 bits: until 2094) and 12 random bits. Two that meet are told apart by the
table: every row is put only if absent. JSON clients keep integers exact below 2**53 (RFC 8259, section 6).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
RANDOM_BITS = 12
ID_MAX = 2**53 - 1

RandomBits = Callable[[int], int]


def new_id(now: datetime, random_bits: RandomBits = secrets.randbits) -> int:
    """An integer id; sorts by time to the millisecond."""
    milliseconds = (now - EPOCH) // timedelta(milliseconds=1)
    return (milliseconds << RANDOM_BITS) | random_bits(RANDOM_BITS)


def derived_id(beside: int, *parts: object) -> int:
    """An integer id of the same millisecond as another, that follows from it and from the parts."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return (beside >> RANDOM_BITS << RANDOM_BITS) | (int.from_bytes(digest[:4]) & (1 << RANDOM_BITS) - 1)


def sortable(number: int) -> str:
    """An id as text that sorts like the number: 16 digits."""
    return f"{number:016d}"


def derived(prefix: str, *parts: object) -> str:
    """An id that follows from others: the same parts give the same id, on every machine, for ever."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()
    return f"{prefix}_{digest[:32]}"
