"""The section with the drawing of an architecture."""

from __future__ import annotations

from collections.abc import Sequence

from cleave.report import CodeBlock, Element, PageFigure, Section
from cleave.search.drawn import Drawn

CAPTION = "The architecture; dashed edges hand on what they get, dotted ones nothing."


def architecture_section(drawn: Drawn, before: Sequence[Element] = ()) -> list[Section]:
    """What was chosen, below what is said `before`; nothing is drawn of a space in which nothing is."""
    figure = [PageFigure("architecture", drawn.svg(), CAPTION, paper=False)] if drawn.space.choices else []
    return [Section("architecture", "The network", [*before, *figure, CodeBlock(drawn.space.format(drawn.arch))])]
