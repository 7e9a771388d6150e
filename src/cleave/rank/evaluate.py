"""Accuracies of many children under the weights of one supernet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cleave.data.stream import Batch
from cleave.engine.stop import Stop
from cleave.net import Gates, Network
from cleave.train import BATCH, Child, Evaluator, Statistics

PIECE = 125
"""Children evaluated in one go: they share their beginning, and between pieces progress is told."""


@dataclass(frozen=True)
class Exam:
    """What children are judged on.

    batches: held-out images, normalised. calibration: training batches, for statistics that are measured anew for each
    child. threads: children evaluated at once; it changes no figure.
    """

    batches: Sequence[Batch]
    threads: int
    stop: Stop
    statistics: Statistics = BATCH
    calibration: Sequence[Batch] = ()

    @property
    def images(self) -> int:
        return sum(len(labels) for _, labels in self.batches)

    @property
    def evaluator(self) -> Evaluator:
        """Batch after batch, so that what is kept of children that begin alike stays small."""
        return Evaluator(self.statistics, chunk=1)

    def hits(self, networks: Sequence[Network], children: Sequence[Gates]) -> Tensor:
        """How many of all images each child gets right, [children], summed over the networks."""
        evaluator, batches, calibration, stop = self.evaluator, self.batches, self.calibration, self.stop
        each = [[Child(network, gates) for gates in children] for network in networks]
        return sum(evaluator.hits(own, batches, calibration, stop).sum(dim=1) for own in each)  # type: ignore[return-value]

    @torch.inference_mode()
    def losses(self, network: Network, children: Sequence[Gates]) -> Tensor:
        """The mean cross entropy of each child over all images, [children], float64 on the CPU."""
        own, total = [Child(network, gates) for gates in children], torch.zeros(len(children), dtype=torch.float64)
        for child, logits, labels in self.evaluator.logits(own, self.batches, self.calibration, self.stop):
            total[child] += cross_entropy(logits.double(), labels, reduction="sum").cpu()
        return total / self.images


def accuracies(
    networks: Sequence[Network], children: Sequence[Gates], exam: Exam, tell: Callable[[int], None]
) -> list[float]:
    """Percent of the images that each child gets right, the mean over the networks.

    Nothing of the networks changes. `tell` hears how many children are done. Raises Interrupted when asked to stop.
    Children that begin alike should stand together.
    """

    def percent(piece: Sequence[Gates]) -> list[float]:
        right: list[float] = (100 * exam.hits(networks, piece).double() / (len(networks) * exam.images)).tolist()
        return right

    return in_pieces(percent, children, exam.threads, tell)


def losses(network: Network, children: Sequence[Gates], exam: Exam, tell: Callable[[int], None]) -> list[float]:
    """The mean cross entropy of each child; as `accuracies`."""
    return in_pieces(lambda piece: exam.losses(network, piece).tolist(), children, exam.threads, tell)


def in_pieces(
    work: Callable[[Sequence[Gates]], list[float]],
    children: Sequence[Gates],
    threads: int,
    tell: Callable[[int], None],
) -> list[float]:
    """What some work finds of each child, piece by piece, so many pieces at once."""
    size = max(1, min(PIECE, -(-len(children) // threads)))
    pieces = [children[start : start + size] for start in range(0, len(children), size)]
    found: list[float] = []
    with ThreadPoolExecutor(threads) as pool:
        for numbers in pool.map(work, pieces):
            found += numbers
            tell(len(found))
    return found
