"""The published way and cleave's give the same numbers: float64 to 1e-9, float32 to 1e-4 of the largest magnitude."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from benchmarks.naive import Allowed, Batch, Rows, Supernet, copy_weights, own_name, rows_of
from benchmarks.naive_data import held_loader
from benchmarks.naive_search import Draw, accuracy, balanced, best_split, similarities
from benchmarks.naive_spaces import SUPERNETS
from benchmarks.naive_steps import Trainer, gradients_of
from benchmarks.pairs import published, trainer_of
from benchmarks.works import in_float64
from cleave.method import METHODS, Method, SgdStep, ValidationLoss, Weights
from cleave.method.second_order import Darts2Settings
from cleave.net import Gate, Gates, Network, build
from cleave.search.evaluator import LeafEvaluator
from cleave.space import NetworkSize, Space, find_space
from cleave.split import Matching, Probe, match, shared_parameters
from cleave.split.similarity import cosine
from tests.method.made import context, made
from tests.reference.partition import all_balanced, minimum
from tests.search.test_trainer import leaf, problem

SIZES = [
    ("nasbench201", 2, 1, 8),
    ("nasbench201", 5, 1, 12),
    ("nasbench201", 8, 1, 8),
    ("nasbench201", 3, 2, 12),
    ("darts", 2, 3, 8),
    ("darts", 3, 4, 12),
]
Size = tuple[str, int, int, int]
"""(space, channels, cells, pixels)."""
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
CLASSES = 5


@dataclass(frozen=True)
class Twins:
    """The same weights in cleave's network and in the published one, and random batches for both."""

    space: Space
    network: Network
    naive: Supernet
    pixels: int
    dtype: torch.dtype

    @staticmethod
    def of(size: Size, dtype: torch.dtype) -> Twins:
        name, channels, cells, pixels = size
        space = find_space(name)
        shape = space.settings_class(name=name, channels=channels, cells=cells).size
        layout = space.layout(shape, 3)
        network = build(layout, space.region, CLASSES, seed=int(torch.randint(10**6, ()))).to(dtype)
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(0.1 * torch.randn_like(weight))  # scales of 1 and shifts of 0 would hide themselves
        naive = SUPERNETS[name](shape, space.region.allowed, CLASSES, 3).to(dtype)
        copy_weights(network, naive)
        return Twins(space, network, naive, pixels, dtype)

    @property
    def allowed(self) -> Allowed:
        return self.space.region.allowed

    def learning(self, name: str) -> Method:
        """A method whose candidates are far from equal."""
        method = made(name, self.space).to(self.dtype)
        with torch.no_grad():
            for alpha in method.parameters():
                alpha.normal_()
        return method

    def gates(self, method: Method, seed: int) -> Gates:
        """What an architecture step runs, or where there is none, a weight step."""
        return method.mixture(context(seed)) if method.learns else method.gates(context(seed))

    def rows(self, gates: Gates) -> Rows:
        return rows_of(gates, self.allowed)

    def batch(self) -> Batch:
        return torch.randn(6, 3, self.pixels, self.pixels, dtype=self.dtype), torch.randint(CLASSES, (6,))

    def loss(self, batch: Batch, gates: Gates, weights: Weights | None = None) -> Tensor:
        own = dict(self.network.named_parameters())
        return cross_entropy(functional_call(self.network, dict(weights or own), (batch[0], gates)), batch[1])

    def naive_gradients(self) -> list[Tensor]:
        """Of the weights, in cleave's order."""
        found = dict(self.naive.named_parameters())
        return gradients_of([found[own_name(name)] for name, _ in self.network.named_parameters()])

    def all_close(self, found: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
        """Each as `close`; but what cancels is compared with a hundredth of the largest of all.

        So the gradient by a single path's weight: what follows is normalised, so that it hardly matters.
        """
        sizes = [tensor.abs().max().item() for tensor in expected]
        scales = [max(size, max(sizes) / 100) for size in sizes]
        return all(self.close(*each) for each in zip(found, expected, scales, strict=True))

    def close(self, found: Tensor, expected: Tensor, scale: float | None = None) -> bool:
        """Differences against the largest magnitude, of `expected` unless it is given."""
        largest = expected.abs().max().item() if scale is None else scale
        return (found - expected).abs().max().item() <= TOLERANCE[self.dtype] * largest


def learning(size: Size, dtype: torch.dtype, name: str) -> tuple[Twins, Method]:
    twins = Twins.of(size, dtype)
    return twins, twins.learning(name)


def agrees(check: Callable[[], bool], dtype: torch.dtype) -> bool:
    """One draw of five in float32, where rounding may put an activation on the other side of a ReLU's kink.

    What is wrong is wrong in every draw; in float64 the only one has to agree.
    """
    return any(check() for _ in range(5 if dtype == torch.float32 else 1))


def each_size(*names: str) -> pytest.MarkDecorator:
    """With each method. Published code has no way to leave edges out, as single paths of the DARTS space do."""
    cases = [(size, name) for size in SIZES for name in names if (size[0], name) != ("darts", "rsps")]
    return pytest.mark.parametrize(("size", "name"), cases, ids=str)


sizes = pytest.mark.parametrize("size", SIZES, ids=str)
types = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
gated = each_size("darts", "gdas", "rsps")


@types
@gated
def test_logits_are_the_same(size: Size, dtype: torch.dtype, name: str) -> None:
    twins, method = learning(size, dtype, name)
    gates = method.gates(context(int(torch.randint(1000, ()))))
    images, _ = twins.batch()
    assert twins.close(twins.naive(images, twins.rows(gates)), twins.network(images, gates))


@types
@gated
def test_gradients_of_weights_and_alphas_are_the_same(size: Size, dtype: torch.dtype, name: str) -> None:
    """Under mixtures (DARTS) and under single paths, through which alpha is learned (GDAS) or not (RSPS)."""

    def same() -> bool:
        twins, method = learning(size, dtype, name)
        batch, alphas = twins.batch(), list(method.parameters())
        seen, fast = not alphas, []
        while not (fast and seen):  # a single path may lead nowhere, and then there would be nothing to compare
            when = int(torch.randint(1000, ()))
            loss = twins.loss(batch, twins.gates(method, when))
            fast = torch.autograd.grad(loss, [*twins.network.parameters(), *alphas], materialize_grads=True)
            seen = not alphas or any(gradient.ne(0).any() for gradient in fast[-len(alphas) :])
        twins.naive.loss(batch, twins.rows(twins.gates(method, when))).backward()
        naive = [*twins.naive_gradients(), *gradients_of(alphas)]
        return twins.all_close(naive, fast)

    assert agrees(same, dtype)


@sizes
def test_second_order_gradients_are_the_same(size: Size) -> None:
    twins, method = learning(size, torch.float64, "darts2")
    trainer = Trainer(twins.naive, Darts2Settings())
    copy_alpha(method, twins.naive)
    weights = dict(twins.network.named_parameters())
    buffers = {name: 0.1 * torch.randn_like(weight) for name, weight in weights.items()}
    naive_weights = dict(twins.naive.named_parameters())
    for name, buffer in buffers.items():
        trainer.sgd.state[naive_weights[own_name(name)]]["momentum_buffer"] = buffer.clone()
    train, held = twins.batch(), twins.batch()
    descent = SgdStep(lambda g, w=None: twins.loss(train, g, w), weights, buffers, 0.025, 0.9, 5e-4, nesterov=True)
    fast = method.gradients(
        ValidationLoss(lambda g, w=None: twins.loss(held, g, w), lambda: descent, lambda g: 0.0), context()
    )
    naive = trainer.second_order_gradients(train, held)
    largest = max(gradient.abs().max().item() for gradient in fast)
    assert largest > 0
    for found, expected in zip(naive.values(), fast, strict=True):
        assert twins.close(found, expected, largest)


def copy_alpha(method: Method, naive: Supernet) -> None:
    with torch.no_grad():
        for edge, alpha in naive.alphas.items():
            alpha.copy_(method.state_dict()[f"alpha.{edge}"])


@types
@each_size("darts", "rsps")
def test_similarities_of_an_edge_are_the_same(size: Size, dtype: torch.dtype, name: str) -> None:
    def same() -> bool:
        twins, method = learning(size, dtype, name)
        edge = list(twins.allowed)[int(torch.randint(len(twins.allowed), ()))]
        batches = [twins.batch() for _ in range(2)]
        gates = [method.gates(context(seed)) for seed in range(2)]
        probes = [Probe(lambda g, b=b: twins.loss(b, g), g) for b, g in zip(batches, gates, strict=True)]
        draws: list[Draw] = [(b, twins.rows(g)) for b, g in zip(batches, gates, strict=True)]
        shared = shared_parameters(twins.network, edge)
        fast = match(probes, edge, twins.allowed[edge], shared, Matching(cosine))
        return twins.close(similarities(twins.naive, edge, twins.allowed[edge], lambda: draws), fast, 1.0)

    assert agrees(same, dtype)


@pytest.mark.parametrize("order", ["first_order_step", "second_order_step"])
def test_three_steps_lead_to_the_same_weights_momentum_and_alphas(order: str) -> None:
    """As the trainer takes them, clipping and both optimisers included."""
    name = {"first_order_step": "darts", "second_order_step": "darts2"}[order]
    trainer = in_float64(leaf(problem(f"method.name={name}", "split.splits=1", "search.epochs=3", "method.clip=0.5")))
    naive = trainer_of(trainer)
    for step in range(3):
        train, held = trainer.train.batch(step), trainer.held.batch(step)
        trainer.advance()
        naive.sgd.param_groups[0]["lr"] = trainer.weights.optimizer.param_groups[0]["lr"]
        getattr(naive, order)(train, held)
    for name, weight in trainer.network.named_parameters():
        own = dict(naive.network.named_parameters())[own_name(name)]
        torch.testing.assert_close(own, weight, rtol=1e-7, atol=1e-9)
    for edge, alpha in naive.network.alphas.items():
        torch.testing.assert_close(alpha, trainer.method.state_dict()[f"alpha.{edge}"], rtol=1e-6, atol=1e-7)


def test_accuracies_of_architectures_are_the_same() -> None:
    trainer = in_float64(leaf(problem("method.name=darts", "split.splits=1", "search.eval_batch_size=16")))
    assert len(trainer.problem.valid) % 16 == 0
    network, generator = published(trainer), torch.Generator()
    generator.seed()
    found = []
    for _ in range(8):
        space = trainer.problem.space
        arch = space.sample(space.region, generator)
        found.append(accuracy(network, arch, space.region.allowed, held_loader(trainer.problem)))
        assert found[-1] == pytest.approx(LeafEvaluator(trainer)(arch), abs=1e-9)
    assert len(set(found)) > 1


@pytest.mark.parametrize(("count", "parts"), [(2, 2), (4, 2), (5, 2), (5, 3), (6, 3)])
def test_all_balanced_partitions_are_tried(count: int, parts: int) -> None:
    groups = {
        tuple(sorted(tuple(i for i in range(count) if labels[i] == part) for part in range(parts)))
        for labels in balanced(count, parts)
    }
    assert groups == all_balanced(count, parts)


def test_the_split_is_that_of_the_lowest_cut() -> None:
    twins, method = learning(SIZES[0], torch.float64, "darts")
    allowed, rows = twins.allowed, twins.rows(method.gates(context()))
    draws: list[Draw] = [(twins.batch(), rows) for _ in range(2)]
    edge, groups = best_split(twins.naive, allowed, 2, lambda: draws)
    costs = {
        each: minimum(similarities(twins.naive, each, names, lambda: draws).tolist(), 2)
        for each, names in allowed.items()
    }
    assert edge == min(costs, key=lambda each: costs[each])
    assert sorted(name for group in groups for name in group) == sorted(allowed[edge])
    assert sorted(len(group) for group in groups) == [2, 3]


def test_a_gate_of_one_candidate_is_a_row_with_one_entry_that_carries_its_gradient() -> None:
    weight = torch.rand(1, requires_grad=True)
    rows = rows_of({"1<-0": Gate(("b",), weight), "2<-0": Gate(("a",))}, {"1<-0": ("a", "b"), "2<-0": ("a", "b")})
    assert rows["1<-0"].tolist() == [0.0, weight.item()]
    assert rows["2<-0"].tolist() == [1.0, 0.0]
    rows["1<-0"].sum().backward()
    assert weight.grad is not None
    assert weight.grad.item() == 1.0


def test_every_weight_has_its_place_and_no_other() -> None:
    twins = Twins.of(SIZES[0], torch.float64)
    with torch.no_grad():
        next(iter(twins.network.parameters())).zero_()
    assert next(iter(twins.naive.parameters())).ne(0).any()
    copy_weights(twins.network, twins.naive)
    assert next(iter(twins.naive.parameters())).eq(0).all()
    space = twins.space
    part = build(space.layout(NetworkSize(2, 1), 3), space.region.restrict("1<-0", ["skip_connect"]), CLASSES, seed=0)
    with pytest.raises(AssertionError):
        copy_weights(part, twins.naive)
    assert METHODS.keys() >= {"darts", "darts2", "gdas", "rsps"}
