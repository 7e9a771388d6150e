"""Training batches: what is done to images, and that it follows from the step alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cleave.data.chance import Chance
from cleave.data.stream import Batch
from cleave.retrain.batches import TrainingBatches, cutout, erased
from cleave.retrain.settings import RetrainSettings
from tests.retrain.small import ALL, task


def batches(**changes: object) -> TrainingBatches:
    made = task(**changes)
    return TrainingBatches(made.train, made.settings, made.augment, made.normalise, Chance(3, "network"))


def equal(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cutout": 8},
        {"crop": 0.3},
        {"jitter": 0.3},
        {"rand_augment": 9},
        {"erasing": 1.0},
        {"mixup": 1.0},
        {"auto_augment": "rand-m9-p1"},
        {"erasing": 1.0, "erasing_noise": True},
    ],
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


@pytest.mark.parametrize("noise", [False, True])
def test_rectangles_are_erased_in_a_share_of_the_images(noise: bool) -> None:
    """Grey or noise, of 2 % to a third of the area, sides 3.3 to 1 at most (Zhong et al., 2020)."""
    x, settings = torch.full((400, 3, 40, 40), 7.0), RetrainSettings(erasing=0.25, erasing_noise=noise)
    found = erased(x, settings, torch.Generator().manual_seed(int(torch.randint(1000, ()))))
    holes = (found != 7).any(dim=1)
    hit = holes.flatten(1).any(dim=1)
    assert 0.1 < float(hit.double().mean()) < 0.4  # .25, six standard deviations
    for hole, image in zip(holes[hit], found[hit], strict=True):
        rows, columns = hole.any(dim=1), hole.any(dim=0)
        height, width = int(rows.sum()), int(columns.sum())
        assert torch.equal(hole, rows[:, None] & columns)
        assert 0.015 < height * width / 1600 < 0.36
        assert 1 / 3.9 < height / width < 3.9
        inside = image[:, hole]
        assert bool((inside == 0).all()) != noise
    if noise:
        values = found.movedim(1, -1)[holes]
        assert abs(float(values.mean())) < 0.05
        assert float(values.std()) == pytest.approx(1, abs=0.05)


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
