"""Every piece of work twice over, by cleave and the published way, with a check that both find the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import torch

from benchmarks import naive_mobilenet, naive_search, naive_subnets, works
from benchmarks.agree import agree
from benchmarks.floor import recorded, replay
from benchmarks.naive import Allowed, Rows, Supernet, copy_weights, own_name, rows_of
from benchmarks.naive_data import fresh, held_loader, training_loader
from benchmarks.naive_mobilenet import Pairs, PathTrainer
from benchmarks.naive_search import Draw
from benchmarks.naive_spaces import supernet
from benchmarks.naive_steps import Trainer
from benchmarks.problems import EDGES, Scale, problem_of, recipe_of
from cleave.method import ArchitectureSettings
from cleave.method.architecture import ArchitectureMethod
from cleave.net import Gate, only_live
from cleave.search.evaluator import LeafEvaluator
from cleave.search.judging import by_mean, equal_sizes
from cleave.search.problem import open_problem
from cleave.search.trainer import NodeTrainer
from cleave.space.sample import distinct

CHECKED = 3
"""Architectures whose accuracies are compared."""


@dataclass(frozen=True)
class Pair:
    """The same work by cleave and the published way; `check` raises Disagreement where they do not find the same."""

    fast: Callable[[], object]
    naive: Callable[[], object]
    check: Callable[[], None]


def weight_step(scale: Scale) -> Pair:
    """DARTS's gates, no architecture step."""
    node = works.warming(problem_of(scale, "method.name=darts", "split.splits=1"))
    naive_trainer, train = trainer_of(node), training_loader(node.problem, node.problem.train)

    def check() -> None:
        twin, other = in_float64(node)
        batch, _ = works.batches_of_step(twin)
        twin.advance()
        other.weight_step(batch)
        check_momentum(twin, other)

    return Pair(node.advance, lambda: naive_trainer.weight_step(fresh(train)), check)


def search_step(scale: Scale, method: str) -> Pair:
    """An architecture step and a weight step."""
    node = works.searching(problem_of(scale, f"method.name={method}", "split.splits=1"))
    train, held = (training_loader(node.problem, part) for part in (node.problem.train, node.problem.valid))
    step = Trainer.first_order_step if method == "darts" else Trainer.second_order_step

    def check() -> None:
        twin, other = in_float64(node)
        batches = works.batches_of_step(twin)
        twin.advance()
        step(other, *batches)
        check_momentum(twin, other)
        naive = {edge: other.adam.state[alpha]["exp_avg"] for edge, alpha in other.network.alphas.items()}
        agree("gradients of alpha", works.first_moments(twin), naive)

    naive_trainer = trainer_of(node)
    return Pair(node.advance, lambda: step(naive_trainer, fresh(train), fresh(held)), check)


PATHS = ("method.name=proxyless", "method.label_smoothing=0", "method.architecture_every=1", "split.splits=1")


def path_step(scale: Scale) -> Pair:
    """A single path, no architecture step."""
    node = works.warming(problem_of(scale, *PATHS))
    naive_trainer, train, steps = path_trainer_of(node), training_loader(node.problem, node.problem.train), count()

    def check() -> None:
        twin = works.in_float64(node)
        other = path_trainer_of(twin)
        batch, _ = works.batches_of_step(twin)
        other.path_step(batch, path_of(twin, twin.step))
        twin.advance()
        check_momentum(twin, other)

    return Pair(node.advance, lambda: naive_trainer.path_step(fresh(train), path_of(node, next(steps))), check)


def two_path_step(scale: Scale) -> Pair:
    """Two candidates of each block compared, then a weight step of a single path."""
    node = works.searching(problem_of(scale, *PATHS, "method.architecture_after=0"))
    train, held = (training_loader(node.problem, part) for part in (node.problem.train, node.problem.valid))
    naive_trainer, steps = path_trainer_of(node), count()

    def naive() -> None:
        step = next(steps)
        naive_trainer.pair_step(fresh(held), pairs_of(node, step))
        naive_trainer.path_step(fresh(train), path_of(node, step))

    def check() -> None:
        twin = works.in_float64(node)
        other, step, (train, held) = path_trainer_of(twin), twin.step, works.batches_of_step(twin)
        other.pair_step(held, pairs_of(twin, step))
        twin.advance()
        other.path_step(train, path_of(twin, step))
        check_momentum(twin, other)
        found = {name: other.adam.state[alpha]["exp_avg"] for name, alpha in other.network.alphas.items()}
        agree("gradients of alpha", works.first_moments(twin), found)

    return Pair(node.advance, naive, check)


