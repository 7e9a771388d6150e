"""Architectures that compute the same: they differ only on edges that lead nowhere, or come from nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from cleave.space import Arch, Layout


def same_outputs(layout: Layout, archs: Sequence[Arch]) -> list[int]:
    """For each architecture the position of the first one whose network gives the same outputs under shared weights."""
    first: dict[frozenset[tuple[str, str]], int] = {}
    return [first.setdefault(essence(layout, arch), position) for position, arch in enumerate(archs)]


def essence(layout: Layout, arch: Arch) -> frozenset[tuple[str, str]]:
    """What is chosen where it matters."""
    return frozenset((choice, arch[choice]) for choice in layout.live(arch))
