from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cleave.data.images import CHUNK, Images, check_labels, locate
from cleave.errors import UserError
from tests.data.official import made

CLASSES = ("a", "b", "c")


def some(count: int = 12, size: int = 8) -> Images:
    return Images(*made(count, 3, size, 3), CLASSES, shuffled=True)


def test_taking_images_keeps_pixels_and_labels_together() -> None:
    images = some()
    indices = torch.randperm(12)[:5]
    taken = images.take(indices)
    assert len(taken) == 5
    for position, index in enumerate(indices):
        assert torch.equal(taken.pixels[position], images.pixels[index])
        assert taken.labels[position] == images.labels[index]
    assert (taken.classes, taken.shuffled) == (images.classes, images.shuffled)


@pytest.mark.parametrize("size", [16, 24, 45])
def test_resizing_agrees_with_pillow_to_one_level(size: int) -> None:
    images = some(count=5, size=32)
    resized = images.resize(size)
    assert resized.pixels.shape == (5, 3, size, size)
    assert resized.pixels.dtype == torch.uint8
    for before, after in zip(images.pixels, resized.pixels, strict=True):
        picture = Image.fromarray(before.permute(1, 2, 0).numpy())
        expected = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(after.permute(1, 2, 0).numpy() - expected).max() <= 1


def test_resizing_many_images_resizes_each_alone() -> None:
    chunk = CHUNK // (3 * 64 * 64)
    images = some(count=chunk + 3, size=64)
    together = images.resize(3).pixels
    for index in (0, chunk - 1, chunk, chunk + 2):
        assert torch.equal(together[index], images.take(torch.tensor([index])).resize(3).pixels[0])


def test_resizing_to_the_same_size_changes_nothing() -> None:
    images = some()
    assert images.resize(8) is images


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no second device")
def test_on_a_gpu_images_are_taken_and_resized_alike() -> None:
    images, indices = some(), torch.randperm(12)[:5]
    moved = images.to("cuda").take(indices).resize(5)
    assert moved.pixels.device == moved.labels.device == torch.device("cuda", 0)
    expected = images.take(indices).resize(5)
    assert torch.equal(moved.labels.cpu(), expected.labels)
    assert (moved.pixels.cpu().int() - expected.pixels.int()).abs().max() <= 1


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [
        (torch.zeros(2, 3, 8, 8), torch.zeros(2).long()),
        (torch.zeros(2, 8, 8).byte(), torch.zeros(2).long()),
        (torch.zeros(2, 3, 8, 7).byte(), torch.zeros(2).long()),
        (torch.zeros(2, 3, 8, 8).byte(), torch.zeros(2).int()),
        (torch.zeros(2, 3, 8, 8).byte(), torch.zeros(3).long()),
        (torch.zeros(2, 3, 8, 8).byte(), torch.tensor([0, 3])),
        (torch.zeros(2, 3, 8, 8).byte(), torch.tensor([-1, 0])),
    ],
)
def test_what_is_no_set_of_images_cannot_be_made(pixels: torch.Tensor, labels: torch.Tensor) -> None:
    with pytest.raises(AssertionError):
        Images(pixels, labels, CLASSES, shuffled=False)


def touched(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_files_are_located_in_the_first_folder_that_has_them(tmp_path: Path) -> None:
    empty = touched(tmp_path / "empty")
    first, second = touched(tmp_path / "first", "x", "y"), touched(tmp_path / "second", "x", "y")
    assert locate([tmp_path / "absent", empty, first, second], ["x", "y"]) == [first / "x", first / "y"]
    assert locate([empty, tmp_path / "absent"], ["x", "y"]) is None


def test_a_missing_file_among_others_is_named(tmp_path: Path) -> None:
    folder = touched(tmp_path / "some", "x", "z")
    with pytest.raises(UserError, match=f"^{folder / 'y'}: missing"):
        locate([folder], ["x", "y", "z"])


def test_a_folder_of_a_file_s_name_is_not_the_file(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    assert locate([tmp_path], ["x"]) is None


def test_endings_are_tried_file_by_file_and_the_first_counts(tmp_path: Path) -> None:
    folder = touched(tmp_path / "some", "x.idx", "x.idx.gz", "y.idx.gz")
    found = locate([folder], ["x.idx", "y.idx"], endings=("", ".gz"))
    assert found == [folder / "x.idx", folder / "y.idx.gz"]


def test_labels_outside_the_classes_are_refused_with_the_file_named() -> None:
    check_labels(torch.tensor([0, 2, 1]), 3, Path("some.bin"))
    for wrong in (3, -1):
        with pytest.raises(UserError, match=rf"^some\.bin: label {wrong} "):
            check_labels(torch.tensor([0, wrong]), 3, Path("some.bin"))
