from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cleave.data.folder import read_folder
from cleave.data.images import Images
from cleave.errors import UserError
from tests.data.official import write_folder
from tests.fresh import fresh


def pixels_of(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def contents(images: Images) -> set[bytes]:
    return {image.numpy().tobytes() for image in images.pixels}


def test_without_a_test_folder_a_tenth_of_each_class_is_the_test_part(tmp_path: Path) -> None:
    write_folder(tmp_path, {"many": 40, "few": 5, "three": 3, "two": 2})
    train, test = read_folder(tmp_path, "train", 40), read_folder(tmp_path, "test", 40)
    assert train.classes == test.classes == ("few", "many", "three", "two")
    assert test.labels.bincount(minlength=4).tolist() == [1, 4, 1, 0]
    assert train.labels.bincount().tolist() == [4, 36, 2, 2]
    everything = {pixels_of(path).contiguous().numpy().tobytes() for path in tmp_path.rglob("*.png")}
    assert contents(train) | contents(test) == everything
    assert not contents(train) & contents(test)


def test_files_come_in_sorted_order_with_the_label_of_their_folder(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"b": 3, "a": 2})
    write_folder(tmp_path / "test", {"a": 1, "b": 1})
    images = read_folder(tmp_path, "train", 40)
    paths = [tmp_path / "train" / name for name in ("a/000.png", "a/001.png", "b/000.png", "b/001.png", "b/002.png")]
    assert torch.equal(images.pixels, torch.stack([pixels_of(path) for path in paths]))
    assert images.labels.tolist() == [0, 0, 1, 1, 1]
    assert not images.shuffled


@pytest.mark.parametrize("name", ["test", "val", "valid"])
def test_a_test_folder_is_the_test_part(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path / "train", {"a": 3, "b": 2})
    write_folder(tmp_path / name, {"a": 1, "b": 4})
    assert read_folder(tmp_path, "train").labels.tolist() == [0, 0, 0, 1, 1]
    assert read_folder(tmp_path, "test").labels.tolist() == [0, 1, 1, 1, 1]


def test_the_tenth_depends_on_the_sorted_names_alone(tmp_path: Path) -> None:
    first = write_folder(tmp_path / "first", {"a": 30, "b": 30})
    second = tmp_path / "second"
    for path in fresh().permutation(sorted(first.rglob("*.png"))):
        (second / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, second / path.parent.name)
    torch.manual_seed(int(fresh().integers(2**31)))
    assert torch.equal(read_folder(first, "test").pixels, read_folder(second, "test").pixels)


def test_folders_within_a_class_folder_belong_to_the_class(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a/one": 2, "a/two/three": 2, "b": 3})
    assert read_folder(tmp_path, "train").labels.bincount().tolist() == [3, 2]


def test_hidden_files_and_folders_are_no_part_of_it(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2, "b": 2, ".c": 2, "a/.thumbnails": 2})
    (tmp_path / "b" / ".DS_Store").write_bytes(b"no image")
    images = read_folder(tmp_path, "train")
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.classes == ("a", "b")


def test_the_shorter_side_is_resized_and_the_centre_kept(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2, "b": 2})
    wide = fresh().integers(0, 256, (20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = np.kron(fresh().integers(0, 256, (2, 2, 3)), np.ones((10, 10, 1)))
    Image.fromarray(wide).save(tmp_path / "a" / "000.png")
    Image.fromarray(wide.transpose(1, 0, 2)).save(tmp_path / "a" / "001.png")
    images = read_folder(tmp_path, "train", 20)
    centre = torch.from_numpy(wide[:, 20:40]).permute(2, 0, 1)
    assert torch.equal(images.pixels[0], centre)
    assert torch.equal(images.pixels[1], centre.transpose(1, 2))


def test_without_a_size_images_are_32_pixels_on_a_side(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2, "b": 2}, size=(50, 37))
    assert read_folder(tmp_path, "train").pixels.shape == (4, 3, 32, 32)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_images_of_every_kind_become_colour_images(tmp_path: Path, mode: str) -> None:
    write_folder(tmp_path, {"a": 2, "b": 2})
    path = tmp_path / "a" / "000.tiff"
    with Image.open(tmp_path / "a" / "000.png") as image:
        image.convert(mode).save(path)
    path.with_suffix(".png").unlink()
    with Image.open(path) as image:
        expected = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    assert torch.equal(read_folder(tmp_path, "train", 40).pixels[0], expected)


def test_an_image_is_turned_the_way_its_camera_was_held(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2, "b": 2})
    path = tmp_path / "a" / "000.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    with Image.open(path) as image:
        image.save(path, exif=exif)
    assert torch.equal(read_folder(tmp_path, "train", 40).pixels[0], pixels_of(path).rot90(-1, (1, 2)))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".gif"])
