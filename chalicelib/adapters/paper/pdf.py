"""Papers as PDF, by fpdf2 with the fonts that every reader has.

A row is one line of a typewriter font: ten thousand rows take seconds, where cells take nine times as long. Those fonts
know Latin-1; other characters are printed as question marks. fpdf2 and fontTools take a second to import.
"""

from __future__ import annotations

import warnings
from typing import Any

from chalicelib.kernel.papers import Column, Grid, Paper

MARGIN_MM = 10
TITLE_POINTS, FACT_POINTS, GRID_POINTS, ROW_POINTS = 16, 9, 11, 6.5
LINE_MM = 3.2
FACT_NAME_CHARACTERS = 24


class PdfPrinter:
    """`flows.statement.ports.Printer`."""

    def pdf(self, paper: Paper) -> bytes:
        page = _a_page(paper)
        page.set_font("Helvetica", "B", TITLE_POINTS)
        _line(page, paper.title, height=9)
        page.set_font("Courier", "", FACT_POINTS)
        for name, fact in paper.facts:
            _line(page, f"{name:{FACT_NAME_CHARACTERS}}{fact}", height=4.5)
        for grid in paper.grids:
            _grid(page, grid)
        return bytes(page.output())


def _a_page(paper: Paper) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it can add no images: Pillow is left out of the package
        from fpdf import FPDF

    class Numbered(FPDF):
        def footer(self) -> None:
            self.set_y(-MARGIN_MM)
            self.set_font("Helvetica", "", ROW_POINTS)
            self.cell(0, LINE_MM, f"{self.page_no()} / {{nb}}", align="R")

    page = Numbered(orientation="landscape", format="A4")
    page.set_margin(MARGIN_MM)
    page.set_auto_page_break(True, margin=MARGIN_MM + LINE_MM)
    page.set_creation_date(paper.made_at)
    page.set_title(paper.title)
    page.add_page()
    return page


def _grid(page: Any, grid: Grid) -> None:
    page.ln(4)
    page.set_font("Helvetica", "B", GRID_POINTS)
    _line(page, grid.title, height=6)
    page.set_font("Helvetica", "", FACT_POINTS - 1)
    if grid.note:
        _line(page, grid.note, height=4.5)
    _head(page, grid.columns)
    for row in grid.rows:
        if page.will_page_break(LINE_MM):
            page.add_page()
            _head(page, grid.columns)
        _line(page, _padded(grid.columns, row), height=LINE_MM)


def _head(page: Any, columns: tuple[Column, ...]) -> None:
    page.set_font("Courier", "B", ROW_POINTS)
    _line(page, _padded(columns, tuple(column.title for column in columns)), height=LINE_MM + 1)
    page.set_font("Courier", "", ROW_POINTS)


def _line(page: Any, text: str, *, height: float) -> None:
    page.cell(0, height, text.encode("latin-1", "replace").decode("latin-1"), new_x="LMARGIN", new_y="NEXT")


def _padded(columns: tuple[Column, ...], row: tuple[str, ...]) -> str:
    return "  ".join(
        f"{_cut(text, column.width):{'>' if column.to_the_right else '<'}{column.width}}"
        for column, text in zip(columns, row, strict=True)
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 2] + ".."
