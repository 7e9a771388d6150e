"""Accuracies of many children under the weights of one supernet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from torch import Tensor

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

    def hits(self, networks: Sequence[Network], children: Sequence[Gates]) -> Tensor:
        """How many of all images each child gets right, [children], summed over the networks.

        Batch after batch, so that what is kept of children that begin alike stays small.
        """
        evaluator = Evaluator(self.statistics, chunk=1)
        batches, calibration, stop = self.batches, self.calibration, self.stop
        each = [[Child(network, gates) for gates in children] for network in networks]
        return sum(evaluator.hits(own, batches, calibration, stop).sum(dim=1) for own in each)  # type: ignore[return-value]


def accuracies(
    networks: Sequence[Network], children: Sequence[Gates], exam: Exam, tell: Callable[[int], None]
) -> list[float]:
    """Percent of the images that each child gets right, the mean over the networks.

    Nothing of the networks changes. `tell` hears how many children are done. Raises Interrupted when asked to stop.
    Children that begin alike should stand together.
    """
    pieces = [children[start : start + PIECE] for start in range(0, len(children), PIECE)]
    found: list[float] = []
    with ThreadPoolExecutor(exam.threads) as pool:
        for hits in pool.map(lambda piece: exam.hits(networks, piece), pieces):
            found += (100 * hits.double() / (len(networks) * exam.images)).tolist()
            tell(len(found))
    return found
