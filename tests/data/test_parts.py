from __future__ import annotations

import os
from pathlib import Path

import pytest

from cleave.data.folder import read_folder
from cleave.data.parts import Parts, find_parts, part_of
from cleave.errors import UserError
from tests.data.made_folders import ANIMALS, parts, photo, plain

SPELLINGS = {
    "train": "train Train TRAIN training Training_set train_set trainset train-data seg_train images_train trn",
    "held-out": "val Val VAL valid validation Validation_Set val_set dev devset seg_val holdout held-out",
    "test": "test Test testing Testing_Set test_set testset seg_test test_images evaluation eval tst",
}


@pytest.mark.parametrize(
    ("part", "name"), [(part, name) for part, names in SPELLINGS.items() for name in names.split()]
)
def test_the_usual_spellings_are_recognised(part: str, name: str) -> None:
    assert part_of(name) == part


@pytest.mark.parametrize(
    "name", ["trains", "trainer", "contest", "valve", "tester", "images", "data", "set", "cats", ""]
)
def test_other_words_are_classes(name: str) -> None:
    assert part_of(name) is None


@pytest.mark.parametrize("train", ["Training", "TRAIN", "seg_train", "training_set"])
def test_a_folder_in_a_folder_of_the_same_name_stands_for_it(tmp_path: Path, train: str) -> None:
    test = train.lower().replace("training", "test").replace("train", "test")
    parts(tmp_path, (f"{train}/{train}", f"{test}/{test}"), 4)
    (tmp_path / "seg_pred" / "seg_pred").mkdir(parents=True)
    found = read_folder(tmp_path, "train", 8)
    assert found.classes == ANIMALS
    assert len(found) == len(read_folder(tmp_path, "test", 8)) == 12
    assert find_parts(str(tmp_path)).unused == ("seg_pred",)


def test_a_folder_that_holds_itself_alone_stands_for_what_is_in_it(tmp_path: Path) -> None:
    parts(tmp_path / "pets" / "pets", ("Train", "Test"), 4)
    assert find_parts(str(tmp_path / "pets")) == Parts("pets/Train", None, "pets/Test")
    plain(tmp_path / "few" / "Few", count=4)
    assert read_folder(tmp_path / "few", "train", 8).classes == ("a", "b")


def test_val_beside_train_alone_is_the_test_part(tmp_path: Path) -> None:
    parts(tmp_path, ("train", "val"), 4)
    assert find_parts(str(tmp_path)) == Parts("train", None, "val")


def test_val_without_class_folders_holds_nothing_out(tmp_path: Path) -> None:
    parts(tmp_path, ("train", "test"), 4)
    (tmp_path / "val").mkdir()
    photo(0).save(tmp_path / "val" / "0.png")
    assert find_parts(str(tmp_path)) == Parts("train", None, "test", ("val",))


def test_test_images_without_classes_are_still_the_test_part(tmp_path: Path) -> None:
    parts(tmp_path, ("train", "val"), 4)
    (tmp_path / "test").mkdir()
    photo(0).save(tmp_path / "test" / "0.png")
    assert find_parts(str(tmp_path)) == Parts("train", "val", "test")


def test_the_test_part_is_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts(tmp_path, ("train", "test"), 4)
    seen: list[str] = []
    published = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: seen.append(str(path)) or published(path))
    read_folder(tmp_path, "train", 8)
    assert str(tmp_path / "train" / "cats") in seen
    assert not [path for path in seen if path.startswith(str(tmp_path / "test"))]


@pytest.mark.parametrize("names", [("val", "test"), ("test",), ("Validation", "Testing")])
def test_without_training_images_parts_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    parts(tmp_path, names, 2)
    found = ", ".join(f"{name}/" for name in sorted(names, key=lambda name: "val" not in name.lower()))
    with pytest.raises(UserError, match=rf"^{tmp_path}: holds {found} \(with cats, dogs, owls\), but no train/"):
        read_folder(tmp_path, "train")


def test_parts_without_classes_are_refused(tmp_path: Path) -> None:
    plain(tmp_path, ("train", "test"), 3)
    with pytest.raises(UserError, match=rf"^{tmp_path}: holds train/, test/ without class folders: put the images of"):
        read_folder(tmp_path, "train")


@pytest.mark.parametrize("names", [("learn", "check"), ("fold1", "fold2", "fold3"), ("Entrenamiento", "Prueba")])
def test_folders_of_the_same_names_are_no_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    parts(tmp_path, names, 2)
    (tmp_path / names[0] / "labels.csv").touch()
    with pytest.raises(
        UserError, match=rf"^{tmp_path}: .* hold no images but folders of the same names \(cats, dogs, "
    ):
        read_folder(tmp_path, "train")


def test_parts_within_classes_are_refused(tmp_path: Path) -> None:
    for name in ANIMALS:
        plain(tmp_path / name, ("train", "test"), 2)
    with pytest.raises(UserError, match=r"cats/, dogs/ hold no images but folders of the same names \(test, train\)"):
        read_folder(tmp_path, "train")


def test_classes_may_each_hold_one_folder_of_the_same_name(tmp_path: Path) -> None:
    for name in ANIMALS:
        plain(tmp_path / name, ("images",), 4)
    assert read_folder(tmp_path, "train", 8).classes == ANIMALS


def test_two_folders_for_one_part_are_refused(tmp_path: Path) -> None:
    parts(tmp_path, ("train", "Training_set", "test"), 2)
    with pytest.raises(UserError, match=r"which is the train part, Training_set/, train/\?"):
        read_folder(tmp_path, "train")


def test_other_classes_in_another_part_are_told(tmp_path: Path) -> None:
    plain(tmp_path / "train", ("a", "b", "c"), 2)
    plain(tmp_path / "val", ("a", "b", "d"), 2)
    plain(tmp_path / "test", ("a", "b", "c"), 2)
    with pytest.raises(UserError, match=f"^{tmp_path / 'val'}: its class folders differ .*: it lacks c and has also d"):
        read_folder(tmp_path, "train")
