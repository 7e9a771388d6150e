"""Trainers of elastic networks: which networks a step trains, by what they learn, and the step against a plain twin."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy

import pytest
import torch
from torch.nn.functional import cross_entropy, log_softmax, softmax

from cleave.config import load_recipe
from cleave.errors import UserError
from cleave.method import Lesson, OnceForAll, StepContext
from cleave.method.once_for_all import drawn, extreme
from cleave.net import noisy, one_hot
from cleave.resolve import resolve
from cleave.search.problem import Problem, open_problem
from cleave.search.schedule import schedule
from cleave.search.scope import Standalone
from cleave.search.trainer import NodeTrainer
from cleave.space import Region, find_space
from cleave.space.ofa import MobileNetOfa, OfaSettings, depths
from cleave.split import Node

SPACE = MobileNetOfa(OfaSettings(kernels=(3, 5), expansions=(3, 4), depths=(1, 2)))
TINY = [
    "space.name=mobilenet-ofa", "space.kernels=[3, 5]", "space.expansions=[3, 4]", "space.depths=[1, 2]",
    "data.limit=48", "data.image_size=8", "search.batch_size=12", "search.epochs=1", "split.splitter=none", "threads=1",
    "method.samples=2", "trust.control=0", "trust.panel=0",
]  # fmt: skip


def problem(*changes: str) -> Problem:
    recipe = load_recipe(None, [*TINY, *changes], {})
    return open_problem(resolve(recipe, find_space(recipe.space))[0])


def trainer_of(problem: Problem, region: Region | None = None) -> NodeTrainer:
    return NodeTrainer(problem, Node((), region or problem.space.region), schedule(problem.recipe, 0))


def context(seed: int = 0) -> StepContext:
    return StepContext(0, 1, torch.Generator().manual_seed(seed))


def lessons(name: str, **settings: object) -> list[Lesson]:
    trainer = trainer_of(problem(f"method.name={name}", *(f"method.{key}={value}" for key, value in settings.items())))
    return list(trainer.method.lessons(context()))


def test_the_sandwich_is_the_largest_the_smallest_and_random_ones() -> None:
    found = lessons("sandwich", paths=3)
    assert len(found) == 5
    assert found[0] == Lesson(one_hot(SPACE.parse(" | ".join(["k5_e4 k5_e4"] * 5))))
    assert found[1].gates == one_hot(SPACE.parse(" | ".join(["k3_e3"] * 5)))
    assert all((each.labels, each.taught, each.teacher) == (0, 1, None) for each in found[1:])


def test_plain_networks_are_trained_beside_the_largest() -> None:
    found = lessons("subnets", paths=2)
    assert [each.taught for each in found] == [0, 1, 1]
    assert found[0].gates == one_hot(extreme(SPACE, SPACE.region, largest=True))


def test_every_number_of_every_dimension_is_drawn_as_often() -> None:
    """Not every architecture: of those most are deep."""
    generator = torch.Generator().manual_seed(0)
    found = [drawn(SPACE, SPACE.region, generator) for _ in range(300)]
    counted = Counter(depth for arch in found for depth in depths(arch))
    assert counted[1] / 1500 == pytest.approx(0.5, abs=0.05)
    kernels = Counter(arch["kernel1"] for arch in found)
    assert kernels["k3"] / 300 == pytest.approx(0.5, abs=0.12)
    assert all(SPACE.format(SPACE.parse(SPACE.format(arch))) == SPACE.format(arch) for arch in found)


def test_networks_lie_in_the_region() -> None:
    region = SPACE.region.restrict("kernel1", ("k3",)).restrict("depth2", ("d1",)).restrict("expand3", ("e4",))
    largest, smallest = (extreme(SPACE, region, end) for end in (True, False))
    assert (largest["kernel1"], largest["depth2"], largest["expand3"]) == ("k3", "d1", "e4")
    assert "kernel4" not in largest
    assert smallest["expand3"] == "e4"
    generator = torch.Generator()
    for seed in range(20):
        assert drawn(SPACE, region, generator.manual_seed(seed)) in region


def test_compared_candidates_run_in_deep_networks() -> None:
    method = trainer_of(problem("method.name=sandwich")).method
    for seed in range(5):
        gates = method.probe(context(seed))
        assert gates.keys() == SPACE.region.allowed.keys()
        assert all(gates[f"depth{unit}"].active == ("d2",) for unit in range(1, 6))


@pytest.mark.parametrize("name", ["sandwich", "subnets"])
def test_a_step_is_that_which_is_written_down(name: str) -> None:
    """The largest network learns from the labels, the others from its answers, which stand still."""
    opened = problem(f"method.name={name}", "method.clip=null", "method.momentum=0.0", "method.weight_decay=0.0")
    trainer = trainer_of(opened)
    twin = deepcopy(trainer.network)
    found = trainer.method.lessons(trainer.context("gates", 0))
    images, labels = trainer.train.batch(0)
    trainer.advance()
    rate = opened.recipe.method.learning_rate
    with noisy(twin, trainer.chance.generator("noise", 0), 0.0):
        outputs = [twin(images, each.gates) for each in found]
    answers = softmax(outputs[0].detach(), dim=1)
    losses = [cross_entropy(outputs[0], labels, label_smoothing=0.1)]
    losses += [-(answers * log_softmax(each, dim=1)).sum(dim=1).mean() for each in outputs[1:]]
    torch.stack(losses).mean().backward()
    for (key, weight), own in zip(trainer.network.named_parameters(), twin.parameters(), strict=True):
        expected = own if own.grad is None else own - rate * own.grad
        torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-6, msg=lambda text, key=key: f"{key}: {text}")


def test_one_architecture_alone_is_trained_by_labels() -> None:
    opened = problem("method.name=sandwich")
    scope = Standalone("alone", SPACE.parse(" | ".join(["k3_e4"] * 5)))
    trainer = NodeTrainer(opened, scope, schedule(opened.recipe, 0))
    assert trainer.method.lessons(context()) == [Lesson(one_hot(scope.arch))]
    trainer.advance()
    assert trainer.means()[0] > 0


@pytest.mark.parametrize("name", ["sandwich", "subnets", "shrinking"])
def test_other_spaces_are_refused(name: str) -> None:
    recipe = load_recipe(None, ["space.name=nasbench201", f"method.name={name}", "search.epochs=6"], {})
    with pytest.raises(UserError, match=rf"{name}.* needs a space whose networks are parts of a largest one"):
        resolve(recipe, find_space(recipe.space))


def test_limits_are_of_what_is_derived() -> None:
    """The largest network teaches though it is above them."""
    opened = problem("method.name=sandwich", "limits.params=120k")
    trainer = trainer_of(opened)
    first = trainer.method.lessons(context())[0].gates
    largest = {choice: gate.active[0] for choice, gate in first.items()}
    assert not opened.space.valid(largest)
    assert isinstance(trainer.method, OnceForAll)
    assert opened.space.valid(trainer.method.derive(Guess(), torch.Generator().manual_seed(0)))


class Guess:
    """Accuracies that say nothing."""

    batches = 1

    def __call__(self, arch: object, batches: int | None = None) -> float:
        return 50.0

    def many(self, archs: list[object], batches: int | None = None) -> list[float]:
        return [50.0 for _ in archs]
