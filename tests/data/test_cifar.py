from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cleave.data.cifar import CIFAR10_CLASSES, read_cifar10, read_cifar100
from cleave.data.images import Images, Part
from cleave.errors import UserError
from tests.data.official import made, write_batch, write_binary, write_cifar10, write_cifar100
from tests.fresh import fresh

CASES = [
    (read_cifar10, write_cifar10, True, "cifar-10-batches-bin", 10),
    (read_cifar10, write_cifar10, False, "cifar-10-batches-py", 10),
    (read_cifar100, write_cifar100, True, "cifar-100-binary", 100),
    (read_cifar100, write_cifar100, False, "cifar-100-python", 100),
]
Reader = Callable[[Path, Part], Images | None]


@pytest.mark.parametrize("inside", [False, True], ids=["root", "folder"])
@pytest.mark.parametrize(("read", "write", "binary", "folder", "classes"), CASES)
def test_either_layout_is_read_from_the_root_or_from_its_folder(
    tmp_path: Path, read: Reader, write: Callable, binary: bool, folder: str, classes: int, inside: bool
) -> None:
    expected = write(tmp_path, binary)
    for part in ("train", "test"):
        images = read(tmp_path / folder if inside else tmp_path, part)
        assert images is not None
        assert torch.equal(images.pixels, expected[part][0])
        assert torch.equal(images.labels, expected[part][1])
        assert len(images.classes) == classes
        assert images.shuffled


@pytest.mark.parametrize("read", [read_cifar10, read_cifar100])
def test_nothing_is_found_where_there_is_nothing(tmp_path: Path, read: Reader) -> None:
    (tmp_path / "train").mkdir()  # as an image folder has, not CIFAR-100
    assert read(tmp_path, "train") is None
    assert read(tmp_path / "absent", "test") is None


@pytest.mark.parametrize("binary", [True, False])
def test_a_missing_batch_is_named(tmp_path: Path, binary: bool) -> None:
    write_cifar10(tmp_path, binary)
    gone = next(tmp_path.rglob("data_batch_3*"))
    gone.unlink()
    with pytest.raises(UserError, match=str(gone)):
        read_cifar10(tmp_path, "train")
    assert read_cifar10(tmp_path, "test") is not None


@pytest.mark.parametrize(("read", "write", "binary", "folder", "classes"), CASES)
def test_a_file_cut_anywhere_is_named(
    tmp_path: Path, read: Reader, write: Callable, binary: bool, folder: str, classes: int
) -> None:
    write(tmp_path, binary)
    path = sorted((tmp_path / folder).iterdir())[-1]
    part: Part = "test" if "test" in path.name else "train"
    data = path.read_bytes()
    row = len(data) // (10 if classes == 10 else 20)
    for length in [0, *fresh().integers(1, len(data), 10).tolist()]:
        if binary and length and length % row == 0:
            continue  # fewer rows, each of them whole
        path.write_bytes(data[:length])
        with pytest.raises(UserError, match=str(path)):
            read(tmp_path, part)


def test_a_binary_file_may_hold_fewer_whole_rows(tmp_path: Path) -> None:
    expected = write_cifar10(tmp_path, binary=True)
    path = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    path.write_bytes(path.read_bytes()[: 4 * 3073])
    images = read_cifar10(tmp_path, "test")
    assert images is not None
    assert torch.equal(images.pixels, expected["test"][0][:4])


def test_a_label_that_no_class_has_is_refused_with_its_file(tmp_path: Path) -> None:
    write_cifar10(tmp_path, binary=True)
    path = tmp_path / "cifar-10-batches-bin" / "data_batch_2.bin"
    pixels, labels = made(10, 3, 32, 10)
    labels[fresh().integers(10)] = 10
    write_binary(path, (pixels, labels))
    with pytest.raises(UserError, match=f"{path}: label 10 "):
        read_cifar10(tmp_path, "train")


def test_batches_pickled_read_only_or_transposed_are_read_too(tmp_path: Path) -> None:
    pixels, labels = made(20, 3, 32, 100)
    folder = tmp_path / "cifar-100-python"
    write_batch(folder / "train", (pixels, labels), "fine_labels", protocol=5)
    rows = np.asfortranarray(pixels.flatten(1).numpy())
    (folder / "test").write_bytes(pickle.dumps({"data": rows, "fine_labels": labels.tolist()}, 4))
    frozen = pixels.flatten(1).numpy()
    frozen.setflags(write=False)
    for batch in (rows, frozen):
        (folder / "test").write_bytes(pickle.dumps({"data": batch, "fine_labels": labels.tolist()}, 5))
        for part in ("train", "test"):
            images = read_cifar100(tmp_path, part)
            assert images is not None
            assert torch.equal(images.pixels, pixels)


def test_the_classes_of_cifar10_have_their_names(tmp_path: Path) -> None:
    write_cifar10(tmp_path, binary=True)
    images = read_cifar10(tmp_path, "train")
    assert images is not None
    assert images.classes == CIFAR10_CLASSES
    assert (images.classes[0], images.classes[9]) == ("airplane", "truck")


@pytest.mark.parametrize("binary", [True, False])
def test_the_classes_of_cifar100_are_named_by_the_file_beside_them(tmp_path: Path, binary: bool) -> None:
    write_cifar100(tmp_path, binary)
    before = read_cifar100(tmp_path, "train")
    names = [f"class_{number}" for number in fresh().permutation(100)]
    if binary:
        beside = tmp_path / "cifar-100-binary" / "fine_label_names.txt"
        beside.write_text("\n".join(names) + "\n\n")
    else:
        beside = tmp_path / "cifar-100-python" / "meta"
        beside.write_bytes(pickle.dumps({"fine_label_names": names, "coarse_label_names": []}, 2))
    after = read_cifar100(tmp_path, "train")
    assert before is not None
    assert before.classes == tuple(str(number) for number in range(100))
    assert after is not None
    assert after.classes == tuple(names)


@pytest.mark.parametrize("content", [["only", "two"], {"fine_label_names": "abc"}, {}, 7])
def test_a_file_of_names_that_are_not_a_hundred_is_refused(tmp_path: Path, content: object) -> None:
    write_cifar100(tmp_path, binary=False)
    (tmp_path / "cifar-100-python" / "meta").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match="meta"):
        read_cifar100(tmp_path, "train")


def test_the_real_cifar10_is_whole_and_balanced(cifar_root: Path) -> None:
    train, test = read_cifar10(cifar_root, "train"), read_cifar10(cifar_root, "test")
    assert train is not None
    assert test is not None
    assert train.labels.bincount().tolist() == [5000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
    mean = (
        torch.from_numpy(train.pixels.numpy().mean((0, 2, 3), dtype=np.float32)) / 255
    )  # the figures that everybody normalises with
    assert torch.allclose(mean, torch.tensor([0.4914, 0.4822, 0.4465]), atol=1e-3)
