"""Training batches: what is done to images, and that it follows from the step alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cleave.data.chance import Chance
from cleave.data.stream import Batch
from cleave.retrain.batches import TrainingBatches, cutout
from tests.retrain.small import ALL, task


def batches(**changes: object) -> TrainingBatches:
    made = task(**changes)
    return TrainingBatches(made.train, made.settings, made.augment, made.normalise, Chance(3, "network"))


def equal(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "changes",
    [{}, {"cutout": 8}, {"crop": 0.3}, {"jitter": 0.3}, {"rand_augment": 9}, {"erasing": 1.0}, {"mixup": 1.0}],
)
def test_a_batch_follows_from_the_step_alone(changes: dict[str, Any]) -> None:
    first, second = batches(**changes), batches(**changes)
    found = [first.batch(step) for step in (0, 1, 2)]
    torch.rand(7)  # whatever else is drawn
    assert equal(second.batch(2), found[2])
    assert not equal(found[0], found[1])
    if changes:
        assert not torch.equal(found[0][0], batches().batch(0)[0]), "nothing was done"


def test_a_cutout_is_a_square_that_may_reach_over_the_edge() -> None:
    x = torch.rand(400, 2, 9, 11) + 1
    found = cutout(x, 4, torch.Generator().manual_seed(int(torch.randint(1000, ()))))
    for before, after in zip(x, found, strict=True):
        hole = (after == 0).all(dim=0)
        assert torch.equal(after[:, ~hole], before[:, ~hole])
        rows, columns = hole.any(dim=1), hole.any(dim=0)
        assert torch.equal(hole, rows[:, None] & columns)
        assert 2 <= int(rows.sum()) <= 4
        assert 2 <= int(columns.sum()) <= 4


def test_mixed_labels_are_shares_of_the_classes() -> None:
    for changes in ({"mixup": 0.5}, {"cutmix": 0.5}, {"mixup": 0.5, "cutmix": 0.5}):
        _, labels = batches(**changes).batch(0)
        assert labels.shape == (8, 3)
        torch.testing.assert_close(labels.sum(dim=1), torch.ones(8))


def test_everything_at_once_gives_images_of_the_same_size() -> None:
    found, labels = batches(**ALL).batch(0)
    assert found.shape == (8, 3, 32, 32)
    assert bool(torch.isfinite(found).all())
    assert labels.shape == (8, 3)
