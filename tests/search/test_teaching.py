"""Teachers of a node: where their weights lie."""

from __future__ import annotations

import pytest
import torch

from cleave.run.generations import Record
from cleave.search.teaching import Teacher

SAVED = Record({}, {"teacher": {"weight": torch.rand(3)}}, {"taught": True})


@pytest.mark.parametrize("taken", [Teacher.learn_from, Teacher.restore])
def test_what_was_saved_comes_to_the_device_of_the_networks(taken: object) -> None:
    """Checkpoints are read to the CPU; the device without memory stands for a GPU."""
    assert callable(taken)
    teacher = Teacher(lambda images, gates, weights: images, torch.device("meta"))
    taken(teacher, SAVED)
    assert teacher.weights is not None
    assert teacher.weights["weight"].is_meta
    assert teacher.given


def test_a_teacher_keeps_a_copy() -> None:
    weight = torch.rand(3)
    teacher = Teacher(lambda images, gates, weights: images, torch.device("cpu"))
    teacher.become({"weight": weight}, given=False)
    before = weight.clone()
    weight.zero_()
    assert teacher.weights is not None
    assert torch.equal(teacher.weights["weight"], before)
