"""Periods: half-open, in UTC, every boundary computed from the origin.

The n-th boundary keeps the origin's day of the month where the month has it (31 Jan, 28 Feb, 31 Mar), so that it never
drifts as stepping from boundary to boundary does.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Unit(StrEnum):
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


@dataclass(frozen=True, slots=True)
class Span:
    """A length of calendar time: `every` units, such as 3 MONTH."""

    every: int
    unit: Unit

    def times(self, count: int) -> Span:
        return Span(self.every * count, self.unit)

    @property
    def months(self) -> int:
        """Whole months of a MONTH or YEAR span. Raises ValueError for others."""
        if self.unit is Unit.MONTH:
            return self.every
        if self.unit is Unit.YEAR:
            return self.every * 12
        raise ValueError(f"{self.unit} is no number of months")


def boundary(origin: datetime, span: Span, number: int) -> datetime:
    """The instant `number` spans after `origin`, in UTC; 0 is the origin itself. Raises ValueError without a zone."""
    origin = _in_utc(origin)
    if span.unit is Unit.DAY:
        return origin + timedelta(days=span.every * number)
    if span.unit is Unit.WEEK:
        return origin + timedelta(weeks=span.every * number)
    months = origin.year * 12 + origin.month - 1 + span.months * number
    year, month = divmod(months, 12)
    day = min(origin.day, calendar.monthrange(year, month + 1)[1])
    return origin.replace(year=year, month=month + 1, day=day)


def after(origin: datetime, span: Span) -> datetime:
    """The end of one span that begins at `origin`."""
    return boundary(origin, span, 1)


def latest_boundary(origin: datetime, span: Span, now: datetime) -> int:
    """The number of the latest boundary at or before `now`; -1 before the origin."""
    origin, now = _in_utc(origin), _in_utc(now)
    if now < origin:
        return -1
    if span.unit in (Unit.DAY, Unit.WEEK):
        return (now - origin) // (after(origin, span) - origin)
    number = ((now.year - origin.year) * 12 + now.month - origin.month) // span.months
    return number if boundary(origin, span, number) <= now else number - 1


def _in_utc(at: datetime) -> datetime:
    """The instant on UTC's calendar: in a zone whose clock is put forward and back, days have 23 and 25 hours."""
    if at.tzinfo is None:
        raise ValueError(f"{at} is no instant: it has no zone")
    return at.astimezone(UTC)


def utc(seconds: float) -> datetime:
    """The aware UTC instant of unix seconds."""
    return datetime.fromtimestamp(seconds, UTC)
