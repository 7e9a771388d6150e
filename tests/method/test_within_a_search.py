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
from cleave.search.matching import Matcher
from cleave.search.trainer import NodeTrainer
from tests.method.kinds import EVERYWHERE
from tests.method.made import LEARNING
from tests.search.test_trainer import SPACE, leaf, problem

REGION = SPACE.region.restrict("2<-1", ["nor_conv_1x1", "none"]).restrict("3<-0", ["skip_connect"])


opened = lru_cache(problem)


def searching(name: str, *changes: str) -> NodeTrainer:
    """A masked leaf in the second of its three epochs."""
    trainer = leaf(opened(f"method.name={name}", "split.splits=1", "search.epochs=3", *changes), REGION)
    for _ in range(trainer.problem.steps_per_epoch + 1):
        trainer.advance()
    return trainer


def before_learning(trainer: NodeTrainer, look: Any) -> None:  # noqa: ANN401
    """Calls `look(held)` in front of every architecture step."""
    learn = trainer.method.learn

    def looked(held: ValidationLoss, context: StepContext) -> None:
        look(held)
        learn(held, context)

    trainer.method.learn = looked


def snapshot(trainer: NodeTrainer) -> list[torch.Tensor]:
    """The weights, and all that the optimiser has of them."""
    weights = list(trainer.network.parameters())
    buffers = [trainer.weights.optimizer.state[weight].get("momentum_buffer") for weight in weights]
    grads = [weight.grad for weight in weights]
    return [tensor.detach().clone() for tensor in (*weights, *buffers, *grads) if tensor is not None]


@pytest.mark.parametrize("name", LEARNING)
def test_an_architecture_step_leaves_weights_gradients_and_momentum_as_they_are(name: str) -> None:
    trainer = searching(name, "method.architecture_every=1")
    alpha = {choice: value.detach().clone() for choice, value in trainer.method.alpha.items()}
    seen: list[ValidationLoss] = []
    before_learning(trainer, seen.append)
    trainer.advance()
    before = snapshot(trainer)
    trainer.method.learn(seen[0], trainer.context("architecture", 0))
    after = snapshot(trainer)
    assert len(before) == len(after)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert any(not torch.equal(value, alpha[choice]) for choice, value in trainer.method.alpha.items())


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_descent_that_is_told_is_the_weight_step_that_follows(momentum: float) -> None:
    """With a clip that does not bite, and alpha that hardly moves in between."""
    still = ["method.clip=1e9", "method.architecture_learning_rate=1e-12", f"method.momentum={momentum}"]
    trainer = searching("darts2", *still)
    told: list[dict[str, torch.Tensor]] = []
    gates = trainer.method.gates(trainer.context("gates", trainer.step))
    before_learning(trainer, lambda held: told.append(virtual_step(held.sgd_step(), gates)))
    before = {name: weight.detach().clone() for name, weight in trainer.network.named_parameters()}
    trainer.advance()
    for name, weight in trainer.network.named_parameters():
        torch.testing.assert_close(weight.detach() - before[name], told[0][name] - before[name], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("name", LEARNING)
def test_each_batch_is_drawn_once_a_step(name: str) -> None:
    trainer = searching(name)
    drawn: list[int] = []
    draw = trainer.train.batch
    trainer.train.batch = lambda step: drawn.append(step) or draw(step)
    first = trainer.step
    for _ in range(2):
        trainer.advance()
    assert drawn == [first, first + 1]


@pytest.mark.parametrize("name", [name for name in EVERYWHERE if not METHODS[name].alone])
def test_a_search_goes_on_bit_for_bit_from_what_was_saved(name: str, tmp_path: Path) -> None:
    trainer = searching(name)
    write_record(tmp_path / "saved", trainer.record())
    again = leaf(trainer.problem, REGION)
    again.restore(read_record(tmp_path / "saved"))
    for each in (trainer, again):
        while each.step < each.steps:
            each.advance()
    assert again.means() == trainer.means()
    assert write_record(tmp_path / "a", trainer.record()) == write_record(tmp_path / "b", again.record())


@pytest.mark.parametrize("name", [name for name in EVERYWHERE if not METHODS[name].alone])
def test_scores_of_a_choice_are_finite_and_leave_everything_as_it_is(name: str) -> None:
    trainer = searching(name, "split.enable=own")
    before = snapshot(trainer)
    similarities = Matcher(trainer).score("2<-1")
    assert similarities.shape == (2, 2)
    assert torch.equal(similarities, Matcher(trainer).score("2<-1"))
    assert all(torch.equal(one, other) for one, other in zip(before, snapshot(trainer), strict=True))
