"""An architecture as an SVG picture: cells as graphs, chains as paths. The same bytes for the same architecture.

Nodes are rows. An edge is an arrow downwards in a column that it has to itself on its way, its label in the gap below
the row that it leaves: so no label lies on another one, or on a line, whatever the graph.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape as escape_all
from itertools import accumulate

from cleave.ops import Operations
from cleave.space.choice import Arch
from cleave.space.layout import Block, Graph, Layout, Link
from cleave.space.space import Space

escape = partial(escape_all, quote=False)

LETTER, ROW, MARGIN, HEADING = 7.3, 44, 16, 30
"""Pixels: of a letter at 12 pixels, which is the same for all; between rows; around all; above the first row."""
LEAST = 560
"""Pixels that a picture is wide at least, so that its letters are not blown up in a page."""
STYLE = """
.arch text{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12px;fill:#1b1b1b}
.arch .heading{font-weight:bold}
.arch .paper{fill:#fff}
.arch .row{stroke:#999}
.arch .edge path{stroke:#0b5fa5;stroke-width:1.5;fill:none}
.arch .edge .head,.arch circle{stroke:none;fill:#0b5fa5}
.arch .identity path{stroke-dasharray:6 4}
.arch .zero path{stroke-dasharray:1 4}
@media screen and (prefers-color-scheme:dark){
.arch text{fill:#e6e6e6}
.arch .paper{fill:#16181b}
.arch .row{stroke:#777}
.arch .edge path{stroke:#6db3f2}
.arch .edge .head,.arch circle{stroke:none;fill:#6db3f2}
}
"""
"""Colours are plain, since not every program that shows drawings knows variables; dark ones are for screens only."""


@dataclass(frozen=True)
class Picture:
    """A graph with what an architecture chose for its links."""

    heading: str
    graph: Graph
    arch: Arch

    @property
    def links(self) -> tuple[Link, ...]:
        return tuple(sorted(self.graph.links, key=lambda link: (link.source, link.target)))


def pictures(layout: Layout, arch: Arch) -> list[Picture]:
    """One of each kind of block in which choices act. Paths that follow each other are one, with each choice once."""
    found, seen = list[Picture](), set[str]()
    for _, block in layout.blocks:
        new = set(block.choices) - seen
        if not new:
            continue
        seen |= new
        graph = kept(block.graph, new & set(arch) if block.graph.path else set(arch))
        if found and found[-1].graph.path and graph.path:
            found[-1] = replace(found[-1], graph=joined(found[-1].graph, graph))
        else:
            found.append(Picture(heading(block), graph, arch))
    return found


def heading(block: Block) -> str:
    """The kind of block, after what the names of its choices have in common before a slash, as in normal/3<-1."""
    kinds = {choice.rpartition("/")[0] for choice in block.choices}
    common = kinds.pop() if len(kinds) == 1 else ""
    return f"{common} {type(block).__name__.lower()}".strip() + "s" * block.graph.path


def kept(graph: Graph, choices: set[str]) -> Graph:
    """With the links of these choices alone."""
    links = tuple(link for link in graph.links if link.choice in choices)
    if not graph.path:
        return replace(graph, links=links)
    moved = tuple(Link(link.choice, number, number + 1) for number, link in enumerate(links))
    return replace(graph, nodes=(graph.nodes[0], *(graph.nodes[link.target] for link in links)), links=moved)


def joined(one: Graph, other: Graph) -> Graph:
    """One path behind another."""
    first = len(one.nodes) - 1
    links = (replace(link, source=link.source + first, target=link.target + first) for link in other.links)
    return replace(one, nodes=(*one.nodes, *other.nodes[1:]), links=(*one.links, *links))


def columns(links: Sequence[Link]) -> list[int]:
    """The column of each link, in the order of their sources: the first that is free from there on."""
    ends, found = list[int](), list[int]()
    for link in links:
        column = next((number for number, end in enumerate(ends) if end <= link.source), len(ends))
        ends[column : column + 1] = [link.target]
        found.append(column)
    return found


def width(text: str) -> float:
    return LETTER * len(text)


def svg(space: Space, layout: Layout, arch: Arch) -> str:
    """The whole file, with a title, a description and the architecture as its space writes it."""
    parts, top, wide = list[str](), MARGIN, float(LEAST)
    for picture in pictures(layout, arch):
        drawn, right = draw(picture, top, layout.known)
        parts += ["<g>", *drawn, "</g>"]
        top += HEADING + ROW * len(picture.graph.nodes)
        wide = max(wide, right + MARGIN)
    told = json.dumps({"space": space.name, "arch": space.format(arch)})
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="arch" role="img" viewBox="0 0 {wide:.0f} {top}" '
            f'width="{wide:.0f}" height="{top}" style="max-width:{wide:.0f}px">',
            f"<title>An architecture of {escape(space.name)}</title>",
            f"<desc>{escape(space.draw(arch))}</desc>",
            f"<metadata>{escape(told)}</metadata>",
            f"<style>{STYLE}</style>",
            '<rect class="paper" width="100%" height="100%"/>',
            *parts,
            "</svg>\n",
        ]
    )


def draw(picture: Picture, top: int, operations: Operations) -> tuple[list[str], float]:
    """A picture's elements below `top`, and how far they reach to the right."""
    rows = [top + HEADING + ROW // 2 + ROW * node for node in range(len(picture.graph.nodes))]
    left = MARGIN + max(map(width, picture.graph.nodes)) + 20
    lanes = columns(picture.links)
    widths = [
        max(width(picture.arch[link.choice]) for link, lane in zip(picture.links, lanes, strict=True) if lane == each)
        + 28
        for each in range(max(lanes, default=-1) + 1)
    ]
    places = list(accumulate(widths, initial=left))
    xs = [places[lane] for lane in lanes]
    ends = dict.fromkeys(range(len(rows)), left)
    for link, x in zip(picture.links, xs, strict=True):
        ends |= {node: max(ends[node], x) for node in (link.source, link.target)}
    elements = [f'<text class="heading" x="{MARGIN}" y="{top + 12}">{escape(said(picture))}</text>']
    elements += node_elements(picture.graph.nodes, rows, left, ends)
    for link, x in zip(picture.links, xs, strict=True):
        elements.append(edge_element(picture.arch[link.choice], x, rows[link.source], rows[link.target], operations))
    return elements, places[-1]


def said(picture: Picture) -> str:
    """The heading, and what the output is where no node is that."""
    outputs = ", ".join(map(str, picture.graph.outputs))
    return f"{picture.heading}: the output is nodes {outputs}, concatenated" if outputs else picture.heading


def node_elements(names: Iterable[str], rows: Sequence[int], left: float, ends: dict[int, float]) -> Iterator[str]:
    for (node, name), y in zip(enumerate(names), rows, strict=True):
        yield f'<text class="node" x="{MARGIN}" y="{y + 4}">{escape(name)}</text>'
        yield f'<path class="row" d="M{left - 12:.1f} {y}H{ends[node] + 6:.1f}"/>'


def edge_element(operation: str, x: float, start: int, end: int, operations: Operations) -> str:
    """A dot where it comes from, an arrow head where it leads, and its label below the dot."""
    kind = " identity" if operations.is_identity(operation) else " zero" if operations.is_zero(operation) else ""
    return (
        f'<g class="edge{kind}"><circle cx="{x:.1f}" cy="{start}" r="3"/><path d="M{x:.1f} {start}V{end - 7}"/>'
        f'<path class="head" d="M{x:.1f} {end}l-4-8h8z"/>'
        f'<text x="{x + 8:.1f}" y="{start + ROW // 2 + 4}">{escape(operation)}</text></g>'
    )
