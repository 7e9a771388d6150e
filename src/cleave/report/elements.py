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
    """Words, those between backticks as code; a note is smaller and paler, a lead larger and bold."""

    text: str
    note: bool = False
    lead: bool = False

    def html(self) -> str:
        start = '<p class="note">' if self.note else '<p class="lead">' if self.lead else "<p>"
        return start + re.sub("`([^`]+)`", r"<code>\1</code>", escape(self.text)) + "</p>"


@dataclass(frozen=True)
class Heading:
    """Of a part of a section."""

    text: str

    def html(self) -> str:
        return f"<h3>{escape(self.text)}</h3>"


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
        rows = [[str(cell) for cell in row] for row in self.rows]
        kinds = list(map(kind_of, zip(*rows, strict=True)))
        names = zip(self.head, kinds or [""] * len(self.head), strict=False)
        head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' if name else "<td></td>" for name, kind in names)
        top = f"<caption>{escape(self.caption)}</caption>" + (f"<thead><tr>{head}</tr></thead>" if head else "")
        body = joined(table_row(row, kinds) for row in rows)
        return scrolling(f"<table>{top}<tbody>{body}</tbody></table>", self.caption)


@dataclass(frozen=True)
class Bars:
    """A table of percentages with a bar for each; a row is a name, the percentage, and what else is said of it."""

    caption: str
    head: Sequence[str]
    rows: Iterable[tuple[str, float, str]]

    def html(self) -> str:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.head)
        top = f"<caption>{escape(self.caption)}</caption><thead><tr>{head}</tr></thead>"
        return scrolling(
            f'<table class="bars">{top}<tbody>{joined(map(bar_row, self.rows))}</tbody></table>', self.caption
        )


@dataclass(frozen=True)
class SideBySide:
    """Elements beside each other, as many as there is room for."""

    parts: Sequence[Element]

    def html(self) -> str:
        return f'<div class="beside">{html_of(self.parts)}</div>'


@dataclass(frozen=True)
class Nested:
    """A tree: words, and what is below them."""

    text: str
    below: Sequence[Nested] = ()
    strong: bool = False

    def html(self) -> str:
        return f'<ul class="tree">{self.item()}</ul>'

    def item(self) -> str:
        text = f"<strong>{escape(self.text)}</strong>" if self.strong else f"<span>{escape(self.text)}</span>"
        below = f"<ul>{joined(each.item() for each in self.below)}</ul>" if self.below else ""
        return f"<li>{text}{below}</li>"


@dataclass(frozen=True)
class PageFigure:
    """A drawing (an SVG file's text) over its caption, which is also read out in its place."""

    name: str
    svg: str
    caption: str
    paper: bool = True
    """Whether it needs a white page below it, having no colours of its own for a dark one."""

    def html(self) -> str:
        """The drawing becomes a part of the page; what it calls its parts is made different from other drawings'."""
        element = self.svg[self.svg.index("<svg") :]
        unique = re.sub(r'(\bid="|url\(#|href="#)', lambda found: f"{found[1]}{self.name}-", element)
        named = f'<svg role="img" aria-label="{escape(self.caption)}"'
        drawing = unique.replace(' role="img"', "", 1).replace("<svg", named, 1)
        caption = f"<figcaption>{escape(self.caption)}</figcaption>"
        kind = "drawing paper" if self.paper else "drawing"
        return f'<figure class="{kind}" id="figure-{self.name}">{scrolling(drawing, self.caption)}{caption}</figure>'


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


def kind_of(column: Sequence[str]) -> str:
    """The attribute of a column of words, which is set flush left; nothing for figures."""
    return ' class="words"' if any(re.match(r"[^\d\s+\-−.]", cell) for cell in column) else ""


def table_row(cells: Sequence[str], kinds: Sequence[str]) -> str:
    name, *others = map(escape, cells)
    told = "".join(cell_html(*each) for each in zip(others, kinds[1:], strict=True))
    return f'<tr><th scope="row">{name}</th>{told}</tr>'


def cell_html(cell: str, kind: str) -> str:
    return f"<td{kind}><span>{cell}</span></td>" if kind else f"<td>{cell}</td>"


def bar_row(row: tuple[str, float, str]) -> str:
    name, percent, said = row
    bar = f'<td><span class="bar" style="width:{percent:.1f}%"></span></td>'
    return f'<tr><th scope="row">{escape(name)}</th><td>{percent:.1f}</td>{bar}<td>{escape(said)}</td></tr>'
