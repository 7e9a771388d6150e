"""Architectures that compute the same: they differ only on edges that lead nowhere, or come from nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from cleave.space import Arch, Layout
from cleave.space.live import live_choices


def same_outputs(layout: Layout, archs: Sequence[Arch]) -> list[int]:
    """For each architecture the position of the first one whose network gives the same outputs under shared weights."""
    first: dict[tuple[str | None, ...], int] = {}
    return [first.setdefault(essence(layout, arch), position) for position, arch in enumerate(archs)]


def essence(layout: Layout, arch: Arch) -> tuple[str | None, ...]:
    """What is chosen where it matters, and None where anything would do."""
    live = live_choices(layout, arch)
    return tuple(candidate if choice in live else None for choice, candidate in arch.items())
