"""Progressive shrinking: its phases, what changes in front of each, the teacher, and the way through a tree."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy, softmax

from cleave.config import load_recipe
from cleave.errors import UserError
from cleave.method import Lesson, Shrinking, ShrinkingSettings, phase_at
from cleave.method.once_for_all import extreme
from cleave.method.phase import shared_out
from cleave.method.shrinking import FULL, SHRINKING
from cleave.net import one_hot
from cleave.resolve import resolve
from cleave.run.generations import read_record, write_record
from cleave.search.schedule import schedule
from cleave.search.trainer import NodeTrainer
from cleave.space import Region, find_space
from cleave.space.ofa import MobileNetOfa
from cleave.split import Node
from tests.method.test_once_for_all import SPACE, context, problem, trainer_of

EPOCHS = 7
LARGEST = one_hot(extreme(SPACE, SPACE.region, largest=True))


def method(**settings: object) -> Shrinking:
    return Shrinking(ShrinkingSettings(**settings), SPACE, SPACE.region, torch.Generator())  # type: ignore[arg-type]


def trainer() -> NodeTrainer:
    return trainer_of(problem("method.name=shrinking", f"search.epochs={EPOCHS}"))


def test_at_the_published_length_phases_are_the_published_ones() -> None:
    """Epochs with their rises, and learning rates for batches of 2,048 (Cai et al., appendix B)."""
    found = method(learning_rate=2.6, full=185 / 610).phases(610, searching=True, taught=False)
    assert [each.epochs for each in found] == [185, 125, 25, 125, 25, 125]
    assert [each.rise for each in found] == [5, 5, 0, 5, 0, 5]
    assert [each.networks for each in found] == [1, 1, 2, 2, 4, 4]
    assert [round(each.learning_rate, 6) for each in found] == [2.6, 0.96, 0.08, 0.24, 0.08, 0.24]
    assert found[0].rate(5) == pytest.approx(2.6)
    assert found[0].rate(184) < 0.01


@pytest.mark.parametrize("epochs", [6, 7, 11, 60])
def test_any_length_has_all_phases(epochs: int) -> None:
    found = method().phases(epochs, searching=True, taught=False)
    assert sum(each.epochs for each in found) == epochs
    assert [each.largest for each in found] == [FULL.largest, *(each.largest for each in SHRINKING)]
    assert all(each.epochs > each.rise for each in found)
    taught = method().phases(epochs, searching=True, taught=True)
    assert [each.largest for each in taught] == [each.largest for each in SHRINKING]
    before = method().phases(epochs, searching=False, taught=False)
    assert [each.largest for each in before] == [FULL.largest, SHRINKING[0].largest]


def test_parts_are_as_large_as_their_shares_and_one_at_least() -> None:
    assert shared_out(10, [8, 1, 1]) == [8, 1, 1]
    assert shared_out(4, [100, 1, 1]) == [2, 1, 1]
    assert shared_out(11, [1, 1]) in ([6, 5], [5, 6])


def test_networks_shrink_one_dimension_after_the_other() -> None:
    space = MobileNetOfa()
    shrinking = Shrinking(ShrinkingSettings(), space, space.region, torch.Generator())
    allowed = [shrinking.within(phase).allowed for phase in (FULL, *SHRINKING)]
    assert [each["kernel1"] for each in allowed] == [("k7",), *[("k3", "k5", "k7")] * 5]
    assert [each["depth1"] for each in allowed] == [("d4",), ("d4",), ("d3", "d4"), *[("d2", "d3", "d4")] * 3]
    assert [each["expand1"] for each in allowed] == [*[("e6",)] * 4, ("e4", "e6"), ("e3", "e4", "e6")]


def test_the_largest_network_teaches_from_the_second_phase_on() -> None:
    each = trainer()
    assert each.method.lessons(each.context("gates", 0)) == [
        Lesson(one_hot(SPACE.parse(" | ".join(["k5_e4 k5_e4"] * 5))))
    ]
    assert each.teacher.weights is None
    while each.epoch < each.phases[0].epochs:
        each.advance()
    kept = {name: weight.detach().clone() for name, weight in each.network.named_parameters()}
    each.advance()
    assert each.teacher.weights is not None
    assert all(torch.equal(each.teacher.weights[name], weight) for name, weight in kept.items())
    lesson = each.method.lessons(each.context("gates", each.step))[0]
    images, labels = batch = each.train.batch(each.step)
    found = each._learn(lesson, answers := [], batch)
    assert lesson.teacher is not None
    by_labels = cross_entropy(found.logits, labels, label_smoothing=0.1)
    by_teacher = cross_entropy(found.logits, softmax(answers[0], dim=1))
    torch.testing.assert_close(found.loss, by_labels + by_teacher)
    torch.testing.assert_close(answers[0], each.logits(images, lesson.teacher, each.teacher.weights))


def test_channels_are_sorted_in_front_of_the_widths() -> None:
    """The largest network goes on as before, its channels in another order; momentum is forgotten."""
    each = trainer()
    start = sum(phase.epochs for phase in each.phases[:4]) * each.problem.steps_per_epoch
    while each.step < start:
        each.advance()
    x = each.train.batch(0)[0]
    before, name = each.logits(x, LARGEST).detach(), "blocks.block1.place.project.weight"
    importance = dict(each.network.named_parameters())[name].detach().abs().sum(dim=(0, 2, 3))
    assert each.weights.momentum
    each._turn(each.step)
    torch.testing.assert_close(each.logits(x, LARGEST).detach(), before, rtol=1e-3, atol=1e-4)
    after = dict(each.network.named_parameters())[name].detach().abs().sum(dim=(0, 2, 3))
    torch.testing.assert_close(after, importance.sort(descending=True).values)
    assert each.weights.momentum == {}


def test_a_phase_that_was_interrupted_goes_on_bit_for_bit(tmp_path: Path) -> None:
    each = trainer()
    while each.step < each.steps // 2:
        each.advance()
    write_record(tmp_path / "saved", each.record())
    again = trainer()
    again.restore(read_record(tmp_path / "saved"))
    for one in (each, again):
        while one.step < one.steps:
            one.advance()
    assert write_record(tmp_path / "a", each.record()) == write_record(tmp_path / "b", again.record())


@pytest.mark.parametrize("restart", [True, False])
def test_children_begin_with_the_teacher_or_go_on(restart: bool) -> None:
    """Neither trains the largest network again; the teacher is that of the root."""
    opened = problem(
        "method.name=shrinking", "search.epochs=6", "split.splitter=random", "split.splits=1", "split.branch=2",
        "split.warmup_epochs=2", f"split.restart={str(restart).lower()}",
    )  # fmt: skip
    parent = trainer_of(opened)
    assert parent.steps == 2 * opened.steps_per_epoch
    while parent.step < parent.steps:
        parent.advance()
    assert parent.teacher.weights is not None
    region = Region({**opened.space.region.allowed, "kernel1": ("k3",)})
    child = NodeTrainer(opened, Node((0,), region), schedule(opened.recipe, 1))
    (child.restart if restart else lambda record: child.inherit(record, opened.space.region))(parent.record())
    begun = parent.teacher.weights if restart else dict(parent.network.named_parameters())
    assert all(torch.equal(weight, begun[name]) for name, weight in child.network.named_parameters())
    assert [phase.largest for phase in child.phases] == [phase.largest for phase in SHRINKING]
    child.advance()
    assert child.teacher.weights is not None
    assert all(torch.equal(child.teacher.weights[name], each) for name, each in parent.teacher.weights.items())
    assert phase_at(child.phases, 0).number == 0


def test_too_few_epochs_are_refused() -> None:
    with pytest.raises(UserError, match=r"search\.epochs=5: method\.name=shrinking has 6 phases; give 6 or more"):
        problem("method.name=shrinking", "search.epochs=5")


def test_a_node_before_a_split_of_one_epoch_trains_the_largest_alone() -> None:
    found = method().phases(1, searching=False, taught=False)
    assert [each.largest for each in found] == [FULL.largest]
    assert method().lessons(context())[0].taught == 0


def test_learning_rates_end_where_they_are_asked_to_and_other_schedules_are_told_to_mean_nothing() -> None:
    found = method(learning_rate=0.05, learning_rate_min=0.001).phases(60, searching=True, taught=False)
    rates = [each.rate(epoch) for each in found for epoch in range(each.epochs)]
    assert min(rates) >= 0.001
    assert max(rates) == pytest.approx(0.05)
    recipe = load_recipe(
        None,
        ["space.name=mobilenet-ofa", "method.name=shrinking", "search.epochs=6", "split.warmup_learning_rate=0.1"],
        {},
    )
    notes = resolve(recipe, find_space(recipe.space))[1]
    assert any(
        note.startswith("split.warmup_learning_rate has no meaning with method.name=shrinking") for note in notes
    )
