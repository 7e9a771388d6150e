"""Search spaces: named choices, regions of them, and the layout of their networks as data."""

from cleave.space.choice import Arch, Choice
from cleave.space.layout import Cell, Fixed, Layer, Layout, Link
from cleave.space.region import Region
from cleave.space.registry import find_space, register_space
from cleave.space.space import NetworkSize, Space

__all__ = [
    "Arch",
    "Cell",
    "Choice",
    "Fixed",
    "Layer",
    "Layout",
    "Link",
    "NetworkSize",
    "Region",
    "Space",
    "find_space",
    "register_space",
]
