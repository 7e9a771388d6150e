"""Folders of images as people have them, through the command line: ours and those of the reference data."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cleave.data.decode import BACKGROUND
from cleave.data.sources import load
from tests.data.made_folders import ANIMALS, LEFTOVER, MAKERS
from tests.tiny import RSPS, Ended, search

Capture = pytest.CaptureFixture[str]
Case = Callable[[str], Path]


@pytest.fixture(scope="session")
def referred(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that the reference data's own script makes."""
    script = shared / "cases" / "make_image_folders.py"
    if not script.is_file():
        pytest.skip("the reference data has no such script")
    root = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, script, root], check=True)
    return root


@pytest.fixture(params=["made here", "reference"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """A folder by its name."""
    if request.param == "made here":
        return lambda name: MAKERS[name](tmp_path / name)
    root: Path = request.getfixturevalue("referred")
    return lambda name: root / name


class Searched(Ended):
    """A tiny search of a folder, and what its run folder keeps of the images."""

    def __init__(self, folder: Path, out: Path, capsys: Capture, *flags: str) -> None:
        super().__init__([*search(folder, out), *flags], capsys)
        kept = out / "images.json"
        self.images: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        return {each["name"]: (each["train"], each["held_out"]) for each in self.images["classes"]}


@pytest.mark.parametrize(("name", "test"), [("capital", "Test"), ("training", "Testing")])
def test_train_and_test_with_capitals_are_parts_and_no_classes(
    case: Case, name: str, test: str, tmp_path: Path, capsys: Capture, opened: list[str]
) -> None:
    folder = case(name)
    opened.clear()
    ended = Searched(folder, tmp_path / "run", capsys)
    assert ended.status == 0, ended.err
    assert ended.counts == dict.fromkeys(ANIMALS, (6, 6))
    assert ended.images["parts"]["test"] == f"{test}/"
    assert any(path.startswith(str(folder)) for path in opened)
    assert not any(path.startswith(str(folder / test)) for path in opened), "a search reads no test image"
    assert "3 classes at 8 x 8 pixels" in ended.err
    assert f"{test}/ is the test part" in ended.err


def test_of_three_parts_val_is_held_out(case: Case, tmp_path: Path, capsys: Capture, opened: list[str]) -> None:
    folder = case("three")
    opened.clear()
    ended = Searched(folder, tmp_path / "run", capsys)
    assert ended.status == 0, ended.err
    assert ended.counts == dict.fromkeys(ANIMALS, (12, 12))
    assert ended.images["parts"] == {"train": "train/", "held_out": "val/", "test": "test/"}
    assert not any(path.startswith(str(folder / "test")) for path in opened)
    assert "held out are val/" in ended.err


def test_a_link_that_leads_nowhere_is_named(case: Case, tmp_path: Path, capsys: Capture) -> None:
    ended = Searched(case("brokenlinks"), tmp_path / "run", capsys)
    assert ended.refuses("10 files cannot be used", "a/link0.png: is a link to nowhere/0.png, which is not there")
    assert not (tmp_path / "run").exists()


def test_broken_links_are_left_out_on_request(case: Case, tmp_path: Path, capsys: Capture) -> None:
    ended = Searched(case("brokenlinks"), tmp_path / "run", capsys, "--skip-damaged")
    assert ended.status == 0, ended.err
    assert ended.counts == {"a": (9, 9), "b": (9, 9)}
    assert ended.images["left_out"]["unusable"] == 10
    assert "left out: 10 files that cannot be used" in ended.err
    assert "link0.png" in ended.err


def test_linked_folders_are_followed(case: Case, tmp_path: Path, capsys: Capture) -> None:
    ended = Searched(case("linkeddir"), tmp_path / "run", capsys)
    assert ended.status == 0, ended.err
    assert sum(ended.counts["a"]) == 27, "all but a tenth of 30"
    assert sum(ended.counts["b"]) == 18


def first_of(folder: Path, name: str) -> np.ndarray:
    """The file's image at 16 pixels; the others are taken away, so that it is certain to be there."""
    for number in range(20):
        (folder / "a" / f"{number:03d}.png").unlink()
    shutil.copy(folder / "a" / name, folder / "a" / "1.png")
    return load(str(folder), "train", image_size=16).pixels[0].numpy()


def test_what_is_transparent_lies_over_one_colour(case: Case, tmp_path: Path, capsys: Capture) -> None:
    folder = case("alpha")
    ended = Searched(folder, tmp_path / "run", capsys)
    assert ended.status == 0, ended.err
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    seen = first_of(copy, "0-alpha.png")
    with Image.open(folder / "a" / "0-alpha.png") as image:
        opaque = np.asarray(image)[..., 3] == 255
    assert 0 < opaque.sum() < opaque.size
    assert (BACKGROUND[:3] == seen[:, ~opaque].T).all()
    assert (seen[:, opaque].T == (10, 200, 10)).all()
    assert BACKGROUND[:3] != LEFTOVER


def test_a_palette_with_transparency_is_read_without_a_raw_warning(case: Case, tmp_path: Path, capsys: Capture) -> None:
    folder = case("palette")
    changes = {**RSPS, "split.splitter": "none", "trust.control": 0, "guards.off": "[collapse]"}
    command = search(folder, tmp_path / "run", changes)
    ended = subprocess.run([sys.executable, "-m", "cleave", *command], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Warning" not in ended.stderr
    assert "Palette" not in ended.stderr


def test_an_image_of_196_megapixels_is_refused_for_its_size(case: Case, tmp_path: Path, capsys: Capture) -> None:
    ended = Searched(case("huge"), tmp_path / "run", capsys)
    assert ended.refuses("a/0-huge.png: has 196 megapixels, above the limit of 179: make it smaller")
    assert "truncated" not in ended.err
    assert "damaged:" not in ended.err


def test_a_majority_that_is_right_by_itself_is_told(case: Case, tmp_path: Path, capsys: Capture) -> None:
    folder = case("imbalance")
    ended = Searched(folder, tmp_path / "run", capsys, "--set", "trust.control=0")
    assert ended.status == 0, ended.err
    words = "the majority class alone (big) is 99 % right on the held-out images"
    assert f"Warning: {words}" in ended.err
    assert ended.images["warnings"][0].startswith(words)


@pytest.mark.parametrize("name", ["capital", "three", "imbalance"])
def test_a_plan_tells_of_the_images_what_a_search_keeps(case: Case, name: str, tmp_path: Path, capsys: Capture) -> None:
    folder = case(name)
    searched = Searched(folder, tmp_path / "run", capsys, "--set", "trust.control=0")
    words = search(folder, tmp_path / "no")
    words = ["plan", *words[1:3], *words[8:]]  # neither --out nor --workers nor --json
    told = Ended([*words, "--set", "trust.control=0", "--json"], capsys)
    assert json.loads(told.out)["images"] == searched.images
    told = Ended([*words, "--set", "trust.control=0"], capsys)
    assert next(line for line in searched.err.splitlines() if "classes at" in line) in told.out.splitlines()
