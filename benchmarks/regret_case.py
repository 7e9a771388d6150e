"""One case of the study of split decisions: a small supernet, and what many mini-batches say of its choices.

A case is kept as inner products, from which any rule can be judged without another pass.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from random import Random

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from cleave.config import load_recipe
from cleave.net import Gate, Gates
from cleave.resolve import resolve
from cleave.search.problem import open_problem
from cleave.search.schedule import schedule
from cleave.search.trainer import NodeTrainer
from cleave.space import find_space
from cleave.split import Node, shared_parameters
from cleave.split.similarity import cosine
from cleave.split.tally import Extrapolated

SETTINGS = [
    "data.image_size=8", "data.limit=2000", "search.batch_size=16", "space.channels=4", "space.cells=1",
    "split.splits=1", "threads=1",
]  # fmt: skip
CHUNK = 100
"""Mini-batches in one vectorised pass."""

Rows = list[list[float]]


@dataclass(frozen=True)
class Sizes:
    """Mini-batches: the most that a rule may use, and those of the reference."""

    most: int = 100
    reference: int = 200


@dataclass(frozen=True)
class Case:
    """By choice, [n][n] each: `separate`, the similarities from draws of its own for every candidate; `own` and
    `pairs`, of each of the first mini-batches what a tally of inner products keeps; `reference`, the mean products of
    different mini-batches of the reference and of each with itself."""

    seed: int
    method: str
    epochs: int
    separate: dict[str, Rows]
    own: dict[str, list[Rows]]
    pairs: dict[str, list[Rows]]
    reference: dict[str, list[Rows]]


def measure(seed: int, method: str, ops: int, sizes: Sizes) -> Case:
    """Trains the supernet of a seed for 1 to 4 epochs and compares the candidates of all its choices."""
    epochs = Random(seed).randint(1, 4)
    trainer = trained(seed, method, ops, epochs)
    inputs = cache(partial(vectorised_inputs, trainer))
    case = Case(seed, method, epochs, {}, {}, {}, {})
    for choice in trainer.scope.region.allowed:
        many = Many(trainer, choice, inputs)
        case.separate[choice] = many.separate("separate", sizes.most).tolist()
        case.own[choice], case.pairs[choice] = many.followed("race", sizes.most)
        case.reference[choice] = [products.tolist() for products in many.products("reference", sizes.reference)]
    return case


def trained(seed: int, method: str, ops: int, epochs: int) -> NodeTrainer:
    changes = [f"method.name={method}", f"space.ops={ops}", f"seed={seed}", f"split.warmup_epochs={epochs}"]
    recipe = load_recipe(None, [*SETTINGS, *changes], {})
    recipe, _ = resolve(recipe, find_space(recipe.space))
    problem = open_problem(recipe)
    trainer = NodeTrainer(problem, Node((), problem.space.region), schedule(recipe, 0))
    while trainer.step < trainer.steps:
        trainer.advance()
    return trainer


Inputs = tuple[Tensor, Tensor, dict[str, Tensor]]
"""Images [mini-batches, images, ...], labels, and by choice the weight of every candidate, 0 where it does not run."""


def vectorised_inputs(trainer: NodeTrainer, purpose: str, numbers: range) -> Inputs:
    """Mini-batches and their gates, as `Matcher.probes` draws them, each purpose its own."""
    stream = trainer.problem.stream(trainer.problem.train, trainer.chance, purpose)
    images, labels = (torch.stack(column) for column in zip(*map(stream.batch, numbers), strict=True))
    gates, allowed = [gates_of(trainer, purpose, number) for number in numbers], trainer.scope.region.allowed
    weights = {choice: torch.stack([spread(one[choice], allowed[choice]) for one in gates]) for choice in allowed}
    return images, labels, weights


def gates_of(trainer: NodeTrainer, purpose: str, number: int) -> Gates:
    """The method's gates."""
    return trainer.method.gates(trainer.context(f"{purpose} gates", number))


