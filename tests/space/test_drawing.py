"""Drawings are read back from their lines and labels alone, and nothing in them lies on anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from cleave.ops import Operation
from cleave.space import Arch, Cell, Layout, Link, Space, find_space
from cleave.space.drawing import LETTER, STYLE, columns, svg
from cleave.space.layout import Block
from tests.fresh import fresh
from tests.registries import as_they_were
from tests.toys import TOYS

NAMES = ("nasbench201", "cells64", "darts", "chain")
SVG = "{http://www.w3.org/2000/svg}"
random = fresh()


@pytest.fixture(autouse=True)
def _spaces() -> Iterator[None]:
    with as_they_were():
        yield


def space_of(name: str) -> Space:
    chain = Path(__file__).parents[2] / "docs" / "examples" / "chain.py:Chain"
    return find_space(str(chain) if name == "chain" else name)


def drawn(space: Space, arch: Arch) -> ElementTree.Element:
    return ElementTree.fromstring(svg(space, space.layout(space.paper_size, 3), arch))


def some(space: Space) -> Arch:
    return space.sample(space.region, torch.Generator().manual_seed(int(random.integers(2**31))))


class Edge(NamedTuple):
    picture: str
    source: str
    target: str
    operation: str


def read(root: ElementTree.Element) -> list[Edge]:
    """What somebody sees: arrows from row to row, each with the words beside its beginning."""
    found = []
    for group in root.findall(f"{SVG}g"):
        texts = group.findall(f"{SVG}text")
        heading = next(each.text or "" for each in texts if each.get("class") == "heading").partition(":")[0]
        heights = [float(re.search(r" (\d+)H", row.get("d", ""))[1]) for row in group.findall(f"{SVG}path")]  # type: ignore[index]
        names = {each.text or "": float(each.get("y", "")) - 4 for each in texts if each.get("class") == "node"}
        assert sorted(names.values()) == heights
        node = {height: name for name, height in names.items()}
        for edge in group.findall(f"{SVG}g"):
            line, head = edge.findall(f"{SVG}path")
            x, start, end = map(float, re.fullmatch(r"M([\d.]+) (\d+)V(\d+)", line.get("d", "")).groups())  # type: ignore[union-attr]
            tip = re.fullmatch(r"M([\d.]+) (\d+)l-4-8h8z", head.get("d", ""))
            assert tip is not None
            assert (float(tip[1]), float(tip[2])) == (x, end + 7)
            label = edge.find(f"{SVG}text")
            assert label is not None
            assert 0 < float(label.get("x", "")) - x < 9
            assert 0 < float(label.get("y", "")) - start < 44
            found.append(Edge(heading, node[start], node[float(tip[2])], label.text or ""))
    return found


@pytest.mark.parametrize("ops", [7, 8])
def test_a_genotype_is_read_back_from_its_lines(ops: int) -> None:
    space = find_space("darts", ops)
    for _ in range(20):
        arch = some(space)
        edges = read(drawn(space, arch))
        assert len(edges) == 16
        cells = [(edge.picture.removesuffix(" cell"), edge) for edge in edges]
        again = {f"{kind}/{edge.target[-1]}<-{edge.source[-1]}": edge.operation for kind, edge in cells}
        assert again == arch
        assert space.parse(space.format(again)) == arch


def test_a_cell_of_nas_bench_201_is_read_back_from_its_lines() -> None:
    space = find_space("nasbench201")
    number = {"input": 0, "node 1": 1, "node 2": 2, "output": 3}
    for _ in range(20):
        arch = some(space)
        edges = read(drawn(space, arch))
        assert {f"{number[edge.target]}<-{number[edge.source]}": edge.operation for edge in edges} == arch


def test_a_chain_is_one_path_of_its_layers() -> None:
    space = space_of("chain")
    arch = some(space)
    edges = read(drawn(space, arch))
    assert [edge.source for edge in edges] == ["input", *(edge.target for edge in edges[:-1])]
    assert {edge.target: edge.operation for edge in edges} == arch
    assert {edge.picture for edge in edges} == {"layers"}


@pytest.mark.parametrize("toy", TOYS)
def test_every_kind_of_space_shows_each_choice_that_is_made(toy: type[Space]) -> None:
    space = toy()
    for _ in range(3):
        arch = some(space)
        acting = {choice for _, block in space.layout(space.paper_size, 3).blocks for choice in block.choices}
        labels = sorted(edge.operation for edge in read(drawn(space, arch)))
        assert labels == sorted(candidate for choice, candidate in arch.items() if choice in acting)


def test_a_path_closes_up_where_a_layer_is_left_out() -> None:
    space = space_of("chain")
    arch = {choice: op for choice, op in some(space).items() if choice not in ("layer0", "layer4")}
    edges = read(ElementTree.fromstring(svg_of_any(space, arch)))
    assert [edge.target for edge in edges] == sorted(arch)
    assert [edge.source for edge in edges] == ["input", *sorted(arch)[:-1]]


def svg_of_any(space: Space, arch: Arch) -> str:
    """Also of what the space itself could not write down."""
    written = type("Written", (type(space),), {"format": lambda self, arch: str(arch)})
    return svg(written(), space.layout(space.paper_size, 3), arch)


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)


def boxes(root: ElementTree.Element) -> tuple[list[Box], list[Box]]:
    """The texts, and the lines, each with its width."""
    texts = [(float(e.get("x", "")), float(e.get("y", "")), len(e.text or "")) for e in root.iter(f"{SVG}text")]
    lines = [re.match(r"M([\d.]+) (\d+)([HV])([\d.]+)", e.get("d", "")) for e in root.iter(f"{SVG}path")]
    ends = [(float(m[1]), float(m[2]), m[3], float(m[4])) for m in lines if m]
    return [Box(x, y - 10, x + LETTER * count, y + 3) for x, y, count in texts], [
        Box(x, y - 1, end, y + 1) if way == "H" else Box(x - 4, y, x + 4, end) for x, y, way, end in ends
    ]


def check_apart(root: ElementTree.Element) -> None:
    """No label on a label or a line, none outside, and arrows only in columns of their own."""
    texts, lines = boxes(root)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    assert not [pair for pair in combinations(texts, 2) if pair[0].meets(pair[1])]
    assert not [(text, line) for text in texts for line in lines if text.meets(line)]
    assert all(box.left >= 0 and box.right <= width and box.bottom <= height for box in texts + lines)
    upright = [line for line in lines if line.bottom - line.top > 2]
    assert not [pair for pair in combinations(upright, 2) if pair[0].meets(pair[1])]


def random_space() -> tuple[Space, Arch]:
    """A cell of any graph, its operations with names of any length."""
    nodes, inputs = int(random.integers(3, 9)), int(random.integers(1, 3))
    pairs = [(a, b) for b in range(inputs, nodes + inputs) for a in range(b) if random.random() < 0.6] or [(0, inputs)]
    links = tuple(Link(f"{b}<-{a}", a, b) for a, b in pairs)
    operations = {"o" * int(random.integers(1, 30)): Operation(print) for _ in range(5)}  # type: ignore[arg-type]
    blocks: list[tuple[str, Block]] = [("cell", Cell(4, links, (max(b for _, b in pairs),), inputs))]
    layout = Layout(tuple(blocks), 4, operations=operations)
    arch = {link.choice: str(random.choice(list(operations))) for link in links}
    space = type("AnySpace", (Space,), {
        "name": "any", "paper_size": None, "choices": (), "parse": lambda self, text: {},
        "format": lambda self, arch: str(arch), "layout": lambda self, size, channels: layout,
    })()  # fmt: skip
    return space, arch


def any_architectures() -> Iterator[tuple[Space, Arch]]:
    for name in NAMES:
        yield from ((space_of(name), some(space_of(name))) for _ in range(10))
    yield from (random_space() for _ in range(60))


def test_nothing_lies_on_anything_else() -> None:
    for space, arch in any_architectures():
        check_apart(drawn(space, arch))


def test_what_lies_on_something_else_would_be_seen() -> None:
    space = find_space("darts")
    text = svg(space, space.layout(space.paper_size, 3), some(space))
    places = re.findall(r'<text x="([\d.]+)" y="(\d+)">', text)
    (x, y), (other, below) = places[0], places[1]
    moved = text.replace(f'<text x="{x}" y="{y}">', f'<text x="{other}" y="{below}">')
    with pytest.raises(AssertionError):
        check_apart(ElementTree.fromstring(moved))


def test_columns_are_those_of_the_slow_way() -> None:
    """Taken one after the other, each link goes where no earlier one is on its way."""
    for _ in range(50):
        pairs = sorted((int(a), int(a + d)) for a, d in random.integers(1, 6, size=(12, 2)))
        taken: list[set[int]] = []
        for (source, target), column in zip(pairs, columns([Link("", *pair) for pair in pairs]), strict=True):
            way = set(range(source, target))
            free = [number for number, cells in enumerate([*taken, set()]) if not cells & way]
            assert column == free[0]
            taken += [set()] * (column == len(taken))
            taken[column] |= way


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_shows_in_words_and_is_always_the_same(name: str) -> None:
    space = space_of(name)
    arch = some(space)
    layout = space.layout(space.paper_size, 3)
    text = svg(space, layout, arch)
    assert text == svg(space, layout, dict(reversed(arch.items())))
    assert len(text.encode()) < 8_000
    root = ElementTree.fromstring(text)
    assert [child.tag.removeprefix(SVG) for child in root][:3] == ["title", "desc", "metadata"]
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == f"An architecture of {space.name}"
    assert root.findtext(f"{SVG}desc") == space.draw(arch)
    told = json.loads(root.findtext(f"{SVG}metadata") or "")
    assert told == {"space": space.name, "arch": space.format(arch)}
    assert space.parse(told["arch"]) == arch
    assert not {"script", "image", "use", "foreignObject"} & {each.tag.removeprefix(SVG) for each in root.iter()}
    assert "url(" not in text
    assert "href" not in text


def test_any_names_can_be_drawn() -> None:
    space, arch = random_space()
    odd = dict.fromkeys(arch, '</text><script>"&')
    assert {edge.operation for edge in read(drawn(space, odd))} == {'</text><script>"&'}


def luminance(colour: str) -> float:
    """Of WCAG 2, from #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_it_can_be_read_in_the_light_and_in_the_dark() -> None:
    light, dark = STYLE.split("@media screen and (prefers-color-scheme:dark)")
    for style in (light, dark):
        colours = {
            rule: re.search(rf"\.arch {re.escape(rule)}{{[^}}]*(?:fill|stroke):(#\w+)", style)
            for rule in ("text", ".paper", ".row", ".edge path")
        }
        bright = {rule: luminance(found[1]) + 0.05 for rule, found in colours.items() if found}
        contrast = {rule: max(each, bright[".paper"]) / min(each, bright[".paper"]) for rule, each in bright.items()}
        assert contrast["text"] > 7
        assert contrast[".edge path"] > 4.5
        assert contrast[".row"] > 2.5