def test_a_truncated_image_is_named(tmp_path: Path, suffix: str) -> None:
    write_folder(tmp_path, {"a": 2, "b": 2})
    path = tmp_path / "a" / f"x{suffix}"
    with Image.open(tmp_path / "a" / "000.png") as image:
        image.save(path)
    (tmp_path / "a" / "000.png").unlink()
    whole = path.read_bytes()
    assert read_folder(tmp_path, "train").labels.tolist() == [0, 0, 1, 1]
    for length in [0, *fresh().integers(1, int(len(whole) * 0.9), 10).tolist()]:
        path.write_bytes(whole[:length])
        words = "empty" if length == 0 else "is damaged|does not begin as"
        with pytest.raises(UserError, match=f"^{path}: .*({words}).*copy it again"):
            read_folder(tmp_path, "train")


def test_a_file_that_is_no_image_is_named_and_not_skipped(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2, "b": 2})
    (tmp_path / "a" / "000.png").unlink()
    (tmp_path / "a" / "notes.txt").write_text("to do: more images")
    with pytest.raises(UserError, match=r"a/notes\.txt: is not an image"):
        read_folder(tmp_path, "train")


def test_an_image_of_more_than_8_bits_is_refused_by_name(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2, "b": 2})
    Image.fromarray(fresh().integers(0, 65536, (40, 40), dtype=np.uint16)).save(tmp_path / "a" / "000.png")
    with pytest.raises(UserError, match=r"a/000\.png: .*8-bit"):
        read_folder(tmp_path, "train")


def test_an_empty_folder_or_a_single_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path}: 0 class folders"):
        read_folder(tmp_path, "train")
    write_folder(tmp_path, {"a": 5})
    with pytest.raises(UserError, match=f"^{tmp_path}: 1 class folders"):
        read_folder(tmp_path, "train")


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("within", [".", "train"])
def test_a_class_with_no_or_one_image_is_named(tmp_path: Path, count: int, within: str) -> None:
    write_folder(tmp_path / within, {"a": 5, "small": count})
    if within == "train":
        write_folder(tmp_path / "test", {"a": 1, "small": 1})
    with pytest.raises(UserError, match=f"^{tmp_path / within / 'small'}: {count} images"):
        read_folder(tmp_path, "train")


def test_a_test_folder_with_other_classes_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"a": 2, "b": 2})
    write_folder(tmp_path / "val", {"a": 2, "c": 2})
    assert len(read_folder(tmp_path, "train")) == 4
    with pytest.raises(UserError, match=f"^{tmp_path / 'val'}: its class folders differ"):
        read_folder(tmp_path, "test")


def test_classes_of_two_images_leave_nothing_to_test_on(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 2, "b": 2})
    with pytest.raises(UserError, match=f"^{tmp_path}: too few images for a test part"):
        read_folder(tmp_path, "test")


@pytest.mark.parametrize("other", ["validation", "Test", "more"])
def test_beside_a_training_folder_nothing_is_a_class(tmp_path: Path, other: str) -> None:
    for part in ("train", other):
        for name in ("cats", "dogs"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(3):
                Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / part / name / f"{number}.png")
    images = read_folder(tmp_path, "train", 8)
    assert images.classes == ("cats", "dogs")
    assert len(images) == 6


def test_a_training_folder_without_test_images_says_so_only_when_asked_for_them(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "train" / name / f"{number}.png")
    assert len(read_folder(tmp_path, "train", 8)) == 6
    with pytest.raises(UserError, match="has train/ but none of test, val"):
        read_folder(tmp_path, "test", 8)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for name in ("car", "train"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / name / f"{number}.png")
    assert read_folder(tmp_path, "train", 8).classes == ("car", "train")
