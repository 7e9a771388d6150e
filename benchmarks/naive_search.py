"""Splitting, evaluation and the whole of GM-DARTS the way published code does them: every number the long way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, product
from math import cos, pi

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torch.utils.data import DataLoader

from benchmarks.naive import Allowed, Batch, Rows, Supernet
from benchmarks.naive_data import fresh, held_loader, training_loader
from benchmarks.naive_spaces import supernet
from benchmarks.naive_steps import Trainer, flat, gradients_of
from cleave.method import ArchitectureSettings
from cleave.search.problem import Problem
from cleave.space import Arch

Draw = tuple[Batch, Rows]
"""A mini-batch, and the weights of the operations that it runs."""

Groups = tuple[tuple[str, ...], ...]


def similarities(network: Supernet, edge: str, names: Sequence[str], draws: Callable[[], Iterable[Draw]]) -> Tensor:
    """Cosines [operations, operations] of an edge's mean gradients; each operation has mini-batches of its own."""
    rows = [mean_gradient(network, edge, position, draws()) for position in range(len(names))]
    return torch.stack([torch.stack([cosine_similarity(a, b, dim=0) for b in rows]) for a in rows])


def mean_gradient(network: Supernet, edge: str, position: int, draws: Iterable[Draw]) -> Tensor:
    """On all weights but the edge's own, in one row, with one operation alone on the edge."""
    shared = shared_weights(network, edge)
    total, count = torch.zeros(()), 0
    for batch, rows in draws:
        alone = torch.zeros_like(rows[edge])
        alone[position] = 1
        network.zero_grad()
        network.loss(batch, {**rows, edge: alone}).backward()  # type: ignore[no-untyped-call]
        total = total + flat(gradients_of(shared))
        count += 1
    return total / count


def shared_weights(network: Supernet, edge: str) -> list[nn.Parameter]:
    own = {weight for mixed in network.mixed(edge) for weight in mixed.parameters()}
    return [weight for weight in network.weights() if weight not in own]


def best_split(
    network: Supernet, unsplit: Allowed, parts: int, draws: Callable[[], Iterable[Draw]]
) -> tuple[str, Groups]:
    """The edge and the balanced partition of its operations that cut the least similarity."""
    found = []
    for edge, names in unsplit.items():
        matrix = similarities(network, edge, names, draws)
        found += [(cut(matrix, labels), edge, labels) for labels in balanced(len(names), parts)]
    _, edge, labels = min(found)
    return edge, tuple(tuple(n for n, own in zip(unsplit[edge], labels, strict=True) if own == p) for p in range(parts))


def balanced(count: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Every way to label so many operations with parts whose sizes differ by one at most."""
    for labels in product(range(parts), repeat=count):
        sizes = [labels.count(part) for part in range(parts)]
        if max(sizes) - min(sizes) <= 1:
            yield labels


def cut(matrix: Tensor, labels: Sequence[int]) -> float:
    pairs = combinations(range(len(labels)), 2)
    return float(sum(matrix[i, j].item() for i, j in pairs if labels[i] != labels[j]))


def one_hot(arch: Arch, allowed: Allowed) -> Rows:
    return {edge: torch.tensor([float(name == arch[edge]) for name in names]) for edge, names in allowed.items()}


@torch.no_grad()
def accuracy(network: Supernet, arch: Arch, allowed: Allowed, held: DataLoader[Batch]) -> float:
    """Percent of the held-out images, in a full pass."""
    hits = count = 0
    for images, labels in held:
        hits += int((network(images, one_hot(arch, allowed)).argmax(dim=1) == labels).sum())
        count += len(labels)
    return 100 * hits / count


def choose(network: Supernet, archs: Sequence[Arch], allowed: Allowed, held: DataLoader[Batch]) -> Arch:
    """RSPS: the best of random architectures, each in a full held-out pass."""
    return max(archs, key=lambda arch: accuracy(network, arch, allowed, held))


def strongest(network: Supernet, allowed: Allowed) -> Arch:
    return {edge: names[int(network.alphas[edge].argmax())] for edge, names in allowed.items()}


class Search:
    """GM-DARTS of first order, one sub-supernet after the other."""

    def __init__(self, problem: Problem) -> None:
        assert isinstance(problem.recipe.method, ArchitectureSettings)
        self.problem, self.settings = problem, problem.recipe.method
        self.whole = problem.space.region.allowed
        self.train, self.valid = (training_loader(problem, images) for images in (problem.train, problem.valid))
        self.held = held_loader(problem)

    def run(self) -> tuple[Arch, float]:
        """The best leaf's architecture with its held-out accuracy (percent)."""
        return max(self.visit(self.whole, 0, None), key=lambda found: found[1])

    def visit(self, allowed: Allowed, depth: int, parent: Trainer | None) -> list[tuple[Arch, float]]:
        """The leaves below a node: it is warmed up and split, or it is one of them and is searched."""
        split = self.problem.recipe.split
        trainer = self.trainer(allowed)
        if depth == split.splits:
            return [self.search_leaf(trainer, allowed)]
        if parent is not None:
            inherit(parent, trainer)
        self.warm_up(trainer, allowed)
        unsplit = {edge: names for edge, names in allowed.items() if len(names) == len(self.whole[edge])}
        edge, groups = best_split(trainer.network, unsplit, 2, lambda: self.draws(trainer.network))
        return [leaf for group in groups for leaf in self.visit({**allowed, edge: group}, depth + 1, trainer)]

    def trainer(self, allowed: Allowed) -> Trainer:
        return Trainer(supernet(self.problem, allowed), self.settings)

    def draws(self, network: Supernet) -> Iterator[Draw]:
        """The mini-batches of one operation's gradient, drawn for it alone."""
        for _ in range(self.problem.recipe.split.batches):
            yield fresh(self.train), {edge: row.detach() for edge, row in network.softmax().items()}

    def warm_up(self, trainer: Trainer, allowed: Allowed) -> None:
        self.epochs(trainer, allowed, self.problem.recipe.split.warmup_epochs, lambda: self.warm_up_step(trainer))

    def warm_up_step(self, trainer: Trainer) -> None:
        trainer.weight_step(fresh(self.train))

    def search_leaf(self, trainer: Trainer, allowed: Allowed) -> tuple[Arch, float]:
        self.epochs(trainer, allowed, self.problem.recipe.search.epochs, lambda: self.search_step(trainer))
        arch = strongest(trainer.network, allowed)
        return arch, accuracy(trainer.network, arch, allowed, self.held)

    def search_step(self, trainer: Trainer) -> None:
        trainer.first_order_step(fresh(self.train), fresh(self.valid))

    def epochs(self, trainer: Trainer, allowed: Allowed, count: int, step: Callable[[], None]) -> None:
        """Cosine learning rates, and after each epoch a look at all held-out images."""
        highest, lowest = self.settings.learning_rate, self.settings.learning_rate_min
        for epoch in range(count):
            trainer.sgd.param_groups[0]["lr"] = lowest + (highest - lowest) * (1 + cos(pi * epoch / count)) / 2
            for _ in range(self.problem.steps_per_epoch):
                step()
            accuracy(trainer.network, strongest(trainer.network, allowed), allowed, self.held)


def inherit(parent: Trainer, child: Trainer) -> None:
    """Weights and momentum of what is still allowed."""
    theirs = dict(parent.network.named_parameters())
    with torch.no_grad():
        for name, weight in child.network.named_parameters():
            if not name.startswith("alphas."):
                weight.copy_(theirs[name])
                child.sgd.state[weight]["momentum_buffer"] = parent.sgd.state[theirs[name]]["momentum_buffer"].clone()
