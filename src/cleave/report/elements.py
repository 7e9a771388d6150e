"""What a page is made of. Whatever a text holds is shown, never run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol


class Element(Protocol):
    """A part of a page."""

    def html(self) -> str: ...


@dataclass(frozen=True)
class Paragraph:
    """Words, those between backticks as code; a note is smaller and paler."""

    text: str
    note: bool = False

    def html(self) -> str:
        start = '<p class="note">' if self.note else "<p>"
        return start + re.sub("`([^`]+)`", r"<code>\1</code>", escape(self.text)) + "</p>"


@dataclass(frozen=True)
class Bullets:
    """A list, numbered or not."""

    items: Sequence[str]
    numbered: bool = False

    def html(self) -> str:
        kind = "ol" if self.numbered else "ul"
        return f"<{kind}>{joined(f'<li>{escape(item)}</li>' for item in self.items)}</{kind}>"


@dataclass(frozen=True)
class PageTable:
    """A table under its caption, with column names where there are any; the first cell of a row is the row's name."""

    caption: str
    head: Sequence[str]
    rows: Iterable[Sequence[object]]

    def html(self) -> str:
        head = "".join(f'<th scope="col">{escape(name)}</th>' if name else "<td></td>" for name in self.head)
        top = f"<caption>{escape(self.caption)}</caption>" + (f"<thead><tr>{head}</tr></thead>" if head else "")
        return scrolling(f"<table>{top}<tbody>{joined(map(table_row, self.rows))}</tbody></table>", self.caption)


@dataclass(frozen=True)
class PageFigure:
    """A drawing (an SVG file's text) over its caption, which is also read out in its place."""

    name: str
    svg: str
    caption: str

    def html(self) -> str:
        """The drawing becomes a part of the page; what it calls its parts is made different from other drawings'."""
        element = self.svg[self.svg.index("<svg") :]
        unique = re.sub(r'(\bid="|url\(#|href="#)', lambda found: f"{found[1]}{self.name}-", element)
        named = f'<svg role="img" aria-label="{escape(self.caption)}"'
        drawing = unique.replace(' role="img"', "", 1).replace("<svg", named, 1)
        caption = f"<figcaption>{escape(self.caption)}</figcaption>"
        return f'<figure id="figure-{self.name}">{scrolling(drawing, self.caption)}{caption}</figure>'


@dataclass(frozen=True)
class Details:
    """Elements that are shown when their summary is clicked, and in print."""

    summary: str
    parts: Sequence[Element]

    def html(self) -> str:
        return f"<details><summary>{escape(self.summary)}</summary>{html_of(self.parts)}</details>"


@dataclass(frozen=True)
class CodeBlock:
    """Text with its own line breaks."""

    text: str

    def html(self) -> str:
        return f'<pre tabindex="0">{escape(self.text)}</pre>'


def html_of(elements: Iterable[Element]) -> str:
    return joined(element.html() for element in elements)


def joined(pieces: Iterable[str]) -> str:
    """Piece by piece, each on a line of its own."""
    return "".join(f"\n{piece}" for piece in pieces) + "\n"


def scrolling(content: str, label: str) -> str:
    """What may be wider than the screen, and is then scrolled by touch, mouse or arrow keys."""
    return f'<div class="wide" tabindex="0" role="group" aria-label="{escape(label)}">{content}</div>'


def table_row(cells: Sequence[object]) -> str:
    name, *others = (escape(str(cell)) for cell in cells)
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'
