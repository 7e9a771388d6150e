"""`cleave space`: what a search space is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cleave.config import Raw, checked, parse_change, put
from cleave.net import build, count_parameters
from cleave.settings import Positive, Settings
from cleave.space import NetworkSize, find_space


class Question(Settings):
    """What `--set` may change; the size is the published one unless given."""

    ops: int | list[str] | None = None
    channels: Positive | None = None
    cells: Positive | None = None
    classes: Positive = 10
    image_channels: Positive = 3


def describe(name: str, changes: Sequence[str]) -> dict[str, Any]:
    """{"name", "size", "choices", "supernet_parameters"}; keys may be written as in a recipe ("space.channels")."""
    raw: Raw = {}
    for change in changes:
        key, value = parse_change(change)
        put(raw, key.removeprefix("space."), value)
    question = checked(Question, raw)
    space = find_space(name, question.ops)
    paper = space.paper_size
    size = NetworkSize(question.channels or paper.channels, question.cells or paper.cells)
    supernet = build(space.layout(size, question.image_channels), space.region, question.classes, seed=0)
    return {
        "name": space.name,
        "size": space.region.size,
        "choices": [{"name": choice.name, "candidates": list(choice.candidates)} for choice in space.choices],
        "supernet_parameters": count_parameters(supernet),
    }


def text(description: dict[str, Any]) -> str:
    """The same for a person."""
    width = max(len(choice["name"]) for choice in description["choices"])
    return "\n".join(
        [
            f"{description['name']}: {description['size']:,} architectures, "
            f"{description['supernet_parameters']:,} parameters in the supernet",
            *(f"  {choice['name']:{width}}  {', '.join(choice['candidates'])}" for choice in description["choices"]),
        ]
    )
