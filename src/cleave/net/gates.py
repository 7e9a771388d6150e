"""Which candidates of each choice run in one pass, and with what weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from cleave.space import Arch


@dataclass(frozen=True)
class Gate:
    """The active candidates of one choice. `weight` is [active], or None where each counts once.

    The names are Python strings, so leaving a candidate out costs no wait for the device.
    """

    active: tuple[str, ...]
    weight: Tensor | None = None


Gates = Mapping[str, Gate]


def one_hot(arch: Arch) -> Gates:
    """Only the architecture's own candidates run."""
    return {choice: Gate((candidate,)) for choice, candidate in arch.items()}
