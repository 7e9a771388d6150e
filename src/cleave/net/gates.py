"""Which candidates of each choice run in one pass, and with what weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from cleave.space import Arch, Layout


@dataclass(frozen=True)
class Gate:
    """The active candidates of one choice; none where nothing runs.

    `weight` is [active], or None where each counts once. `idle` are those whose weight is 0: what they give says only
    which gradient their weight has, so that no gradient goes through them. The names are Python strings, so that
    leaving a candidate out costs no wait for the device.
    """

    active: tuple[str, ...]
    weight: Tensor | None = None
    idle: frozenset[str] = frozenset()


Gates = Mapping[str, Gate]
"""By choice; nothing runs of a choice that is not named."""


def one_hot(arch: Arch) -> Gates:
    """Only the architecture's own candidates run."""
    return {choice: Gate((candidate,)) for choice, candidate in arch.items()}


def chosen(gates: Gates) -> Arch:
    """The architecture that runs, where each choice has one active candidate or none."""
    assert all(len(gate.active) <= 1 for gate in gates.values()), "several candidates run"
    return {choice: gate.active[0] for choice, gate in gates.items() if gate.active}


def only_live(layout: Layout, arch: Arch) -> Gates:
    """The same outputs without running what they do not depend on: for evaluation.

    In training it would not do: a weight that runs without effect has a gradient, zero, and is decayed.
    """
    live = layout.live(arch)
    return {choice: Gate((candidate,) if choice in live else ()) for choice, candidate in arch.items()}
