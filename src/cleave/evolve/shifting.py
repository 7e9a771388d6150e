"""Supernet shifting (Zhang et al., CVPR 2024, arXiv 2403.11380): an evolution trains the supernet that it goes by.

After each generation the weights take steps down the mean training loss of the architectures that were judged by them,
so that they are ever more those of good architectures. Scores by different weights are not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from cleave.data.stream import Batch
from cleave.evolve.bench import Bench
from cleave.evolve.evaluators import ArchitectureEvaluator
from cleave.evolve.shifted import Shifted
from cleave.method.evolution import Evolution
from cleave.net import noisy, one_hot
from cleave.space import Arch
from cleave.train import Pass, Path, Sgd, Trainer, smoothed, supervised

PLAIN = Sgd(momentum=0.0, weight_decay=0.0)
"""All that goes on from one shift to the next is the weights."""


class Shifting:
    """Shifts the weights that a bench measures by; those of the run are not touched.

    rate: the learning rate. steps: of each shift. All steps have batches of their own, by the seed of the evolution.
    """

    def __init__(self, bench: Bench, rate: float, steps: int) -> None:
        """Goes on from the weights that the bench's part has, if it has any."""
        self.bench, self.rate, self.steps = bench, rate, steps
        self.own = weights_of(bench.network)
        problem = bench.problem
        self.stream = problem.stream(problem.train, bench.chance, "shift")
        self.loss = smoothed(problem.recipe.method.label_smoothing)
        parameters, diverged = dict(bench.network.named_parameters()), bench.diverged("a training loss")
        self.trainer = Trainer(parameters, PLAIN, lambda step: rate, lambda loss: diverged)
        if (shifted := bench.part.shifted) is not None:
            bench.under(shifted.weights, shifted.known)

    def renew(self, evolution: Evolution, evaluator: ArchitectureEvaluator, doing: str) -> None:
        """Shifts by all that an evolution has judged by the weights of now, and judges its parents by the next ones.

        doing: what people are told meanwhile.
        """
        judged = [self.bench.space.parse(text) for text in evolution.scores]
        self._shift(len(evolution.sizes), judged, doing)
        evolution.renew(evaluator.scores(evolution.parents, "parents", doing))

    def told(self, arch: Arch) -> dict[str, Any]:
        """Of the outcome: how weights were shifted, and what the architecture does by the run's own, to which the bench
        goes back for that."""
        shifted, part = self.bench.part.shifted, self.bench.part
        assert shifted is not None, "there is a shift before the second generation"
        self.bench.under(self.own, part.known)
        unshifted = self.bench.found(arch)
        return {"rate": self.rate, "steps": self.steps, "shifts": shifted.number, "unshifted": unshifted}

    def _shift(self, number: int, archs: Sequence[Arch], doing: str) -> None:
        """Goes over to the weights after `number` shifts, unless these are the bench's already."""
        before, part = self.bench.part.shifted, self.bench.part
        if before is not None and before.number == number:
            return
        paths = [self._path(arch) for arch in archs]
        for step in range((number - 1) * self.steps, number * self.steps):
            self.bench.see(0, f"{doing}: shifting")
            with noisy(self.bench.network, self.bench.chance.generator("shift noise", step)):
                self.trainer.update(self.stream.batch(step), paths)
        weights = weights_of(self.bench.network)
        if not all(bool(each.isfinite().all()) for each in weights.values()):
            raise self.bench.diverged("a weight")
        part.shifted = Shifted(number, weights)
        self.bench.under(weights, part.shifted.known)
        part.count("weight_steps", self.steps * len(archs))
        part.count("shift", self.steps * len(archs) * self.stream.batch_size)
        part.save_sometimes()

    def _path(self, arch: Arch) -> Path:
        """A pass of an architecture with the loss that the search trains by, in float32, as it is judged."""
        learn = supervised(partial(self.bench.network, gates=one_hot(arch)), self.loss)

        def path(batch: Batch) -> Pass:
            self.bench.stop.check()
            return learn(batch)

        return path


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Copies of them, by name."""
    return {name: each.detach().clone() for name, each in network.state_dict().items()}