def spread(gate: Gate, allowed: tuple[str, ...]) -> Tensor:
    weights = torch.zeros(len(allowed))
    places = [allowed.index(name) for name in gate.active]
    weights[places] = torch.ones(len(places)) if gate.weight is None else gate.weight
    return weights


class Many:
    """The gradients of one choice's candidates for many mini-batches at once.

    In small networks most of a pass is overhead. The passes of one candidate are the same but for images and weights
    of the gates, so they are vectorised; paths are weights of 0 and 1.
    """

    def __init__(self, trainer: NodeTrainer, choice: str, inputs: Callable[[str, range], Inputs]) -> None:
        self.network, self.choice, self.inputs = trainer.network, choice, inputs
        self.allowed = trainer.scope.region.allowed
        self.shared = {name: value.detach() for name, value in shared_parameters(self.network, choice).items()}
        self.all = {name: value.detach() for name, value in self.network.named_parameters()}

    def products(self, purpose: str, count: int) -> tuple[Tensor, Tensor]:
        """The mean inner products [n, n] of different mini-batches, the same for all candidates, and of the same."""
        total, own = torch.zeros(()), torch.zeros(())
        for numbers in chunks(count):
            rows = self.chunk(purpose, numbers).double()
            total, own = total + rows.sum(dim=0), own + torch.einsum("pax,pbx->ab", rows, rows)
        return (total @ total.T - own) / (count * (count - 1)), own / count

    def separate(self, purpose: str, count: int) -> Tensor:
        """The same with mini-batches and gates of its own for every choice and candidate."""
        candidates = self.allowed[self.choice]
        return cosine(stack([self.mean(each, f"{purpose} {self.choice} {each}", count) for each in candidates]))

    def mean(self, candidate: str, purpose: str, count: int) -> list[Tensor]:
        """The mean gradient of one candidate over `count` mini-batches."""
        parts = [[each.sum(dim=0) for each in self.gradients(candidate, purpose, numbers)] for numbers in chunks(count)]
        return [parameter.sum(dim=0) / count for parameter in stack(parts)]

    def followed(self, purpose: str, count: int) -> tuple[list[Rows], list[Rows]]:
        """What a tally keeps of each mini-batch: its products with itself, and twice those with the mean before it."""
        tally, own = Extrapolated(cosine, count), list[Rows]()
        for numbers in chunks(count):
            for rows in self.chunk(purpose, numbers):
                before = tally.own
                tally.add([rows])
                own.append((tally.own - before)[0].tolist())
        return own, [pair[0].tolist() for pair in tally.pairs]

    def chunk(self, purpose: str, numbers: range) -> Tensor:
        """All candidates' gradients in a row, [mini-batches, n, numbers]."""
        columns = stack([self.gradients(each, purpose, numbers) for each in self.allowed[self.choice]])
        return torch.cat([column.flatten(2) for column in columns], dim=2).transpose(0, 1)

    def gradients(self, candidate: str, purpose: str, numbers: range) -> list[Tensor]:
        """Per shared parameter [mini-batches, *shape], in the order of the parameters."""
        each = vmap(grad(partial(self._loss, candidate)), in_dims=(None, 0, 0, 0))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop")  # where torch vectorises by a loop
            return list(each(self.shared, *self.inputs(purpose, numbers)).values())

    def _loss(
        self, candidate: str, shared: dict[str, Tensor], images: Tensor, labels: Tensor, weights: dict[str, Tensor]
    ) -> Tensor:
        gates = {choice: Gate(self.allowed[choice], weight) for choice, weight in weights.items()}
        gates[self.choice] = Gate((candidate,))
        return cross_entropy(functional_call(self.network, {**self.all, **shared}, (images, gates)), labels)


def stack(rows: list[list[Tensor]]) -> list[Tensor]:
    """Rows of parameters as parameters [rows, ...]."""
    return [torch.stack(column) for column in zip(*rows, strict=True)]


def chunks(count: int) -> Iterator[range]:
    for start in range(0, count, CHUNK):
        yield range(start, min(start + CHUNK, count))
