"""The tree of splits, and for each split how alike its candidates were and where it was cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from cleave.pages.branch import Tree
from cleave.report import Cell, Details, Element, HeatMap, Nested, PageTable, Section
from cleave.split import label

ROOT = label(())
LONG = 100
"""From there on a similarity has no room for decimals in its cell: minus a difference of parameters."""


def split_sections(told: Mapping[str, Any], tree: Tree) -> list[Section]:
    """`told` is what `cleave show --json` prints, `tree` the content of tree.json; nothing where there is no split."""
    splits = {split["leaf"]: split for split in told["splits"]}
    if not splits:
        return []
    compared = {label(tuple(node["path"])): node["split"]["scores"] for node in tree if node["split"] is not None}
    maps = [
        Details(title(split), [similarity_map(split), *choices_compared(compared[leaf])])
        for leaf, split in splits.items()
        if split["similarities"]
    ]
    shown = [*maps[0].parts, *maps[1:]] if maps else []  # one at once: each has many cells to go through
    return [Section("splits", "Splits", [nested(told, splits, ROOT, ""), *shown])]


def nested(told: Mapping[str, Any], splits: Mapping[str, Mapping[str, Any]], leaf: str, group: str) -> Nested:
    """A node with what is below it: its split, or what it came to."""
    begun = f"{leaf}: {group}" if group else leaf
    if leaf in splits:
        split = splits[leaf]
        below = [
            nested(told, splits, str(number) if leaf == ROOT else f"{leaf}.{number}", ", ".join(each))
            for number, each in enumerate(split["groups"])
        ]
        return Nested(f"{begun}; split at {split['choice']}", below)
    accuracy = {each["path"]: f"; held out {each['valid_accuracy']:.2f} %" for each in told["leaves"]}
    chosen = leaf == told["chosen"]["path"]
    return Nested(f"{begun}{accuracy.get(leaf, '; nothing connected')}{'; chosen' * chosen}", strong=chosen)


def title(split: Mapping[str, Any]) -> str:
    cut = f"cut {split['cut']:.3f}: {written(split['groups'])}"
    return f"{split['leaf']}: similarities at {split['choice']}, {cut}"


def written(groups: Sequence[Sequence[str]]) -> str:
    return " | ".join(", ".join(group) for group in groups)


def similarity_map(split: Mapping[str, Any]) -> HeatMap:
    """Candidates in the order of their groups, which lines divide; the keyboard reaches each pair once."""
    order = [name for group in split["groups"] for name in group]
    group_of = {name: number for number, group in enumerate(split["groups"]) for name in group}
    index = {name: split["candidates"].index(name) for name in order}
    cells = [
        [
            None if one == other else
            similarity_cell(one, other, split["similarities"][index[one]][index[other]], group_of, row < column)
            for column, other in enumerate(order)
        ]
        for row, one in enumerate(order)
    ]  # fmt: skip
    starts = set(accumulate(len(group) for group in split["groups"][:-1]))
    return HeatMap(title(split), order, cells, starts=starts)


def similarity_cell(one: str, other: str, value: float, group_of: Mapping[str, int], reached: bool) -> Cell:
    """The pair, its similarity, and whether it was cut."""
    what = "in one group" if group_of[one] == group_of[other] else "cut apart"
    text = f"{value:.2f}" if abs(value) < LONG else f"{value:.2g}"
    return Cell(value, text, f"{one} and {other}: {value:.4f}, {what}", reached)


def choices_compared(scores: Mapping[str, Mapping[str, Any]]) -> list[Element]:
    """What the cut would have been at each choice; the loosest is split."""
    if len(scores) < 2:
        return []
    rows = [
        (
            choice,
            f"{score['cut']:.3f}",
            f"{score['mean_link']:.3f}",
            written(score["groups"]),
        )
        for choice, score in sorted(scores.items(), key=lambda each: each[1]["mean_link"])
    ]
    table = PageTable("The loosest first", ("choice", "cut", "mean of what is cut", "groups"), rows)
    return [Details(f"All {len(rows)} choices compared", [table])]
