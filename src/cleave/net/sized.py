"""A space whose networks have one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cleave.space import Layout, Space


@dataclass(frozen=True)
class Sized:
    """A space, its networks at one size, and what they are given and give: (channels, height, width), classes."""

    space: Space
    size: Any
    image: tuple[int, int, int]
    classes: int

    @property
    def layout(self) -> Layout:
        return self.space.layout(self.size, self.image[0])
