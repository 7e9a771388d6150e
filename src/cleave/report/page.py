"""The skeleton of every page: head, style, contents, sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from cleave.report.elements import Element, html_of, joined


@dataclass(frozen=True)
class Section:
    """A heading and what is below it; `name` is its address in the page, and how the contents call it."""

    name: str
    title: str
    parts: Sequence[Element]

    def html(self) -> str:
        return f'<section id="{escape(self.name)}">\n<h2>{escape(self.title)}</h2>{html_of(self.parts)}</section>'


@dataclass(frozen=True)
class Page:
    """A page: what it is about, then section by section."""

    title: str
    opening: Sequence[Element]
    sections: Sequence[Section]

    def html(self) -> str:
        """The whole file. Equal pages are equal files."""
        links = (f'<a href="#{escape(each.name)}">{escape(each.name)}</a>' for each in self.sections)
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n"
            f"<style>\n{files(__package__).joinpath('page.css').read_text(encoding='utf-8')}</style>\n</head>\n"
            f"<body>\n<header>\n<h1>{escape(self.title)}</h1>{html_of(self.opening)}</header>\n"
            f'<nav aria-label="Contents">{joined(links)}</nav>\n'
            f"<main>{html_of(self.sections)}</main>\n</body>\n</html>\n"
        )
