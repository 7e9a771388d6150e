"""`cleave space`: what a search space is."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from cleave.config import Raw, checked, parse_change, put
from cleave.net import build, cost, count_parameters
from cleave.net.sized import Sized
from cleave.settings import AnySpace, Positive, Settings
from cleave.space import find_space
from cleave.space.sample import enumerate_valid
from cleave.testing import check_space

LISTED = 1_000
"""Architectures at most that are listed one by one."""
COLUMNS = 80
"""Of a terminal."""


class DescribeSettings(Settings):
    """What `--set` may change beside the space's own keys, whose size is the published one unless given."""

    space: AnySpace
    classes: Positive | None = None  # null: as published
    image_channels: Positive = 3
    image_size: Positive | None = None  # pixels on a side; null: as published


def sized(raw: Raw, changes: Sequence[str] = ()) -> Sized:
    """What `DescribeSettings` say, with changes whose keys may be those of the space ("channels", "space.channels")."""
    for change in changes:
        key, value = parse_change(change)
        put(raw, key if key in DescribeSettings.model_fields else f"space.{key.removeprefix('space.')}", value)
    question = checked(DescribeSettings, raw)
    space = find_space(question.space)
    side = question.image_size or space.paper_image_size
    size = question.space.at(space.paper_size).size
    return Sized(space, size, (question.image_channels, side, side), question.classes or space.paper_classes)


def describe(name: str, changes: Sequence[str], check: bool = False) -> dict[str, Any]:
    """{"name", "size", "choices", "image_size", "classes", "supernet_parameters", "parameters", "multiply_adds",
    "architectures"}.

    The cost of architectures trained alone: {"min", "max"}, and where there are at most `LISTED` valid ones a list of
    {"arch", "parameters", "multiply_adds"}, else null. `check`: first hold it to the laws (`cleave.testing`).
    Keys may be written as in a recipe ("space.channels").
    """
    found = sized({"space": {"name": name}}, changes)
    space = found.space
    if check:
        check_space(space)
    supernet = build(found.layout, space.region, found.classes, seed=0)
    return {
        "name": space.name,
        "size": space.count(space.region),
        "choices": [{"name": choice.name, "candidates": list(choice.candidates)} for choice in space.choices],
        "image_size": found.image[1],
        "classes": found.classes,
        "supernet_parameters": count_parameters(supernet),
        **costs_of(found),
    }


def costs_of(found: Sized) -> dict[str, Any]:
    """What architectures cost; the extremes without looking at each, since costs add up place by place."""
    space, costs = found.space, cost.costs(found.space, found.size, found.image, found.classes)
    listed = enumerate_valid(space, space.region) if space.count(space.region) <= LISTED else None
    return {
        **{
            what: dict(zip(("min", "max"), costs.extremes(space.parts(space.region), what), strict=True))
            for what in ("parameters", "multiply_adds")
        },
        "architectures": None if listed is None else [
            {"arch": space.format(arch), **costs.of(arch).counts} for arch in listed
        ],
    }  # fmt: skip


def text(description: dict[str, Any]) -> str:
    """The same for a person."""
    ranges = {what: description[what] for what in ("parameters", "multiply_adds")}
    images = f"of images of {description['image_size']} pixels and {description['classes']} classes"
    supernet = f"{description['supernet_parameters']:,} parameters in the supernet"
    return "\n".join(
        [
            fill(f"{description['name']}: {description['size']:,} architectures, {supernet}", COLUMNS),
            *(f"alone: {each['min']:,} to {each['max']:,} {what.replace('_', '-')}" for what, each in ranges.items()),
            images,
            *choice_lines(description["choices"]),
        ]
    )


def choice_lines(choices: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each choice; where that is too wide, those with the same candidates together."""
    width = max((len(choice["name"]) for choice in choices), default=0)
    lines = [f"  {choice['name']:{width}}  {', '.join(choice['candidates'])}" for choice in choices]
    if max(map(len, lines), default=0) <= COLUMNS:
        return lines
    alike: dict[str, list[str]] = {}
    for choice in choices:
        alike.setdefault(", ".join(choice["candidates"]), []).append(choice["name"])
    told = [f"{', '.join(names)}: each one of {candidates}" for candidates, names in alike.items()]
    return [fill(each, COLUMNS, initial_indent="  ", subsequent_indent="    ") for each in told]
