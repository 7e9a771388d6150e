"""Judging a leaf's architectures: the figures are those of one go, nothing is looked at twice, it can be broken off."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch.nn.functional import cross_entropy

from cleave.method import StepContext
from cleave.net import only_live
from cleave.search.evaluator import LeafEvaluator, StandaloneEvaluator
from cleave.search.state import SearchCost
from cleave.search.trainer import NodeTrainer
from cleave.space import Arch
from cleave.stats.accuracy import Accuracy, Hits
from tests.search.test_trainer import SPACE, leaf, problem


@pytest.fixture(scope="module")
def trainer() -> NodeTrainer:
    return leaf(problem("method.name=rsps", "split.splits=1", "search.eval_batch_size=10"))


def some(count: int) -> list[Arch]:
    generator = torch.Generator().manual_seed(int(torch.randint(10**6, ())))
    return [SPACE.sample(SPACE.region, generator) for _ in range(count)]


def exam_of(trainer: NodeTrainer, hits: dict[str, Hits] | None = None) -> tuple[LeafEvaluator, list[int]]:
    """An exam and the images that it has looked at, batch by batch."""
    looked = list[int]()
    after = lambda cost: looked.append(cost.eval_images)  # noqa: E731
    return LeafEvaluator(trainer, {} if hits is None else hits, lambda: None, after), looked


def test_all_batches_together_give_the_accuracy(trainer: NodeTrainer) -> None:
    exam, _ = exam_of(trainer)
    for arch in some(5):
        assert exam(arch) == LeafEvaluator(trainer)(arch)


def test_some_batches_are_the_first_images(trainer: NodeTrainer) -> None:
    exam, _ = exam_of(trainer)
    valid = trainer.problem.valid
    for arch in some(3):
        for batches in range(1, exam.batches + 1):
            count = exam.images.first(batches)
            (hits,) = LeafEvaluator(trainer).hits([arch], [exam.images[number] for number in range(batches)])
            assert exam(arch, batches) == 100 * sum(map(sum, hits)) / count
        assert count == len(valid)


def test_what_is_known_is_not_looked_at_again(trainer: NodeTrainer) -> None:
    (arch,) = some(1)
    exam, looked = exam_of(trainer)
    exam(arch, 2)
    assert len(looked) == 2
    exam(arch, 1)
    assert len(looked) == 2
    exam(arch)
    assert len(looked) == exam.batches
    assert sum(looked) == len(trainer.problem.valid)


def test_an_exam_that_was_broken_off_goes_on_from_what_is_known(trainer: NodeTrainer) -> None:
    (arch,) = some(1)
    known = dict[str, Hits]()
    exam_of(trainer, known)[0](arch, 2)
    exam, looked = exam_of(trainer, deepcopy(known))
    assert exam(arch) == LeafEvaluator(trainer)(arch)
    assert len(looked) == exam.batches - 2


def test_whoever_breaks_it_off_finds_whole_batches_only(trainer: NodeTrainer) -> None:
    class Enough(Exception):
        pass

    known, seen = dict[str, Hits](), list[SearchCost]()

    def before() -> None:
        if len(seen) == 3:
            raise Enough

    (arch,) = some(1)
    with pytest.raises(Enough):
        LeafEvaluator(trainer, known, before, seen.append)(arch)
    assert [len(hits.batches) for hits in known.values()] == [3]


def test_what_is_trained_first_is_judged_on_all_images_at_once() -> None:
    trained = StandaloneEvaluator(lambda arch: Accuracy(len(arch), 0))
    assert trained.batches == 1
    assert trained({"a": "x", "b": "y"}) == trained({"a": "x", "b": "y"}, 1) == 2


def test_the_balanced_accuracy_is_the_mean_of_each_classs_own(trainer: NodeTrainer) -> None:
    exam, looked = exam_of(trainer)
    valid = trainer.problem.valid
    for arch in some(3):
        exam(arch, 1)  # what is known of the first batch counts for both
        accuracy = exam.judge(arch)
        gates = only_live(trainer.problem.layout, arch)
        right = torch.cat([trainer.logits(images, gates).argmax(dim=1) == labels for images, labels in exam.images])
        shares = [100 * float(right[valid.labels == label].double().mean()) for label in valid.labels.unique()]
        assert len(shares) > 1
        assert accuracy.overall == exam(arch) == LeafEvaluator(trainer)(arch)
        assert accuracy.balanced == pytest.approx(sum(shares) / len(shares), abs=1e-9)
        assert LeafEvaluator(trainer).judge(arch) == accuracy
    assert sum(looked) == 3 * len(valid)  # judged by class or not, no image is looked at twice


@pytest.mark.parametrize("method", ["darts", "snas", "gdas", "rsps"])
def test_a_supernet_is_judged_as_its_method_runs_it(method: str) -> None:
    """Against logits and losses batch by batch under gates that are asked for here; and twice the same."""
    trainer = leaf(problem(f"method.name={method}", "split.splits=1", "search.epochs=2", "search.eval_batch_size=10"))
    looked = list[int]()
    judge = LeafEvaluator(trainer, before=lambda: looked.append(1))
    found = judge.mixture()
    assert len(looked) == judge.batches > 1
    losses, right = list[float](), 0
    for number in range(judge.batches):
        images, labels = judge.images[number]
        context = StepContext(1, 2, trainer.chance.generator("mixture", number))
        with torch.no_grad():
            logits = trainer.logits(images, trainer.method.gates(context))
        losses += cross_entropy(logits, labels, reduction="none").tolist()
        right += int((logits.argmax(dim=1) == labels).sum())
    assert len(losses) == len(trainer.problem.valid)
    assert found.loss == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    assert found.accuracy == pytest.approx(100 * right / len(losses), abs=100 * 1.01 / len(losses))
    assert LeafEvaluator(trainer).mixture() == found


def test_what_is_trained_alone_has_no_supernet() -> None:
    assert StandaloneEvaluator(lambda arch: Accuracy(0, 0)).mixture() is None
