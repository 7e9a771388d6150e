"""Accuracies of architectures, learned from those of samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from cleave.space import Arch, Choice, Layout
from cleave.torch_state import seeded
from cleave.train.eager import Adam

PENALTY = 1.0
"""Of ridge regression, on the squares of weights; targets are standardised."""
WIDTH, LAYERS = 400, 3
RATE, DECAY = 1e-3, 1e-4
EPOCHS, BATCH_SIZE = 200, 100
"""Of the perceptron: hidden units and layers, Adam's rate and weight decay as in Once-for-All (Cai et al., ICLR 2020);
passes over the samples, and samples in a step."""
LEAST = 1e-6
"""Of a deviation of accuracies, in percent."""


class Encoding:
    """Architectures as numbers: one for each candidate of each choice, 1 where it is chosen and makes a difference."""

    def __init__(self, choices: Sequence[Choice], layout: Layout) -> None:
        pairs = [(choice.name, candidate) for choice in choices for candidate in choice.candidates]
        self.places, self.layout = {pair: place for place, pair in enumerate(pairs)}, layout

    def __call__(self, archs: Sequence[Arch]) -> Tensor:
        """[architectures, candidates], float32. Choices that are left out, or lead nowhere, are all 0."""
        features = torch.zeros(len(archs), len(self.places))
        for row, arch in zip(features, archs, strict=True):
            row[[self.places[choice, arch[choice]] for choice in sorted(self.layout.live(arch))]] = 1
        return features


def ridge(features: Tensor, accuracies: Sequence[float], seed: int) -> Callable[[Tensor], Tensor]:
    """Ridge regression (Hoerl & Kennard, 1970), in float64; nothing of it is random."""
    targets, mean, deviation = standardised(accuracies)
    inputs, centre = features.double(), features.double().mean(dim=0)
    centred = inputs - centre
    gram = centred.T @ centred + PENALTY * torch.eye(inputs.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, centred.T @ targets)
    return lambda asked: mean + deviation * ((asked.double() - centre) @ weights)


def perceptron(features: Tensor, accuracies: Sequence[float], seed: int) -> Callable[[Tensor], Tensor]:
    """Three layers of 400 ReLU, trained for the squared error by Adam."""
    targets, mean, deviation = standardised(accuracies)
    with seeded(seed):
        network = layers(features.shape[1])
        train(network, features, targets.float())

    @torch.no_grad()
    def predict(asked: Tensor) -> Tensor:
        found: Tensor = mean + deviation * network(asked)[:, 0].double()
        return found

    return predict


def layers(inputs: int) -> nn.Sequential:
    widths = [inputs, *[WIDTH] * LAYERS]
    hidden = [each for one, two in pairwise(widths) for each in (nn.Linear(one, two), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(WIDTH, 1))


def train(network: nn.Module, features: Tensor, targets: Tensor) -> None:
    """In an order that is drawn anew for each pass."""
    optimiser = Adam(network.parameters(), RATE, weight_decay=DECAY)
    for _ in range(EPOCHS):
        order = torch.randperm(len(targets)).tolist()
        for batch in (order[start : start + BATCH_SIZE] for start in range(0, len(order), BATCH_SIZE)):
            optimiser.zero_grad()
            torch.autograd.backward(mse_loss(network(features[batch])[:, 0], targets[batch]))
            optimiser.step()


def standardised(accuracies: Sequence[float]) -> tuple[Tensor, float, float]:
    """Targets [n] float64 of mean 0 and deviation 1, with the mean and deviation that they had."""
    targets = torch.tensor(accuracies, dtype=torch.float64)
    mean, deviation = targets.mean(), targets.std(correction=0).clamp(min=LEAST)
    return (targets - mean) / deviation, mean.item(), deviation.item()
