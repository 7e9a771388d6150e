"""Figure 1: the cell that is searched."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch

from cleave.space import Space
from cleave.space.layout import Cell, Link
from cleave.study.record.log import Log
from cleave.study.telling.figures.drawing import Drawn, Lacking, Subject, canvas, number_of

STEP = 2.2
"""Between nodes; their radius is below."""
RADIUS = 0.28
BEND = 0.42
LETTERS = 110
"""Of a line of text."""
ARROW: dict[str, Any] = {
    "arrowstyle": "-|>", "mutation_scale": 12, "color": "0.25", "linewidth": 1.2, "shrinkA": 1, "shrinkB": 1,
}  # fmt: skip


def cell(subject: Subject) -> Drawn:
    """The nodes of the first searched cell, its edges, and what is chosen among for each."""
    found = first_cell(subject.log)
    figure, panel = canvas(3.6)
    nodes = 1 + max(link.target for link in found.links)
    circles = [draw_node(panel, node, found) for node in range(nodes)]
    for link in found.links:
        draw_edge(panel, link, circles)
    heights = [height(link) for link in found.links]
    low, high = min(-0.8, *heights) - 0.2, max(0.5, *heights) + 0.4
    panel.set(xlim=(-0.8, STEP * (nodes - 1) + 0.8), ylim=(low, high), aspect="equal")
    figure.supxlabel("\n".join(candidates(subject.log.space, found)), fontsize=8)
    panel.axis("off")
    choices = number_of(len(found.links), "edge")
    return Drawn(figure, f"The cell of {subject.log.space.name}: {choices}, each with an operation of its own choice.")


def first_cell(log: Log) -> Cell:
    """Of the networks that the log is of."""
    blocks = [block for _, block in log.space.layout(log.size, log.meta["image"][0]).blocks]
    found = next((block for block in blocks if isinstance(block, Cell)), None)
    if found is None:
        raise Lacking("needs a space of cells")
    return found


def draw_node(panel: Axes, node: int, found: Cell) -> Circle:
    """A circle with the node's number; inputs and what is concatenated to the output are marked."""
    output = node in found.outputs
    colour = "#56b4e9" if node < found.inputs else "#e69f00" if output else "white"
    circle = Circle((STEP * node, 0), RADIUS, facecolor=colour, edgecolor="0.25", zorder=3)
    panel.add_patch(circle)
    panel.text(STEP * node, 0, str(node), ha="center", va="center", zorder=4)
    role = "input" if node < found.inputs else "to the output" if output else ""
    panel.text(STEP * node, -RADIUS - 0.12, role, ha="center", va="top", fontsize=8, color="0.35")
    return circle


def draw_edge(panel: Axes, link: Link, circles: Sequence[Circle]) -> None:
    """An arrow, straight between neighbours, else bent."""
    start, end = STEP * link.source, STEP * link.target
    ends: dict[str, Any] = {"patchA": circles[link.source], "patchB": circles[link.target]}
    panel.add_patch(FancyArrowPatch((start, 0), (end, 0), connectionstyle=f"arc3,rad={bend(link)}", **ends, **ARROW))
    panel.text((start + end) / 2, height(link) + 0.08, link.choice, ha="center", va="bottom", fontsize=9)


def bend(link: Link) -> float:
    """Of an edge that passes over nodes: below them from odd nodes, so that it crosses fewer others."""
    straight = link.target - link.source == 1
    return 0.0 if straight else BEND if link.source % 2 else -BEND


def height(link: Link) -> float:
    """Of the middle of an edge: where an arc of matplotlib's is farthest from its chord."""
    return -bend(link) * STEP * (link.target - link.source) / 2


def candidates(space: Space, found: Cell) -> list[str]:
    """A line for each choice and its candidates, choices with the same ones together."""
    names = {link.choice for link in found.links}
    choices = [choice for choice in space.choices if choice.name in names]
    together = groupby(choices, key=lambda choice: choice.candidates)
    lines = [f"{', '.join(one.name for one in group)}: {', '.join(each)}" for each, group in together]
    return [part for line in lines for part in wrap(line, LETTERS)]