def path_of(node: NodeTrainer, step: int) -> Rows:
    """What the node's weight step runs, by its alpha as it is now."""
    return rows_of(node.method.gates(node.context("gates", step)), allowed_of(node))


def pairs_of(node: NodeTrainer, step: int) -> Pairs:
    """What the node's architecture step compares."""
    assert isinstance(node.method, ArchitectureMethod)
    gates = node.method.mixture(node.context("architecture", step))
    return {name: naive_pair(gate) for name, gate in gates.items()}


def naive_pair(gate: Gate) -> naive_mobilenet.Pair:
    (idle,) = gate.idle
    (runs,) = set(gate.active) - gate.idle
    return naive_mobilenet.Pair(runs, idle)


def path_trainer_of(node: NodeTrainer) -> PathTrainer:
    """The published way, from the node's weights and alpha."""
    plain = trainer_of(node)
    return PathTrainer(plain.network, plain.settings)


def similarity(scale: Scale) -> Pair:
    """All operations of one edge."""
    node, network = split_twins(scale, "darts")
    draws, edge = drawing(node, network), EDGES[scale.space]
    naive = partial(naive_search.similarities, network, edge, allowed_of(node)[edge], draws)
    return Pair(lambda: works.similarities(node, edge), naive, lambda: check_similarity(node))


def split(scale: Scale, method: str) -> Pair:
    """The split decision at the root after an epoch of real images. The published way draws anew for every edge and
    operation, so that decisions may differ: what is checked is an edge's similarities by the same mini-batches."""
    node = works.warming(open_problem(recipe_of(scale, f"method.name={method}", "data.name=bundled")))
    for _ in range(node.problem.steps_per_epoch):
        node.advance()
    network = published(node)
    naive = partial(naive_search.best_split, network, allowed_of(node), works.PARTS, drawing(node, network))
    return Pair(lambda: works.split(node), naive, lambda: check_similarity(node))


def evaluation(scale: Scale) -> Pair:
    """One architecture over the held-out images."""
    node, network = split_twins(scale, "rsps")
    held, arch = held_loader(node.problem), archs_of(node, 1)[0]
    return Pair(
        partial(LeafEvaluator(node).accuracy, arch, node.problem.valid),
        lambda: naive_search.accuracy(network, arch, allowed_of(node), held),
        lambda: check_accuracy(node),
    )


def choice(scale: Scale) -> Pair:
    """RSPS: the best of so many random architectures."""
    node, network = split_twins(scale, "rsps", f"method.samples={scale.samples}")
    held, archs = held_loader(node.problem), archs_of(node, scale.samples)
    naive = partial(naive_search.choose, network, archs, allowed_of(node), held)
    return Pair(lambda: works.choose(node), naive, lambda: check_accuracy(node))


RECALIBRATED = ("method.name=rsps", "split.splits=1", "search.statistics=forgetting")


def subnets(scale: Scale) -> Pair:
    """Some subnets recalibrated by forgetting together, against by the mean over 2,000 images one by one.

    What is checked is one rule on both ways: the mean over a few images.
    """
    node = works.searching(problem_of(scale, *RECALIBRATED))
    archs, layout = archs_of(node, scale.samples), node.problem.layout
    shown = node.problem.calibration(node.chance, by_mean(equal_sizes(naive_subnets.IMAGES, naive_subnets.BATCH)))
    batches = list(LeafEvaluator(node).images)

    def naive() -> None:
        for arch in archs:
            naive_subnets.accuracy(node.network, only_live(layout, arch), shown, batches)

    def check() -> None:
        changes = ("search.statistics=mean", "search.calibration_images=20", "search.calibration_batch_size=10")
        twin = works.in_float64(works.searching(problem_of(scale, *RECALIBRATED, *changes)))
        judge = LeafEvaluator(twin)
        for arch in archs_of(twin, CHECKED):
            found = naive_subnets.accuracy(twin.network, only_live(layout, arch), twin.calibration, judge.images)
            agree("accuracy", {"": torch.tensor(judge(arch))}, {"": torch.tensor(found)})

    return Pair(lambda: LeafEvaluator(node).many(archs), naive, check)


def search(scale: Scale) -> Pair:
    """GM-DARTS from end to end, one split, on the bundled images; cleave's with as many workers as there are threads.

    It is the steps that are checked.
    """
    changes = ("method.name=darts", "data.name=bundled", "split.splits=1", f"search.epochs={scale.epochs}")
    recipe, workers = recipe_of(scale, *changes), torch.get_num_threads()
    naive = naive_search.Search(open_problem(recipe))
    fast = recipe.model_copy(update={"threads": 1})
    return Pair(lambda: works.search(fast, workers), naive.run, search_step(scale, "darts").check)


