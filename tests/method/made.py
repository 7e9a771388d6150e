"""Methods for tests, and what they are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from cleave.method import METHODS, Method, SgdStep, StepContext, ValidationLoss, Weights
from cleave.net import Gates, Network, build
from cleave.settings import MethodSettings
from cleave.space import Arch, NetworkSize, Region, Space

SETTINGS: dict[str, MethodSettings] = {
    name: kind.resolved(
        kind.settings_class(**({"samples": 8} if "samples" in kind.settings_class.model_fields else {})), epochs=1
    )
    for name, kind in METHODS.items()
    if not kind.elastic
}
LEARNING = [name for name, kind in METHODS.items() if kind.learns]


def made(name: str, space: Space, region: Region | None = None, seed: int = 0) -> Method:
    return METHODS[name](SETTINGS[name], space, region or space.region, torch.Generator().manual_seed(seed))


def context(seed: int = 0, epoch: int = 0, epochs: int = 1) -> StepContext:
    return StepContext(epoch, epochs, torch.Generator().manual_seed(seed))


def narrowed(space: Space) -> Region:
    """Half of the candidates on the first choice, one on the last."""
    first, last = space.choices[0], space.choices[-1]
    region = space.region.restrict(first.name, first.candidates[1:])
    return region.restrict(last.name, last.candidates[-1:])


def supernet(space: Space, region: Region) -> Network:
    return build(space.layout(NetworkSize(2, 1), 1), region, classes=3, seed=0)


def random_loss(network: Network, seed: int) -> partial[Tensor]:
    """The loss on a batch of noise, as functions of gates and weights."""
    generator, dtype = torch.Generator().manual_seed(seed), next(network.parameters()).dtype
    images, labels = torch.randn(8, 1, 8, 8, generator=generator), torch.randint(3, (8,), generator=generator)
    return partial(_loss, network, images.to(dtype), labels)


def _loss(network: Network, images: Tensor, labels: Tensor, gates: Gates, weights: Weights | None = None) -> Tensor:
    own = dict(network.named_parameters())
    return cross_entropy(functional_call(network, dict(weights or own), (images, gates)), labels)


def held_out(network: Network) -> ValidationLoss:
    """A held-out batch, and a first weight step on another."""
    weights = dict(network.named_parameters())
    sgd_step = SgdStep(random_loss(network, 8), weights, {}, 0.025, momentum=0.9, weight_decay=5e-4, nesterov=True)
    return ValidationLoss(random_loss(network, 7), lambda: sgd_step, lambda gates: 0.5)


class Judge:
    """Evaluates by a function of the architecture; every batch says the same."""

    def __init__(self, function: Callable[[Arch], float], batches: int = 1) -> None:
        self.function, self.batches = function, batches

    def __call__(self, arch: Arch, batches: int | None = None) -> float:
        assert batches is None or 1 <= batches <= self.batches
        return self.function(arch)

    def many(self, archs: Sequence[Arch], batches: int | None = None) -> list[float]:
        return [self(arch, batches) for arch in archs]


INDIFFERENT = Judge(lambda arch: 0.0)
