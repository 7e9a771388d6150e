"""Search spaces: named choices, regions of them, and the layout of their networks as data."""

from cleave.settings import NetworkSettings, NetworkSize, SpaceSettings
from cleave.space.choice import Arch, Choice
from cleave.space.layout import Auxiliary, Cell, Fixed, Head, Layer, Layout, Link
from cleave.space.limits import Limited
from cleave.space.region import Region
from cleave.space.registry import find_space, register_space
from cleave.space.space import Space

__all__ = [
    "Arch",
    "Auxiliary",
    "Cell",
    "Choice",
    "Fixed",
    "Head",
    "Layer",
    "Layout",
    "Limited",
    "Link",
    "NetworkSettings",
    "NetworkSize",
    "Region",
    "Space",
    "SpaceSettings",
    "find_space",
    "register_space",
]
