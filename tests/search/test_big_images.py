"""Searches whose images stay on the disk: the same bytes as in memory, with little of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cleave.data import reading
from tests.fresh import fresh
from tests.tiny import HERE, RSPS, SIZES, Ended, same, search, sets, write_images

QUICK = {**RSPS, "split.splitter": "none", "trust.control": 0, "trust.panel": 0, "search.batch_size": 100}
MAP = {"data.storage": "map"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(reading, "SETTLED", -1.0)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_search_over_a_map_leaves_the_same_bytes(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: str
) -> None:
    assert Ended(search(images, tmp_path / "memory", {"data.storage": "memory"}), capsys).status == 0
    ended = Ended([*search(images, tmp_path / "map", MAP), "--workers", workers], capsys)
    assert ended.status == 0, ended.err
    assert "34 images of 8 x 8 pixels stay on the disk" in ended.err
    assert same(tmp_path / "memory", tmp_path / "map")


def test_a_search_that_meets_damage_goes_on_when_it_is_made_good(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {**QUICK, **MAP, "search.batch_size": 8}
    assert Ended(search(images, tmp_path / "whole", changes), capsys).status == 0
    (rows,) = (tmp_path / "cache").rglob("pixels")
    data = bytearray(rows.read_bytes())
    data[1000] ^= 1
    rows.write_bytes(data)
    run = tmp_path / "run"
    assert Ended(search(images, run, changes), capsys).refuses(str(rows), "is damaged", "resume")
    ended = Ended(["resume", str(run), *HERE, "--json"], capsys)
    assert ended.status == 0, ended.err
    assert "1 of them have to be read first" in ended.err
    assert same(tmp_path / "whole", run)


def test_a_thousand_classes_of_two_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = fresh()
    for label in range(1000):
        (tmp_path / "tree" / f"n{label:08d}").mkdir(parents=True)
        for number in range(2):
            image = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            image.save(tmp_path / "tree" / f"n{label:08d}" / f"{number}.{'png' if number else 'jpeg'}")
    ended = Ended(search(tmp_path / "tree", tmp_path / "run", {**QUICK, **MAP, "data.fraction": 1.0}), capsys)
    assert ended.status == 0, ended.err
    classes = json.loads((tmp_path / "run" / "images.json").read_bytes())["classes"]
    assert [(each["train"], each["held_out"]) for each in classes] == [(1, 1)] * 1000
    few = Ended(search(tmp_path / "tree", tmp_path / "less", {**QUICK, "data.fraction": 0.9}), capsys)
    assert few.refuses("data.fraction=0.9", "1800 images are not two for each of the 1000 classes")


def test_the_map_has_no_meaning_for_what_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended(["plan", *sets({**SIZES, **MAP, "data.limit": 96}), "--json"], capsys)
    assert ended.status == 0, ended.err
    assert "data.storage has no meaning with data.name=bundled; it is not used" in ended.out


MEASURE = """
import resource, sys
from cleave import cli
from cleave.space import find_space
import cleave.search.runner, cleave.net, cleave.data.sources, torch
torch.set_num_threads(1)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
status = cli.run(sys.argv[1:])
print("peak", peak() - before)
sys.exit(status)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is told in other units elsewhere")
def test_a_search_over_a_map_takes_less_memory_than_its_images(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", each=500)
    changes = {**QUICK, **MAP, "data.image_size": 256, "method.samples": 1, "search.batch_size": 4}
    changes |= {"data.train_fraction": 0.1}  # what is held out is looked at once, and what is trained on twice
    words = search(images, tmp_path / "run", {**changes, "search.eval_batch_size": 4})
    done = subprocess.run([sys.executable, "-c", MEASURE, *words], capture_output=True, text=True, check=True)
    pixels = 1000 * 3 * 256 * 256 / 2**20  # MiB; in memory the search takes these and 110 more, over the map 126
    assert int(done.stdout.split()[-1]) < pixels
