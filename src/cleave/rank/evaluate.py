"""Accuracies of many children under the weights of one supernet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor

from cleave.data.stream import Batch
from cleave.engine.stop import Stop
from cleave.net import Gates, Network
from cleave.net.statistics import measuring
from cleave.rank.remember import remembering

PIECE = 125
"""Children evaluated in one go: neighbours share their beginning, and between pieces progress is told."""


@dataclass(frozen=True)
class Exam:
    """What children are judged on.

    batches: held-out images, normalised. training: batches from which the running statistics of each child are
    estimated anew; empty where children normalise by the batch, as in the search. threads: children evaluated at
    once; it changes no figure.
    """

    batches: Sequence[Batch]
    training: Sequence[Batch]
    threads: int
    stop: Stop

    @property
    def images(self) -> int:
        return sum(len(labels) for _, labels in self.batches)


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
        for hits in pool.map(lambda piece: sum(count_hits(network, piece, exam) for network in networks), pieces):
            assert isinstance(hits, Tensor)
            found += (100 * hits.double() / (len(networks) * exam.images)).tolist()
            tell(len(found))
    return found


@torch.inference_mode()
def count_hits(network: Network, children: Sequence[Gates], exam: Exam) -> Tensor:
    """How many of all images each child gets right, [children]."""
    count = recalibrated_hits if exam.training else batch_hits
    return torch.tensor(count(network, children, exam))


def batch_hits(network: Network, children: Sequence[Gates], exam: Exam) -> list[int]:
    """Children that normalise by the batch; batch after batch, since they begin alike on the same images."""
    network = remembering(network)
    hits = [[hits_on(network, gates, batch, exam.stop) for gates in children] for batch in exam.batches]
    return [sum(of_child) for of_child in zip(*hits, strict=True)]


def recalibrated_hits(network: Network, children: Sequence[Gates], exam: Exam) -> list[int]:
    """Children with statistics of their own (Guo et al., "Single path one-shot", 2020; Yu et al., "BigNAS", 2020)."""
    network, hits = deepcopy(network), []
    for gates in children:
        recalibrate(network, gates, exam.training)
        hits.append(sum(hits_on(network, gates, batch, exam.stop) for batch in exam.batches))
    return hits


def recalibrate(network: Network, gates: Gates, training: Sequence[Batch]) -> None:
    """Sets running statistics to the mean over the training batches for this child, and evaluation to use them."""
    with measuring(network):
        for images, _ in training:
            network(images, gates)


def hits_on(network: Network, gates: Gates, batch: Batch, stop: Stop) -> int:
    stop.check()
    images, labels = batch
    return int((network(images, gates).argmax(dim=1) == labels).sum())
