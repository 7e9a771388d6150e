"""Matrices as heat maps: a table of coloured cells, each of which says what it is when it is pointed at or focused."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

from cleave.report.elements import joined, scrolling

SHADES = ((75, "strong"), (55, "mid"))
"""Classes of cells from so many percent of the scale on, where black and white letters are as easy to read: on light
pages, and on dark ones."""
HINT = "Point at a cell, or go from cell to cell with the Tab key: what it is stands here."


@dataclass(frozen=True)
class Cell:
    """A value as it is written in the cell and said in words. `reached`: by the keyboard too."""

    value: float
    text: str
    said: str
    reached: bool = True


@dataclass(frozen=True)
class HeatMap:
    """Cells [rows][columns] under a caption, None where there is nothing; rows and columns have the same names.

    `corner`: what rows and columns are. `starts`: the rows, and columns, at which a group begins, which a line shows.
    """

    caption: str
    names: Sequence[str]
    cells: Sequence[Sequence[Cell | None]]
    corner: str = ""
    starts: Collection[int] = ()

    def html(self) -> str:
        values = [cell.value for row in self.cells for cell in row if cell is not None]
        low, high = min(values, default=0.0), max(values, default=0.0)
        head = "".join(
            f'<th scope="col" class="{self.edge(0, column)}"><abbr title="{escape(name)}">{column + 1}</abbr></th>'
            for column, name in enumerate(self.names)
        )
        rows = (self.row(number, low, high) for number in range(len(self.cells)))
        top = f"<caption>{escape(self.caption)}</caption><thead><tr><td>{escape(self.corner)}</td>{head}</tr></thead>"
        table = f'<table class="heat">{top}<tbody>{joined(rows)}</tbody></table>'
        return f'<figure class="heat">{scrolling(table, self.caption)}<p class="hint">{HINT}</p></figure>'

    def row(self, number: int, low: float, high: float) -> str:
        name = f'<th scope="row" class="{self.edge(number, 0)}">{number + 1} {escape(self.names[number])}</th>'
        cells = (
            cell_html(cell, self.edge(number, column), low, high) for column, cell in enumerate(self.cells[number])
        )
        return f"<tr>{name}{''.join(cells)}</tr>"

    def edge(self, row: int, column: int) -> str:
        """The class of a cell at which a group begins."""
        return f"{'above ' * (row in self.starts)}{'before' * (column in self.starts)}".strip()


def cell_html(cell: Cell | None, edge: str, low: float, high: float) -> str:
    if cell is None:
        return f'<td class="{edge} none"></td>'
    share = round(100 * (cell.value - low) / (high - low)) if high > low else 0
    shade = next((name for least, name in SHADES if share >= least), "")
    focus = ' tabindex="0"' if cell.reached else ""
    said = f'<span class="said">{escape(cell.said)}</span>'
    return f'<td class="{edge} {shade}" style="--v:{share}%"{focus}>{escape(cell.text)}{said}</td>'
