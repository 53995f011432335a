"""A paper to print: facts and tables of text, whoever prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Column:
    """`width` in characters; a longer text is cut. Numbers stand to the right."""

    title: str
    width: int
    to_the_right: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. `note` stands between its title and its rows."""

    title: str
    note: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Paper:
    """`facts` are names with what they are; `made_at` is the date in the file."""

    title: str
    made_at: datetime
    facts: tuple[tuple[str, str], ...]
    grids: tuple[Grid, ...]
