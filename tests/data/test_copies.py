"""Images that are there twice are found by hashes of their pixels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cleave.data import images as images_module
from cleave.data.copies import Marks, copies_between, copies_of
from cleave.data.images import Images
from tests.reference import copies as slow


def files() -> list[str]:
    return [f"{number}.png" for number in range(26)]


def few_kinds(count: int) -> Images:
    """Images of one of sixteen kinds, in any of three classes."""
    pixels = torch.randint(4, (16, 3, 2, 2), dtype=torch.uint8)[torch.randint(16, (count,))]
    return Images(pixels, torch.randint(3, (count,)), ("a", "b", "c"), shuffled=True)


def together(*several: Images) -> Images:
    pixels, labels = ([getattr(images, name)[:] for images in several] for name in ("pixels", "labels"))
    return replace(several[0], pixels=torch.cat(pixels), labels=torch.cat(labels))


def test_copies_are_those_that_are_equal_pixel_by_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_module, "CHUNK", 60)  # five images at a time
    for _ in range(20):
        train, held = few_kinds(17), few_kinds(9)
        both = together(train, held)
        found = copies_between(train, held, files)
        copied = slow.copied(held, train)
        assert found["held_out"] == len(copied)
        pairs = [[f"{17 + number}.png", f"{slow.matches(held, number, both)[0]}.png"] for number in copied[:3]]
        assert found["files"] == pairs
        torn = slow.in_several_classes(both)
        assert found["classes"] == len(torn)
        others = [j for i in torn[:1] for j in slow.matches(both, i, both) if both.labels[i] != both.labels[j]]
        assert found["class_files"] == [f"{number}.png" for number in [*torn[:1], *others[:1]]]
        tested = copies_of(Marks.of(train), held, files)
        assert tested == {
            "images": len(copied),
            "other_class": len(slow.of_another_class(held, train)),
            "files": [f"{number}.png" for number in copied[:3]],
        }


def test_images_that_are_of_no_files_are_counted() -> None:
    train = few_kinds(40)
    found = copies_between(train, train, tuple)
    assert (found["held_out"], found["files"], found["class_files"]) == (40, [], [])
    assert copies_between(train, train.take(torch.arange(0)), tuple)["held_out"] == 0
