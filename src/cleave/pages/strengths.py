"""How architecture weights went in the supernets on the way to the chosen leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cleave.pages.branch import Tree, is_above, paths_of
from cleave.report import Element, Legend, LineChart, Paragraph, Section, Series, SideBySide
from cleave.space import Arch
from cleave.split import label

Points = dict[str, list[tuple[float, float]]]
"""By candidate."""


def strength_sections(events: Sequence[Mapping[str, Any]], tree: Tree, arch: Arch, chosen: str) -> list[Section]:
    """A small chart for each choice; none where the method has no such weights."""
    found = {choice: points for choice, points in followed(events, tree, chosen).items() if len(points) > 1}
    if not found:
        return []
    text = "From the root to the chosen leaf, epoch by epoch; a candidate ends where it was cut off. Thick: the chosen."
    alike = dict[tuple[str, ...], list[str]]()
    for choice, points in found.items():
        alike.setdefault(tuple(points), []).append(choice)
    parts: list[Element] = [Paragraph(text)]
    for candidates, choices in alike.items():
        charts = [LineChart(each, lines(found[each], arch.get(each)), "", "", small=True) for each in choices]
        parts += [Legend(candidates), SideBySide(charts)]
    return [Section("weights", "Architecture weights", parts)]


def lines(points: Points, derived: str | None) -> list[Series]:
    return [Series(candidate, values, strong=candidate == derived) for candidate, values in points.items()]


def followed(events: Sequence[Mapping[str, Any]], tree: Tree, chosen: str) -> dict[str, Points]:
    """By choice and candidate, how it went over all epochs of the leaf and those above it."""
    paths = paths_of(tree)
    regions = {label(tuple(node["path"])): node["region"]["allowed"] for node in tree}
    way = {leaf for leaf, path in paths.items() if is_above(path, paths[chosen])}
    epochs = [event for event in events if event["kind"] == "epoch" and event["leaf"] in way]
    found = dict[str, Points]()
    for number, event in enumerate(epochs, start=1):
        for choice, weights in event["strengths"].items():
            for candidate, weight in zip(regions[event["leaf"]][choice], weights, strict=True):
                found.setdefault(choice, {}).setdefault(candidate, []).append((number, weight))
    return found