def floor(scale: Scale) -> Pair:
    """The convolutions of cleave's weight step alone against the whole of it."""
    return floor_of(works.warming(problem_of(scale, "method.name=darts", "split.splits=1")))


def path_floor(scale: Scale) -> Pair:
    """The same of a single path, which is another one in every step of the whole."""
    return floor_of(works.warming(problem_of(scale, *PATHS)))


def floor_of(node: NodeTrainer) -> Pair:
    convolutions = recorded(node.advance)
    return Pair(lambda: replay(convolutions), node.advance, lambda: None)


def fast_step(scale: Scale) -> Callable[[], object]:
    """cleave's weight step alone: nothing published is in this process."""
    return works.warming(problem_of(two_batches(scale), "method.name=darts")).advance


def naive_step(scale: Scale) -> Callable[[], object]:
    """The published one, with nothing of cleave's."""
    problem = problem_of(two_batches(scale), "method.name=darts")
    settings, train = problem.recipe.method, training_loader(problem, problem.train)
    assert isinstance(settings, ArchitectureSettings)
    naive_trainer = Trainer(supernet(problem, problem.space.region.allowed), settings)
    return lambda: naive_trainer.weight_step(fresh(train))


def two_batches(scale: Scale) -> Scale:
    """As few images as there can be."""
    return replace(scale, images=2 * scale.batch)


def in_float64(node: NodeTrainer) -> tuple[NodeTrainer, Trainer]:
    """The node and the published way from the same weights, to be compared."""
    twin = works.in_float64(node)
    return twin, trainer_of(twin)


def trainer_of(node: NodeTrainer) -> Trainer:
    """The published way to train, from the node's weights and alpha."""
    settings = node.problem.recipe.method
    assert isinstance(settings, ArchitectureSettings)
    network = published(node)
    with torch.no_grad():
        for edge, alpha in network.alphas.items():
            alpha.copy_(node.method.state_dict()[f"alpha.{edge}"])
    return Trainer(network, settings)


def published(node: NodeTrainer) -> Supernet:
    """The published network with the node's weights."""
    network = supernet(node.problem, allowed_of(node))
    network.to(node.network.classifier.weight.dtype)
    copy_weights(node.network, network)
    return network


def split_twins(scale: Scale, method: str, *changes: str) -> tuple[NodeTrainer, Supernet]:
    """A root of the method, and the published network with its weights."""
    node = works.warming(problem_of(scale, f"method.name={method}", *changes))
    return node, published(node)


def drawing(node: NodeTrainer, network: Supernet) -> Callable[[], Iterator[Draw]]:
    """Mini-batches for one operation, with the gates of the node's method."""
    problem, region = node.problem, node.problem.space.region
    loader, generator = training_loader(problem, problem.train), torch.Generator().manual_seed(0)

    def rows() -> Rows:
        if problem.method.learns:
            return {edge: row.detach() for edge, row in network.softmax().items()}
        return naive_search.one_hot(problem.space.sample(region, generator), region.allowed)

    return lambda: ((fresh(loader), rows()) for _ in range(problem.recipe.split.batches))


def check_momentum(node: NodeTrainer, naive_trainer: Trainer) -> None:
    own = dict(naive_trainer.network.named_parameters())
    fast = works.momentum(node)
    agree("gradients", fast, {name: naive_trainer.sgd.state[own[own_name(name)]]["momentum_buffer"] for name in fast})


def check_similarity(node: NodeTrainer) -> None:
    """By few mini-batches, however many the work takes."""
    twin, edge, allowed = works.in_float64(node), EDGES[node.problem.space.name], allowed_of(node)
    draws = [(batch, rows_of(gates, allowed)) for batch, gates in works.batches_of_probes(twin)]
    naive = naive_search.similarities(published(twin), edge, allowed[edge], lambda: draws)
    agree("similarities", {edge: works.similarities(twin, edge)}, {edge: naive})


def check_accuracy(node: NodeTrainer) -> None:
    """Of a few architectures."""
    twin = works.in_float64(node)
    held, network = held_loader(twin.problem), published(twin)
    for arch in archs_of(twin, CHECKED):
        naive = naive_search.accuracy(network, arch, allowed_of(node), held)
        agree("accuracy", {"": torch.tensor(LeafEvaluator(twin)(arch))}, {"": torch.tensor(naive)})


def archs_of(node: NodeTrainer, count: int) -> list[dict[str, str]]:
    """The first ones that cleave's RSPS looks at."""
    space = node.problem.space
    return [dict(arch) for arch in distinct(space, space.region, count, node.chance.generator("derive"))]


def allowed_of(node: NodeTrainer) -> Allowed:
    """The operations of each edge."""
    return node.problem.space.region.allowed
