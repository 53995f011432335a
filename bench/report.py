"""Figures as text."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence


def heading(text: str) -> None:
    print(f"\n## {text}\n")


def say(text: str) -> None:
    print(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of Markdown, the first column to the left and figures to the right."""
    widths = [max(len(row[place]) for row in [columns, *rows]) for place in range(len(columns))]
    print(_line(columns, widths))
    print("|" + "|".join("-" * (width + 1) + (":" if place else "-") for place, width in enumerate(widths)) + "|")
    for row in rows:
        print(_line(row, widths))


def machine() -> str:
    """What it was measured on, in one line."""
    return f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}, {os.cpu_count()} CPUs"


def milliseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.2f}"


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def verdict(measured: float, limit: float | None) -> str:
    """`limit` in the unit of `measured`; nothing where there is none."""
    if limit is None:
        return ""
    return "met" if measured <= limit else "MISSED"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if place else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join(padded) + " |"
