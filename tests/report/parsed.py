"""A page as a strict reader sees it."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

VOID = {"meta", "br", "img"}
INLINE = {"code", "a", "br"}


class ParsedPage(HTMLParser):
    """What a page is made of; refuses elements that do not close in order.

    `lines`: its text outside drawings and style, piece by piece. `unnamed`: drawings, pictures and tables of which
    somebody who cannot see them is told nothing. `places`: all that it points to.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.places: list[str] = re.findall(r"url\(([^)]*)\)", text) + re.findall(r"@import\s+([^;]*)", text)
        self.handlers: list[str] = []
        self.unnamed: list[str] = []
        self.lines: list[str] = []
        self.text, self._line, self._before = "", "", ""
        self.feed(text)
        self.close()
        self._end_line()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in INLINE:
            self._end_line()
        if self._before == "table" and tag != "caption":
            self.unnamed.append("table")
        self._before = tag
        if tag not in VOID:
            self.open.append(tag)
        self._note(tag, attributes)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._note(tag, attributes)

    def _note(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += "svg" not in self.open[:-1]  # a drawing has a title of its own
        values = dict(attributes)
        if (tag == "svg" and not values.get("aria-label")) or (tag == "img" and not values.get("alt")):
            self.unnamed.append(tag)
        self.ids += [str(value) for name, value in attributes if name == "id"]
        self.handlers += [name for name in values if name.startswith("on")]
        self.places += [str(value) for name, value in attributes if name in ("href", "src", "srcset", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in INLINE:
            self._end_line()
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if not {"svg", "style"} & set(self.open):
            self._line += data

    def _end_line(self) -> None:
        if words := self._line.split():
            self.lines.append(" ".join(words))
        self._line = ""


def check_page(text: str) -> ParsedPage:
    """Holds a page to what all of them promise: one file, nothing run, told to everybody."""
    page = ParsedPage(text)
    assert [name for name, count in Counter(page.ids).items() if count > 1] == [], "an id is there twice"
    assert page.unnamed == []
    assert page.handlers == []
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert all(place.startswith(("#", "data:")) for place in page.places), "points outside of the file"
    assert {place[1:] for place in page.places if place.startswith("#")} <= set(page.ids)
    assert page.tags["h1"] == page.tags["main"] == page.tags["title"] == 1
    assert '<html lang="en">' in text
    assert '<meta name="viewport"' in text
    return page
