"""Methods as a node in training uses them: what they are handed, what they leave alone, what comes back."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.method import METHODS, StepContext, ValidationLoss
from cleave.method.second_order import virtual_step
from cleave.run.generations import read_record, write_record
from cleave.search.learner import Learner
from tests.method.made import LEARNING
from tests.search.test_learner import SPACE, leaf, problem

REGION = SPACE.region.restrict("2<-1", ["nor_conv_1x1", "none"]).restrict("3<-0", ["skip_connect"])


opened = lru_cache(problem)


def searching(name: str, *changes: str) -> Learner:
    """A masked leaf in the second of its three epochs."""
    learner = leaf(opened(f"method.name={name}", "split.splits=1", "search.epochs=3", *changes), REGION)
    for _ in range(learner.problem.steps_per_epoch + 1):
        learner.advance()
    return learner


def before_learning(learner: Learner, look: Any) -> None:  # noqa: ANN401
    """Calls `look(held)` in front of every architecture step."""
    learn = learner.method.learn

    def looked(held: ValidationLoss, context: StepContext) -> None:
        look(held)
        learn(held, context)

    learner.method.learn = looked


def snapshot(learner: Learner) -> list[torch.Tensor]:
    """The weights, and all that the optimiser has of them."""
    weights = list(learner.network.parameters())
    buffers = [learner.optimizer.state[weight].get("momentum_buffer") for weight in weights]
    grads = [weight.grad for weight in weights]
    return [tensor.detach().clone() for tensor in (*weights, *buffers, *grads) if tensor is not None]


@pytest.mark.parametrize("name", LEARNING)
def test_an_architecture_step_leaves_weights_gradients_and_momentum_as_they_are(name: str) -> None:
    learner = searching(name)
    alpha = {choice: value.detach().clone() for choice, value in learner.method.alpha.items()}
    seen: list[ValidationLoss] = []
    before_learning(learner, seen.append)
    learner.advance()
    before = snapshot(learner)
    learner.method.learn(seen[0], learner.context("architecture", 0))
    after = snapshot(learner)
    assert len(before) == len(after)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert any(not torch.equal(value, alpha[choice]) for choice, value in learner.method.alpha.items())


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_descent_that_is_told_is_the_weight_step_that_follows(momentum: float) -> None:
    """With a clip that does not bite, and alpha that hardly moves in between."""
    still = ["method.clip=1e9", "method.architecture_learning_rate=1e-12", f"method.momentum={momentum}"]
    learner = searching("darts2", *still)
    told: list[dict[str, torch.Tensor]] = []
    gates = learner.method.gates(learner.context("gates", learner.step))
    before_learning(learner, lambda held: told.append(virtual_step(held.sgd_step(), gates)))
    before = {name: weight.detach().clone() for name, weight in learner.network.named_parameters()}
    learner.advance()
    for name, weight in learner.network.named_parameters():
        torch.testing.assert_close(weight.detach() - before[name], told[0][name] - before[name], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("name", LEARNING)
def test_each_batch_is_drawn_once_a_step(name: str) -> None:
    learner = searching(name)
    drawn: list[int] = []
    draw = learner.train.batch
    learner.train.batch = lambda step: drawn.append(step) or draw(step)
    first = learner.step
    for _ in range(2):
        learner.advance()
    assert drawn == [first, first + 1]


@pytest.mark.parametrize("name", [name for name, kind in METHODS.items() if not kind.alone])
def test_a_search_goes_on_bit_for_bit_from_what_was_saved(name: str, tmp_path: Path) -> None:
    learner = searching(name)
    write_record(tmp_path / "saved", learner.record())
    again = leaf(learner.problem, REGION)
    again.restore(read_record(tmp_path / "saved"))
    for each in (learner, again):
        while each.step < each.steps:
            each.advance()
    assert again.means() == learner.means()
    assert write_record(tmp_path / "a", learner.record()) == write_record(tmp_path / "b", again.record())


@pytest.mark.parametrize("name", [name for name, kind in METHODS.items() if not kind.alone])
def test_scores_of_a_choice_are_finite_and_leave_everything_as_it_is(name: str) -> None:
    learner = searching(name, "split.enable=own")
    before = snapshot(learner)
    similarities = learner.score("2<-1", learner.probes())
    assert similarities.shape == (2, 2)
    assert torch.equal(similarities, learner.score("2<-1", learner.probes()))
    assert all(torch.equal(one, other) for one, other in zip(before, snapshot(learner), strict=True))
