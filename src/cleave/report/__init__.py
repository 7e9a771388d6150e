"""Pages for people: one file of HTML that needs no network, from paragraphs, tables and drawings.

Nothing here knows what a page tells.
"""

from cleave.report.elements import Bullets, CodeBlock, Details, Element, PageFigure, PageTable, Paragraph
from cleave.report.page import Page, Section

__all__ = [
    "Bullets",
    "CodeBlock",
    "Details",
    "Element",
    "Page",
    "PageFigure",
    "PageTable",
    "Paragraph",
    "Section",
]
