from __future__ import annotations

import os
from pathlib import Path

import pytest

from cleave.data.folder import read_folder
from cleave.data.listing import files_below, list_classes, names
from cleave.data.reading import Reading
from cleave.errors import UserError
from tests.data.made_folders import linked_folder, plain
from tests.fresh import fresh
from tests.reference.decode import files_of


def tree(folder: Path) -> Path:
    """Random folders in folders, some hidden, some linked to a folder outside."""
    other = plain(folder.with_name("other"), ("x", "y"), 2)
    for number, depth in enumerate(fresh().integers(0, 4, 30)):
        steps = [str(fresh().choice(["a-b", "a", "a.b", ".c", "é", "B"])) for _ in range(depth)]
        inside = folder.joinpath(str(fresh().choice(["one", "two"])), *steps)
        inside.mkdir(parents=True, exist_ok=True)
        (inside / f"{number}.png").touch()
        if number % 10 == 0:
            os.symlink(other, inside / f"link{number}")
    for name in ("one", "two"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "last.png").touch()
    return folder


def test_files_are_those_that_a_walk_finds_in_sorted_order(tmp_path: Path) -> None:
    folder = tree(tmp_path / "images")
    listing = list_classes(str(folder), 1, Reading())
    assert listing.files == files_of(folder)
    assert [listing.classes[label] for label in listing.labels.tolist()] == [
        file.split("/")[0] for file in listing.files
    ]


def test_a_linked_folder_is_followed_and_may_be_a_class(tmp_path: Path) -> None:
    folder = linked_folder(tmp_path / "images")
    assert len(files_below(str(folder), "a", Reading())) == 30
    os.symlink(tmp_path / "elsewhere" / "more", folder / "c")
    assert read_folder(folder, "train", 8).classes == ("a", "b", "c")


def test_a_link_to_itself_is_named_and_left_out_on_request(tmp_path: Path) -> None:
    folder = plain(tmp_path / "images", count=3)
    os.symlink("link", folder / "a" / "link")
    with pytest.raises(UserError, match=rf"^{folder}/a/link: is one of links that lead round in a circle: remove it"):
        read_folder(folder, "train", 8)
    assert len(read_folder(folder, "train", 8, Reading(skip_damaged=True))) == 4


@pytest.mark.parametrize("target", ["..", "../..", "."])
def test_links_that_lead_round_in_a_circle_are_an_error(tmp_path: Path, target: str) -> None:
    folder = plain(tmp_path / "images", count=3)
    os.symlink(target, folder / "a" / "link")
    for skip in (False, True):
        with pytest.raises(UserError, match=rf"^{folder}/a/link.*: links lead round in a circle; remove one of them$"):
            read_folder(folder, "train", 8, Reading(skip_damaged=skip))


def test_the_same_folder_may_be_linked_twice(tmp_path: Path) -> None:
    folder = linked_folder(tmp_path / "images")
    os.symlink(tmp_path / "elsewhere" / "more", folder / "a" / "again")
    assert len(files_below(str(folder), "a", Reading())) == 40


@pytest.mark.parametrize("skip", [False, True])
def test_a_folder_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skip: bool) -> None:
    """As the system would say it; who runs the tests may be allowed to read everything."""
    folder = plain(tmp_path / "images", ("a", "b", "a/locked"), count=3)
    published = os.scandir

    def refuse(path: str) -> object:
        if path == str(folder / "a" / "locked"):
            raise PermissionError(13, "Permission denied", path)
        return published(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=rf"^{folder}/a/locked: the folder cannot be read \(permission denied\); allow"):
        read_folder(folder, "train", 8, Reading(skip_damaged=skip))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_locked_folder_is_an_error(tmp_path: Path) -> None:
    folder = plain(tmp_path / "images", count=3)
    (folder / "a").chmod(0)
    try:
        with pytest.raises(UserError, match=f"^{folder / 'a'}: the folder cannot be read .permission denied"):
            read_folder(folder, "train", 8)
    finally:
        (folder / "a").chmod(0o755)


def test_a_class_folder_that_is_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    folder = plain(tmp_path / "images", count=3)
    os.symlink("../gone", folder / "c")
    with pytest.raises(UserError, match=rf"^{folder}/c: is a link to \.\./gone, which is not there"):
        read_folder(folder, "train", 8)


def test_what_is_neither_file_nor_folder_is_named(tmp_path: Path) -> None:
    folder = plain(tmp_path / "images", count=3)
    os.mkfifo(folder / "a" / "pipe")
    with pytest.raises(UserError, match=rf"^{folder}/a/pipe: is neither a file nor a folder"):
        read_folder(folder, "train", 8)
    assert len(read_folder(folder, "train", 8, Reading(skip_damaged=True))) == 4


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", ".DS_Store", "@eaDir", "__MACOSX"])
def test_what_systems_leave_is_ignored_and_counted(tmp_path: Path, name: str) -> None:
    folder = plain(tmp_path / "images", count=3)
    for place in (folder, folder / "a"):
        (place / name).write_bytes(b"no image")
    reading = Reading()
    assert len(read_folder(folder, "train", 8, reading)) == 4
    assert reading.hidden == {str(folder / name), str(folder / "a" / name)}


def test_a_folder_without_class_folders_says_what_it_holds(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").touch()
    with pytest.raises(UserError, match=rf"^{tmp_path}: 0 class folders, .*; it holds 3 files$"):
        read_folder(tmp_path, "train")
    plain(tmp_path, ("Dataset/a", "Dataset/b"), 2)
    with pytest.raises(UserError, match=rf"^{tmp_path}: 1 class folders, .*; it holds Dataset/, 3 files$"):
        read_folder(tmp_path, "train")


def test_a_few_names_are_shown() -> None:
    assert names([]) == "nothing"
    assert names(["a", "b\n"]) == "a, b\\n"
    assert names(["a", "b", "c"], 2) == "a, b and 1 more"
