"""Papers as PDF: what stands on them, on how many pages, and that the same paper is the same file."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime
from typing import Any

from chalicelib.adapters.paper.pdf import PdfPrinter
from chalicelib.flows.statement.ports import Printer
from chalicelib.kernel.papers import Column, Grid, Paper

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
COLUMNS = (Column("Name", 8), Column("Units", 6, to_the_right=True))


def a_paper(**changed: Any) -> Paper:
    values = {"title": "A title", "made_at": NOW, "facts": (("Holder", "USER#7"),), "grids": ()}
    return Paper(**{**values, **changed})


def printed(paper: Paper) -> str:
    """The text of every page. fpdf2 packs what it draws with zlib, and writes ( ) with a backslash."""
    port: Printer = PdfPrinter()
    packed = re.findall(rb"stream\n(.*?)\nendstream", port.pdf(paper), re.DOTALL)
    return "\n".join(zlib.decompress(one).decode("latin-1") for one in packed)


def a_grid(*rows: tuple[str, str]) -> Grid:
    return Grid("Entries", "a note", COLUMNS, rows)


class TestPdf:
    def test_says_what_is_on_the_paper(self) -> None:
        found = printed(a_paper(grids=(a_grid(("grant", "5")),)))
        for text in ("A title", "Holder                  USER#7", "Entries", "a note", "Name       Units"):
            assert text in found
        assert "grant          5" in found

    def test_cuts_what_is_too_long_and_prints_what_its_fonts_know(self) -> None:
        found = printed(a_paper(grids=(a_grid(("a-very-long-name", "1"), ("naïve 学", "2")),)))
        assert "a-very..       1" in found
        assert "naïve ?        2" in found

    def test_repeats_the_head_on_each_page_and_numbers_them(self) -> None:
        paper = a_paper(grids=(a_grid(*((f"row {number}", "1") for number in range(150))),))
        found = printed(paper)
        pages = found.count("Name       Units")
        assert pages > 2
        assert f"{pages} / " in found
        assert all(f"row {number} " in found for number in range(150))

    def test_is_the_same_for_the_same_paper(self) -> None:
        assert PdfPrinter().pdf(a_paper()) == PdfPrinter().pdf(a_paper())
