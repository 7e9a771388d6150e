"""Pages: whole, offline, safe, and told to those who cannot see them."""

from __future__ import annotations

import pytest

from cleave.report import Bullets, CodeBlock, Details, Element, Page, PageFigure, PageTable, Paragraph, Section
from tests.report.parsed import ParsedPage, check_page

DRAWING = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">
 <defs><path id="dot" d="M0 0"/><clipPath id="clip"><rect width="9" height="9"/></clipPath></defs>
 <use href="#dot" clip-path="url(#clip)"/>
</svg>"""


def page_of(*parts: Element) -> ParsedPage:
    return check_page(Page("Made", [Paragraph("What it is.")], [Section("all", "All", parts)]).html())


def every_kind(text: str) -> list[Element]:
    """An element of each kind that shows a text wherever it can."""
    return [
        Paragraph(text),
        Paragraph(text, note=True),
        Bullets([text]),
        Bullets([text], numbered=True),
        PageTable(text, [text, text], [[text, text]]),
        Details(text, [CodeBlock(text)]),
        PageFigure("drawing", DRAWING, text),
    ]


def test_every_kind_of_element_is_on_a_page_in_order() -> None:
    found = page_of(*every_kind("some words"))
    assert found.lines[:4] == ["Made", "Made", "What it is.", "all"]
    assert found.lines[4:] == ["All", *["some words"] * 12]
    assert "some words" not in found.lines[:5]


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '" onload="alert(1)', "</style><b>", "&lt;b&gt;"])
def test_what_others_wrote_is_shown_and_not_run(evil: str) -> None:
    found = page_of(*every_kind(evil))
    assert found.lines.count(" ".join(evil.split())) == 12
    text = Page(evil, [Paragraph(evil)], [Section("all", evil, [])]).html()
    assert check_page(text).lines == [evil, evil, evil, "all", evil]


def test_drawings_do_not_share_their_names_and_point_to_their_own() -> None:
    one, other = (PageFigure(name, DRAWING, "a dot") for name in ("one", "other"))
    found = page_of(one, other)
    assert {"one-dot", "other-dot", "one-clip", "other-clip", "figure-one", "figure-other"} <= set(found.ids)
    assert {"#one-dot", "#other-clip"} <= set(found.places)


def test_words_between_backticks_are_code_and_others_are_not() -> None:
    text = Paragraph("use `--seed`, not <`>").html()
    assert text == "<p>use <code>--seed</code>, not &lt;`&gt;</p>"


def test_the_first_cell_names_the_row_and_a_table_may_have_no_column_names() -> None:
    assert "<thead>" not in PageTable("made with", (), [["torch", "2.14"]]).html()
    with_head = PageTable("taus", ["", "tau"], [["random", 0.5]]).html()
    assert '<td></td><th scope="col">tau</th>' in with_head
    assert '<th scope="row">random</th><td>0.5</td>' in with_head


def test_the_contents_list_every_section_once() -> None:
    sections = [Section(name, name.title(), []) for name in ("one", "two")]
    text = Page("Made", [], sections).html()
    assert [place for place in check_page(text).places if place.startswith("#")] == ["#one", "#two"]


def test_pages_are_read_on_phones_in_the_dark_and_on_paper() -> None:
    text = Page("Made", [], []).html()
    assert "width=device-width" in text
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text


@pytest.mark.parametrize(
    "broken",
    [
        '<p id="x"></p><p id="x"></p>', "<svg></svg>", '<img src="data:,">', '<a href="https://example.org">x</a>',
        '<a href="#nowhere">x</a>', "<table><tr></tr></table>", "<b></i></b>", '<p onclick="x()"></p>',
        "<script></script>",
        "<style>p { background: url(https://example.org) }</style>",
    ],
)  # fmt: skip
def test_the_check_sees_what_is_wrong(broken: str) -> None:
    text = Page("Made", [], []).html().replace("</main>", f"{broken}</main>")
    with pytest.raises((AssertionError, IndexError)):
        check_page(text)
