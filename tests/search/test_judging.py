"""Architectures judged by statistics of their own: against the slow way, whatever was judged before, and as planned."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cleave.net import only_live
from cleave.search import evaluator
from cleave.search.evaluator import LeafEvaluator, alike_together
from cleave.search.judging import BY_BATCH, Judging, by_forgetting, by_mean, equal_sizes, judged_by
from cleave.search.stability import panel
from cleave.search.state import SearchCost
from cleave.search.trainer import NodeTrainer
from cleave.settings import SearchSettings
from cleave.train import Child
from tests.reference.judge import logits_by_own_statistics
from tests.search.test_evaluator import some
from tests.search.test_trainer import leaf, problem

BASE = ("method.name=rsps", "split.splits=1", "search.eval_batch_size=20", "search.calibration_batch_size=8")
KINDS = {
    "mean": ("search.statistics=mean", "search.calibration_images=20"),
    "forgetting": ("search.statistics=forgetting", "search.forgetting=[[1, 0.9], [2, 0.3]]"),
}
SHARES = {"mean": None, "forgetting": (0.9, 0.3, 0.3)}


def trained(*changes: str) -> NodeTrainer:
    trainer = leaf(problem(*BASE, *changes))
    for _ in range(3):
        trainer.advance()
    return trainer


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def trainer(kind: str) -> NodeTrainer:
    return trained(*KINDS[kind])


def test_what_a_recipe_says() -> None:
    said = partial(SearchSettings, calibration_batch_size=16)
    assert Judging.of(said(statistics="batch")) == BY_BATCH
    assert Judging.of(said(statistics="mean", calibration_images=50)) == by_mean((13, 13, 12, 12))
    given = Judging.of(said(statistics="forgetting", forgetting=[(2, 0.9), (1, 0.1)]))
    assert given == by_forgetting((16, 16, 16), (0.9, 0.9, 0.1))
    assert given.images == 48
    assert judged_by(given.told) == "judged by recalibrated statistics: a moving average over 48 training images"
    assert judged_by(by_mean((1500, 1500)).told).endswith("the mean over 3,000 training images")
    assert "each held-out batch" in judged_by(BY_BATCH.told)


@pytest.mark.parametrize("images", range(2, 30))
@pytest.mark.parametrize("most", [2, 3, 7, 64])
def test_batches_are_as_equal_as_can_be_and_none_has_one_image(images: int, most: int) -> None:
    sizes = equal_sizes(images, most)
    assert sum(sizes) == images
    assert 2 <= min(sizes) <= max(sizes) <= max(most, 3)
    assert max(sizes) - min(sizes) <= 1


def test_an_architecture_is_judged_as_by_the_slow_way(kind: str, trainer: NodeTrainer) -> None:
    batches = list(LeafEvaluator(trainer).images)
    for arch in some(3):
        gates = only_live(trainer.problem.layout, arch)
        found = trainer.evaluator.logits([Child(trainer.network, gates)], batches, trainer.calibration)
        logits = logits_by_own_statistics(trainer.network, gates, batches, trainer.calibration, SHARES[kind])
        for (_, fast, _), slow in zip(found, logits, strict=True):
            torch.testing.assert_close(fast.double(), slow, atol=1e-3, rtol=1e-3)


def test_a_supernet_is_judged_by_the_statistics_of_each_path(kind: str, trainer: NodeTrainer) -> None:
    judge, losses = LeafEvaluator(trainer), list[float]()
    for number in range(judge.batches):
        batch = judge.images[number]
        gates = trainer.own_gates(number)
        (logits,) = logits_by_own_statistics(trainer.network, gates, [batch], trainer.calibration, SHARES[kind])
        losses += cross_entropy(logits, batch[1], reduction="none").tolist()
    assert judge.mixture().loss == pytest.approx(sum(losses) / len(losses), rel=1e-3)


def test_calibration_batches_are_training_images_of_the_leaf_alone(kind: str, trainer: NodeTrainer) -> None:
    images = trainer.problem.train
    assert [len(labels) for _, labels in trainer.calibration] == list(trainer.problem.judging.sizes)
    stream = trainer.problem.stream(images, trainer.chance, "recalibrate", 8 if kind == "forgetting" else 7)
    for number, (_, labels) in enumerate(trainer.calibration):
        assert torch.equal(labels, images.labels[stream.indices(number)][: len(labels)])
    other = NodeTrainer(trainer.problem, trainer.scope, trainer.schedule)
    assert all(torch.equal(one, same) for one, same in zip(*(each_image(of) for of in (trainer, other)), strict=True))


def each_image(trainer: NodeTrainer) -> list[Tensor]:
    return [images for images, _ in trainer.calibration]


def test_many_are_judged_as_each_alone_and_nothing_is_looked_at_twice(
    trainer: NodeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluator, "TOGETHER", 3)
    spent, archs = list[SearchCost](), [*some(6), *some(1) * 2]
    together = LeafEvaluator(trainer, after=spent.append)
    first = together.many(archs, 1)
    assert together.many(archs) == [LeafEvaluator(trainer)(arch) for arch in archs]
    assert first == [LeafEvaluator(trainer)(arch, 1) for arch in archs]
    assert together.many(archs, 2) == [LeafEvaluator(trainer)(arch, 2) for arch in archs]
    count = len({trainer.problem.space.format(arch) for arch in archs})
    cost = sum(spent, SearchCost())
    assert cost.eval_images == count * len(trainer.problem.valid)
    assert cost.calibration_images == 2 * count * trainer.problem.judging.images  # asked for twice on more images


def test_by_batch_statistics_many_get_what_each_gets_alone_too() -> None:
    spent, trainer, archs = list[SearchCost](), trained(), some(8)
    assert LeafEvaluator(trainer, after=spent.append).many(archs) == [LeafEvaluator(trainer)(arch) for arch in archs]
    assert sum(spent, SearchCost()).calibration_images == 0
    assert panel(trainer) == [LeafEvaluator(trainer).accuracy(arch, trainer.problem.valid) for arch in trainer.panel]


def test_statistics_are_measured_once_for_all_batches(trainer: NodeTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
    passes, forward = list[bool](), torch.nn.BatchNorm2d.forward

    def counted(norm: torch.nn.BatchNorm2d, x: Tensor) -> Tensor:
        passes.append(norm.training)
        return forward(norm, x)

    monkeypatch.setattr(torch.nn.BatchNorm2d, "forward", counted)
    judge, (arch,) = LeafEvaluator(trainer), some(1)
    judge(arch)
    norms = sum(passes) // len(trainer.calibration)
    assert judge.batches > 1
    assert sum(passes) == norms * len(trainer.calibration) > 0
    assert len(passes) - sum(passes) == norms * judge.batches


def test_those_that_begin_alike_stand_together(trainer: NodeTrainer) -> None:
    layout = trainer.problem.layout
    archs = alike_together(layout, some(40))
    choices = list(dict.fromkeys(choice for _, block in layout.blocks for choice in block.choices))
    firsts = [arch[choices[0]] if choices[0] in layout.live(arch) else "" for arch in archs]
    assert firsts == sorted(firsts)
    assert len(archs) == 40
