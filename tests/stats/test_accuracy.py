from __future__ import annotations

import random

import pytest

from cleave.stats.accuracy import Accuracy, Hits, majority_share


def test_answers_that_look_at_no_image_are_worth_a_class_out_of_all() -> None:
    """Always the big class of 300 to 20: 93.75 % are right, and of the small class none."""
    assert Accuracy.of([300, 0], [300, 20]) == Accuracy(overall=93.75, balanced=50.0)
    assert majority_share([300, 20]) == 93.75


def test_with_equal_classes_both_are_the_same() -> None:
    for _ in range(20):
        hits = [random.randint(0, 40) for _ in range(7)]
        accuracy = Accuracy.of(hits, [40] * 7)
        assert accuracy.balanced == pytest.approx(accuracy.overall, abs=1e-9)


def test_a_class_without_images_is_left_out() -> None:
    assert Accuracy.of([3, 0, 1], [4, 0, 4]) == Accuracy(overall=50.0, balanced=50.0)


def test_hits_add_up_by_batch_and_by_class() -> None:
    hits = Hits()
    for batch in ([1, 0, 2], [0, 0, 3], [2, 2, 2]):
        hits.add(batch)
    assert (hits.batches, hits.classes) == ([3, 3, 6], [3, 2, 7])
