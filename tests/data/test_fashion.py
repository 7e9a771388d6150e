from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from cleave.data.fashion import read_fashion, read_idx
from cleave.errors import UserError
from tests.data.official import made, write_fashion, write_idx
from tests.fresh import fresh


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("folder", ["FashionMNIST/raw", "fashion-mnist", "."])
def test_the_published_files_are_read_from_each_place(tmp_path: Path, folder: str, zipped: bool) -> None:
    expected = write_fashion(tmp_path / folder, zipped)
    for part in ("train", "test"):
        images = read_fashion(tmp_path, part)
        assert images is not None
        assert torch.equal(images.pixels, expected[part][0])
        assert torch.equal(images.labels, expected[part][1])
        assert images.classes[:2] == ("T-shirt/top", "Trouser")
        assert images.shuffled


def test_some_files_may_be_zipped_and_others_not(tmp_path: Path) -> None:
    expected = write_fashion(tmp_path, zipped=False)
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.with_name(labels.name + ".gz").write_bytes(gzip.compress(labels.read_bytes()))
    labels.unlink()
    images = read_fashion(tmp_path, "train")
    assert images is not None
    assert torch.equal(images.labels, expected["train"][1])


def test_nothing_is_found_where_there_is_nothing(tmp_path: Path) -> None:
    assert read_fashion(tmp_path, "train") is None


def test_images_without_their_labels_are_refused_by_name(tmp_path: Path) -> None:
    write_fashion(tmp_path, zipped=False)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte: missing"):
        read_fashion(tmp_path, "test")


@pytest.mark.parametrize("shape", [(7,), (3, 4, 5), (2, 3), (0, 4)])
@pytest.mark.parametrize("zipped", [False, True])
def test_an_idx_file_comes_back_equal(tmp_path: Path, shape: tuple[int, ...], zipped: bool) -> None:
    array = torch.from_numpy(fresh().integers(0, 256, shape)).byte()
    assert torch.equal(read_idx(write_idx(tmp_path / "some", array, zipped), len(shape)), array)


@pytest.mark.parametrize("zipped", [False, True])
def test_an_idx_file_cut_anywhere_is_named(tmp_path: Path, zipped: bool) -> None:
    path = write_idx(tmp_path / "some", torch.from_numpy(fresh().integers(0, 256, (3, 4, 5))), zipped)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(UserError, match=f"^{path}: "):
            read_idx(path, 3)


def test_a_zipped_file_with_a_flipped_byte_is_named(tmp_path: Path) -> None:
    path = write_idx(tmp_path / "some", torch.from_numpy(fresh().integers(0, 256, (3, 4, 5))), zipped=True)
    data = bytearray(path.read_bytes())
    # Not in the header, whose time stamp is not checked, nor in the padding bits that end the compressed stream.
    for position in [*range(10, len(data) - 9), *range(len(data) - 8, len(data))]:
        damaged = data.copy()
        damaged[position] ^= 1 << int(fresh().integers(8))
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=f"^{path}: "):
            read_idx(path, 3)


def test_an_idx_file_that_is_too_long_or_of_another_kind_is_named(tmp_path: Path) -> None:
    path = write_idx(tmp_path / "some", torch.zeros(3, 4))
    data = path.read_bytes()
    for wrong in (data + b"\0", b"\0\0\x0d" + data[3:], b"\x01" + data[1:]):
        path.write_bytes(wrong)
        with pytest.raises(UserError, match=f"^{path}: "):
            read_idx(path, 2)
    path.write_bytes(data)
    with pytest.raises(UserError, match="in 3 dimensions"):
        read_idx(path, 3)


def test_labels_that_do_not_fit_the_images_are_refused(tmp_path: Path) -> None:
    write_fashion(tmp_path, zipped=False)
    write_idx(tmp_path / "train-labels-idx1-ubyte", torch.zeros(29))
    with pytest.raises(UserError, match="train-images-idx3-ubyte"):
        read_fashion(tmp_path, "train")
    write_idx(tmp_path / "train-labels-idx1-ubyte", torch.full((30,), 10))
    with pytest.raises(UserError, match="train-labels-idx1-ubyte: label 10 "):
        read_fashion(tmp_path, "train")


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    write_fashion(tmp_path, zipped=False)
    write_idx(tmp_path / "train-images-idx3-ubyte", made(30, 1, 27, 10)[0][:, 0])
    with pytest.raises(UserError, match="train-images-idx3-ubyte"):
        read_fashion(tmp_path, "train")
