from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from cleave.data.copies_text import overlap_text
from cleave.data.images import Images
from cleave.data.reading import Reading, Storage
from cleave.data.report import image_report, report_lines
from cleave.data.sources import find
from cleave.data.split import cut
from cleave.engine.progress import Callback
from cleave.opening import open_images
from cleave.settings import DataSettings
from tests.data.made_folders import parts, plain


def images(labels: list[int], classes: int = 3) -> Images:
    names = tuple(f"class{number}" for number in range(classes))
    pixels = torch.randint(256, (len(labels), 1, 8, 8), dtype=torch.uint8)
    return Images(pixels, torch.tensor(labels), names, shuffled=True)


def test_counts_are_of_the_images_that_are_used() -> None:
    report = image_report("some", images([0, 1, 2] * 9), images([0, 0, 1]), images([2]), 4, Reading())
    assert report["classes"] == [
        {"name": "class0", "train": 2, "held_out": 0},
        {"name": "class1", "train": 1, "held_out": 0},
        {"name": "class2", "train": 0, "held_out": 1},
    ]
    assert (report["size"], report["channels"], report["parts"]) == (8, 1, None)
    assert report["left_out"]["limit"] == 23
    lines = report_lines(report)
    assert lines[:3] == [
        "images: some: 3 classes at 8 x 8 pixels",
        "  3 to train on, 1 held out",
        "  to train on + held out: class0 2 + 0, class1 1 + 0, class2 0 + 1",
    ]
    assert "  left out: 23 images (data.limit or data.fraction)" in lines


@pytest.mark.parametrize(("of_first", "told"), [(89, None), (90, 90), (99, 99), (100, 100)])
def test_a_majority_is_told_from_nine_in_ten_on(of_first: int, told: int | None) -> None:
    train, held = (images([0] * of_first + [1] * (100 - of_first)) for _ in range(2))
    warnings = image_report("some", held, train, held, 200, Reading())["warnings"]
    expected = f"the majority class alone (class0) is {told} % right on the held-out images"
    assert [warning.split(",")[0] for warning in warnings] == ([] if told is None else [expected])


def test_a_share_is_never_rounded_up_to_all() -> None:
    held = images([0] * 999 + [1])
    assert "is 99 % right" in image_report("some", held, held, held, 2000, Reading())["warnings"][0]


def test_what_is_left_out_of_a_folder_is_told(tmp_path: Path) -> None:
    parts(tmp_path, ("Train", "Test", "more"), 4)
    (tmp_path / "Train" / "labels.csv").touch()
    (tmp_path / "Train" / "cats" / ".hidden").touch()
    (tmp_path / "Train" / "cats" / "000.png").write_bytes(b"")
    reading = Reading(skip_damaged=True)
    source = find(str(tmp_path), "train", None, 8, reading=reading)
    chosen = cut(source, 0.5)
    train, valid = source.take_each(*chosen)
    report = image_report(str(tmp_path), source, train, valid, sum(map(len, chosen)), reading)
    assert sum(each["train"] + each["held_out"] for each in report["classes"]) == 11
    assert report["left_out"] == {
        "limit": 0,
        "unusable": 1,
        "causes": {str(tmp_path / "Train" / "cats" / "000.png"): "is empty (0 bytes): copy it again"},
        "hidden": 1,
        "loose": 1,
        "loose_files": ["labels.csv"],
        "folders": ["more"],
    }
    lines = report_lines(report)
    assert "  Test/ is the test part, which no search reads" in lines
    assert "  left out: 1 files beside the class folders, such as labels.csv" in lines
    assert "  left out: folders that are no part: more/" in lines


def test_a_class_that_is_called_like_a_part_is_told(tmp_path: Path) -> None:
    plain(tmp_path, ("car", "train"), 4)
    reading = Reading()
    source = find(str(tmp_path), "train", None, 8, reading=reading)
    train, valid = source.take_each(*cut(source, 0.5))
    warnings = image_report("vehicles", source, train, valid, 6, reading)["warnings"]
    assert warnings == ["the folder train/ is taken for a class, since it holds images and no class folders"]


def test_lines_of_many_classes_fit_a_terminal() -> None:
    many, more = (images(list(range(1000)) * 2, 1000) for _ in range(2))
    lines = report_lines(image_report("many", many, many, more, 4000, Reading()))
    assert max(map(len, lines)) <= 80
    assert any("and 980 more" in line for line in lines)


@pytest.mark.parametrize("storage", ["memory", "map"])
def test_copies_in_a_folder_are_told_with_their_files(tmp_path: Path, storage: Storage) -> None:
    """A damaged file before them, which is left out, does not shift the names."""
    parts(tmp_path, ("train", "val", "test"), 4)
    shutil.copy(tmp_path / "train" / "dogs" / "001.png", tmp_path / "val" / "dogs" / "new.png")
    shutil.copy(tmp_path / "train" / "owls" / "002.png", tmp_path / "train" / "cats" / "other.png")
    shutil.copy(tmp_path / "train" / "dogs" / "003.png", tmp_path / "test" / "dogs" / "new.png")
    (tmp_path / "train" / "cats" / "000.png").write_bytes(b"")
    data = DataSettings(name=str(tmp_path), image_size=8, skip_damaged=True, storage=storage)
    _, valid, report = open_images(data, Callback(), None)
    assert report["copies"] == {
        "held_out": 1,
        "files": [["val/dogs/new.png", "train/dogs/001.png"]],
        "classes": 2,
        "class_files": ["train/cats/other.png", "train/owls/002.png"],
    }
    lines = [line for line in report_lines(report) if "pixels of" in line]
    assert lines == [
        "Warning: 2 images have the pixels of one in another class, such as train/cats/other.png and "
        "train/owls/002.png; remove the wrong ones",
    ]
    assert overlap_text(report["copies"], len(valid), "held-out") == (
        "1 of 13 held-out images have the pixels of images to train on, such as val/dogs/new.png (of "
        "train/dogs/001.png), so that they are judged too well; remove these copies"
    )
