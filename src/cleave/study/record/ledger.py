"""What a part of a study cost: mini-batches, and multiply-adds of training and of looking."""

from __future__ import annotations

from typing import Any

import torch

from cleave.data.stream import Batch
from cleave.net.cost import costs
from cleave.net.count import MultiplyAdds
from cleave.study.record.problem import Study
from cleave.study.record.supernet import Supernet
from cleave.study.record.training import Training
from cleave.study.record.tuning import Tuning
from cleave.train import INITIAL, Evaluator, Statistics

PASSES = 3
"""A training step counts as three forward passes: one forwards and about two backwards."""


def entry(study: Study, what: str, learner: Training | Tuning, seconds: float) -> dict[str, Any]:
    """{"what", "mini_batches", "per_child", "train_multiply_adds", "evaluation_multiply_adds",
    "evaluation_multiply_adds_plainly", "seconds"}: `per_child` is the mean, "plainly" without anything in common."""
    mini_batches = learner.steps * (study.recipe.tune.batches if isinstance(learner, Tuning) else 1)
    train, judged, plainly = worked_on(study, learner)
    return {
        "what": what,
        "mini_batches": mini_batches,
        "per_child": mini_batches / len(learner.names),
        "train_multiply_adds": train,
        "evaluation_multiply_adds": judged,
        "evaluation_multiply_adds_plainly": plainly,
        "seconds": round(seconds, 3),
    }


def worked_on(study: Study, learner: Training | Tuning) -> tuple[int, int, int]:
    """Multiply-adds of training, of looking as it is done, and of looking child by child."""
    channels, height, width = study.train.pixels.shape[1:]
    each = costs(study.space, study.recipe.space.size, (channels, height, width), study.classes)
    by_child = [each.of(arch).multiply_adds for arch in learner.supernet.children]
    if isinstance(learner, Tuning):
        images = study.recipe.tune.batches * study.recipe.training.batch_size
        looked = sum(by_child) * study.recipe.tune.batches * len(study.judged)
        return PASSES * sum(by_child) * images, looked, looked
    seen = images_looked_at(study, learner)
    judged = sum(count * walk(learner.supernet, kind, (channels, height, width)) for kind, count in seen)
    plainly = sum(count for _, count in seen) * sum(by_child)
    per_epoch, batch = study.steps_per_epoch, study.recipe.training.batch_size
    last = len(study.train) - (per_epoch - 1) * batch
    sizes = (last if step % per_epoch == per_epoch - 1 else batch for step in range(learner.steps))
    trained = sum(size * by_child[learner.order(step)] for step, size in enumerate(sizes))
    return PASSES * trained, judged, plainly


def images_looked_at(study: Study, learner: Training) -> list[tuple[Statistics, int]]:
    """For each kind of statistics how many images went through every child, those for calibration included."""
    moments = len({look.step for look in learner.looks})
    looks, found = study.recipe.looks, []
    kinds = [evaluator.statistics for evaluator in learner.evaluators.values()]
    for kind in kinds:
        calibration = looks.calibration * study.recipe.training.batch_size if kind.calibrated else 0
        found.append((kind, moments * (len(study.judged) + calibration)))
    if study.reported is not None:
        found.append((kinds[0], len(study.reported)))
    return found


def walk(supernet: Supernet, kind: Statistics, image: tuple[int, int, int]) -> int:
    """Multiply-adds of all children together for one image, as they are judged.

    Statistics of the batch are counted as running ones, with which operations run by themselves and can be seen.
    """
    evaluator = Evaluator(kind if kind.running else INITIAL)
    device = supernet.blueprint.device
    batch: Batch = torch.zeros(2, *image, device=device), torch.zeros(2, dtype=torch.int64, device=device)
    with MultiplyAdds() as counted:
        evaluator.hits(supernet.members, [batch], [batch] if kind.calibrated else ())
    per_batch: int = counted.total // 2
    return per_batch // 2 if kind.calibrated else per_batch
