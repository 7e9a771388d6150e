"""What a weight step learns, and the phases of a training whose networks grow smaller one dimension after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from cleave.net import Gates
from cleave.train.rates import cosine


@dataclass(frozen=True)
class Lesson:
    """One network of a weight step, and by what it learns: its loss is `labels` times that by the labels, and `taught`
    times the cross entropy with the answers of a teacher.

    The teacher is the first network of the step or, with `teacher`, the kept weights under these gates.
    """

    gates: Gates
    labels: float = 1.0
    taught: float = 0.0
    teacher: Gates | None = None


@dataclass(frozen=True)
class Phase:
    """A part of a node's training with learning rates of its own.

    They rise over `rise` epochs and then fall to `lowest`.

    `largest`: of how many of the largest numbers networks are, by dimension, as in {"k": 2} for the two largest
    kernels; of a dimension that is not named, of all. `networks` are trained in a weight step. In front of the phase
    momentum is forgotten; `keeps`: the weights are kept as a teacher; `sorts`: channels are sorted, those apart that
    networks of the phase before took.
    """

    epochs: int
    learning_rate: float
    rise: int = 0
    networks: int = 1
    largest: Mapping[str, int] = field(default_factory=dict)
    lowest: float = 0.0
    keeps: bool = False
    sorts: bool = False

    def rate(self, epoch: int) -> float:
        return cosine(epoch, self.epochs, self.learning_rate, self.lowest, min(self.rise, self.epochs - 1))


@dataclass(frozen=True)
class PhaseEpoch:
    """Epoch `epoch` of phase `number`."""

    number: int
    epoch: int


def phase_at(phases: Sequence[Phase], epoch: int) -> PhaseEpoch:
    """Where an epoch of the whole training is; that behind the last is one more of the last phase."""
    ends = list(accumulate(phase.epochs for phase in phases))
    number = min(sum(epoch >= end for end in ends), len(phases) - 1)
    return PhaseEpoch(number, epoch - (ends[number] - phases[number].epochs))


def shared_out(epochs: int, shares: Sequence[float]) -> list[int]:
    """`epochs` in parts as large as `shares`, one at least each: one after the other goes to what misses most."""
    total, parts = sum(shares), [1] * len(shares)
    for _ in range(epochs - len(parts)):
        missing = [epochs * share / total - part for share, part in zip(shares, parts, strict=True)]
        parts[missing.index(max(missing))] += 1
    return parts
