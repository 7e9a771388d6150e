from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from cleave.data.imagenet16 import read_imagenet16
from cleave.errors import UserError
from tests.data.official import Runs, made, write_batch, write_imagenet16


@pytest.mark.parametrize("inside", [False, True], ids=["root", "folder"])
def test_the_first_120_classes_are_kept_in_order_and_counted_from_0(tmp_path: Path, inside: bool) -> None:
    expected = write_imagenet16(tmp_path)
    for part in ("train", "test"):
        images = read_imagenet16(tmp_path / "ImageNet16" if inside else tmp_path, part)
        pixels, labels = expected[part]
        kept = labels < 120
        assert images is not None
        assert 0 < len(images) < len(labels)
        assert torch.equal(images.pixels, pixels[kept])
        assert torch.equal(images.labels, labels[kept])
        assert images.classes[0] == "1"
        assert len(images.classes) == 120


@pytest.mark.parametrize("number", [1, 7, 10])
def test_a_missing_training_file_is_named(tmp_path: Path, number: int) -> None:
    write_imagenet16(tmp_path)
    (tmp_path / "ImageNet16" / f"train_data_batch_{number}").unlink()
    with pytest.raises(UserError, match=f"train_data_batch_{number}: missing"):
        read_imagenet16(tmp_path, "train")


def test_nothing_is_found_where_there_is_nothing(tmp_path: Path) -> None:
    assert read_imagenet16(tmp_path, "train") is None


@pytest.mark.parametrize("label", [0, 1001])
def test_labels_that_imagenet_has_not_are_refused_by_file(tmp_path: Path, label: int) -> None:
    write_imagenet16(tmp_path)
    path = tmp_path / "ImageNet16" / "train_data_batch_4"
    pixels, labels = made(5, 3, 16, 240)
    labels[2] = label - 1
    write_batch(path, (pixels, labels), first=1)
    with pytest.raises(UserError, match=f"{path}: label {label - 1} "):
        read_imagenet16(tmp_path, "train")


def test_images_of_another_size_are_refused_by_file(tmp_path: Path) -> None:
    write_imagenet16(tmp_path)
    path = tmp_path / "ImageNet16" / "val_data"
    write_batch(path, made(5, 3, 32, 240), first=1)
    with pytest.raises(UserError, match=f"{path}: .*768"):
        read_imagenet16(tmp_path, "test")


def test_a_batch_that_would_run_a_command_is_refused_and_not_run(tmp_path: Path) -> None:
    write_imagenet16(tmp_path)
    witness, path = tmp_path / "witness", tmp_path / "ImageNet16" / "train_data_batch_9"
    path.write_bytes(pickle.dumps({"data": Runs(f"touch {witness}"), "labels": []}))
    with pytest.raises(UserError, match=f"{path}: refused"):
        read_imagenet16(tmp_path, "train")
    assert not witness.exists()
