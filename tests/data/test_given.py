"""Images that are given in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import TensorDataset

from cleave.data.folder import read_folder
from cleave.data.given import of_dataset, of_tensors
from cleave.data.images import Images
from cleave.errors import UserError
from tests.tiny import write_images


def silent(done: int, total: int) -> None:
    pass


def given(images: object, labels: object, classes: Any = None, size: int | None = None) -> Images:  # noqa: ANN401
    return of_tensors(images, labels, classes, size, silent)


def some(count: int = 6, channels: int = 3, size: int = 8) -> Tensor:
    return torch.randint(256, (count, channels, size, size), dtype=torch.uint8)


class Listed(list[tuple[Any, Any]]):
    """A dataset as torch knows them: a length and items."""


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_bytes_are_kept_as_they_are(channels: int) -> None:
    pixels = some(channels=channels)
    found = given(pixels, torch.arange(6) % 3)
    assert torch.equal(found.pixels, pixels)
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.classes == ("0", "1", "2")
    assert not found.shuffled


@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
def test_floats_from_0_to_1_are_the_levels_that_they_came_from(kind: torch.dtype) -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)
    assert torch.equal(given((pixels.double() / 255).to(kind), torch.arange(4) % 2).pixels, pixels)


def test_arrays_and_labels_of_any_whole_kind_do() -> None:
    pixels = some()
    for labels in (np.arange(6, dtype=np.uint8) % 2, torch.arange(6, dtype=torch.int32) % 2):
        found = given(pixels.numpy(), labels, ("cat", "dog"))
        assert found.labels.dtype == torch.int64
        assert found.classes == ("cat", "dog")


def test_another_size_is_as_of_all_images() -> None:
    pixels = some(size=12)
    found = given(pixels, torch.arange(6) % 2, size=8)
    assert torch.equal(found.pixels, Images(pixels, torch.arange(6) % 2, ("0", "1"), shuffled=False).resize(8).pixels)


@pytest.mark.parametrize(
    ("images", "labels", "classes", "words"),
    [
        (some()[0], torch.zeros(6), None, r"\[n, channels, size, size\], not \[3, 8, 8\]"),
        (some()[:, :, :4], torch.arange(6), None, r"not \[6, 3, 4, 8\]"),
        (some()[:0], torch.arange(0), None, r"not \[0, 3, 8, 8\]"),
        (some().tolist(), torch.arange(6), None, "images: give a tensor or an array, not list"),
        (some().int(), torch.arange(6), None, "give uint8 or floats in 0 to 1, not torch.int32"),
        (some().float(), torch.arange(6) % 2, None, "floats have to be in 0 to 1, not "),
        (some() / 255 * torch.nan, torch.arange(6) % 2, None, "floats have to be in 0 to 1, not nan"),
        (some() / 255 - 0.5, torch.arange(6) % 2, None, "leave normalising to us"),
        (some(), torch.arange(6).float(), None, "labels have to be whole numbers, not torch.float32"),
        (some(), torch.arange(6) > 2, None, "not torch.bool"),
        (some(), torch.arange(5), None, r"6 images need labels \[6\], not \[5\]"),
        (some(), torch.arange(6)[:, None], None, r"not \[6, 1\]"),
        (some(), torch.arange(6) - 1, None, "labels count from 0, but one is -1"),
        (some(), torch.zeros(6).long(), None, "two classes or more"),
        (some(), torch.arange(6) * 100, None, "number the classes from 0 on"),
        (some(), torch.arange(6), ("a", "b"), "a label is 5, but only 2 classes are named"),
    ],
)
def test_what_is_wrong_is_named(images: object, labels: object, classes: object, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        given(images, labels, classes)
    assert str(error.value).startswith("data: ")


def test_a_dataset_of_tensors_is_what_its_tensors_are() -> None:
    pixels, labels = some(), torch.arange(6) % 3
    told: list[tuple[int, int]] = []
    found = of_dataset(TensorDataset(pixels, labels), None, lambda *each: told.append(each))
    assert torch.equal(found.pixels, pixels)
    assert torch.equal(found.labels, labels)
    assert told == [(number, 6) for number in range(1, 7)]


def test_pillows_images_become_what_a_folder_of_them_is(tmp_path: Any) -> None:  # noqa: ANN401
    folder = read_folder(write_images(tmp_path, each=3), "train", 8)
    files = sorted(tmp_path.rglob("*.png"))
    dataset = Listed((Image.open(file), int(file.parent.name[-1])) for file in files)
    found = of_dataset(dataset, 8, silent)
    there = {bytes(each.numpy().tobytes()) for each in found.pixels}
    assert {bytes(each.numpy().tobytes()) for each in folder.pixels} <= there
    assert found.classes == ("0", "1")


def test_without_a_size_the_first_image_decides() -> None:
    pictures = [Image.new("L", size, 7) for size in ((12, 9), (20, 30))]
    found = of_dataset(Listed((picture, number) for number, picture in enumerate(pictures)), None, silent)
    assert found.pixels.shape == (2, 3, 9, 9)
    found = of_dataset(Listed((some(1, 1, size)[0], number) for number, size in enumerate((8, 11))), None, silent)
    assert found.pixels.shape == (2, 1, 8, 8)


def test_the_classes_of_a_dataset_are_named_as_it_names_them() -> None:
    class Named(Listed):
        classes = ("cat", "dog")

    assert of_dataset(Named((image, number) for number, image in enumerate(some(2))), None, silent).classes == (
        "cat",
        "dog",
    )


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "the dataset is empty"),
        ([some()[0]], r"item 0 of the dataset has to be \(image, label\)"),
        ([(some()[0], 0), (some(1, 1)[0], 1)], "item 1 of the dataset has 1 channels, the first one has 3"),
        ([(some()[0], 0.5)], "item 0 of the dataset: a label is a whole number from 0, not 0.5"),
        ([(some()[0], torch.tensor([1, 2]))], "a label is a whole number"),
        ([(some()[0, 0], 0)], r"item 0 of the dataset: an image has to be \[channels, size, size\], not \[8, 8\]"),
        ([("cat.png", 0)], "item 0 of the dataset: give a tensor or an array, not str"),
        ([(Image.new("I", (8, 8)), 0)], "more than 8 bits"),
    ],
)
def test_what_is_wrong_with_a_dataset_is_named(items: list[Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        of_dataset(Listed(items), None, silent)
    assert str(error.value).startswith("data: ")
