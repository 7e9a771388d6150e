"""Pages for people: one file of HTML that needs no network, from paragraphs, tables, charts and drawings.

Nothing here knows what a page tells. `cleave.report(...)` writes the page of finished runs.
"""

from cleave.callable_module import make_callable
from cleave.report.charts import Legend, LineChart, Point, Scatter, Series
from cleave.report.elements import (
    Bars,
    Bullets,
    CodeBlock,
    Details,
    Element,
    Heading,
    Nested,
    PageFigure,
    PageTable,
    Paragraph,
    SideBySide,
)
from cleave.report.forest import Forest, ForestRow
from cleave.report.heat_map import Cell, HeatMap
from cleave.report.page import Page, Section
from cleave.report.pictures import Picture, Pictures, WholePicture, picture

__all__ = [
    "Bars",
    "Bullets",
    "Cell",
    "CodeBlock",
    "Details",
    "Element",
    "Forest",
    "ForestRow",
    "Heading",
    "HeatMap",
    "Legend",
    "LineChart",
    "Nested",
    "Page",
    "PageFigure",
    "PageTable",
    "Paragraph",
    "Picture",
    "Pictures",
    "Point",
    "Scatter",
    "Section",
    "Series",
    "SideBySide",
    "WholePicture",
    "picture",
]

make_callable(__name__)
