"""Every way to give something wrong: exit 2, one line that names the key or file, and nothing spoilt."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.tiny import RSPS, Ended, search, write_images, write_table

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")


@pytest.fixture(autouse=True)
def _nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEAVE_BENCHMARK", str(tmp_path / "imported.npz"))
    monkeypatch.setenv("CLEAVE_DATA", str(tmp_path / "data"))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for the clock and the lock."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("timing.json", "lock")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 3}, ["epochs", "search.epochs"]),
        ({"search.epcohs": 3}, ["search.epcohs", "search.epochs"]),
        ({"method.samples": 3}, ["method.samples", "method.name"]),
        ({"search.epochs": "three"}, ["search.epochs", "'three'"]),
        ({"data.flip": "perhaps"}, ["data.flip", "'perhaps'"]),
        ({"search": 3}, ["search", "3"]),
        ({"search.epochs": 0}, ["search.epochs", "0"]),
        ({"search.batch_size": -1}, ["search.batch_size", "-1"]),
        ({"data.train_fraction": 1.5}, ["data.train_fraction", "1.5"]),
        ({"method.momentum": 1}, ["method.momentum"]),
        ({"method.learning_rate": ".inf"}, ["method.learning_rate", "inf"]),
        ({"split.branch": 4}, ["split.branch=4", "3 candidates"]),
        ({"split.splits": 7}, ["split.splits=7", "6 choices"]),
        ({"split.branch": "[2, 2, 2]", "split.splits": 2}, ["split.branch", "split.splits=2"]),
        ({"split.choice": "[]"}, ["split.choice", "[]"]),
        ({"method.learning_rate_min": 0.5}, ["method.learning_rate_min=0.5", "method.learning_rate=0.025"]),
        ({"method.architecture_betas": "[1.5, 0.9]"}, ["method.architecture_betas", "1.5"]),
        ({"data.padding": 8}, ["data.padding=8", "8 pixels"]),
        ({"split.choice": "lowest", "split.splitter": "random"}, ["split.choice", "split.splitter"]),
        ({"split.choice": "[3<-0, 4<-0]"}, ["split.choice", "4<-0"]),
        ({"search.batch_size": 1000}, ["search.batch_size=1000", "images"]),
        ({"data.limit": 3}, ["data.limit", "3"]),
        ({"data.train_fraction": 0.0001}, ["data.train_fraction", "one side empty"]),
        ({"space.name": "nasbench202"}, ["space.name", "'nasbench202'", "nasbench201"]),
        ({"space.ops": "[none, nor_conv_5x5]"}, ["space.ops", "'nor_conv_5x5'", "nor_conv_3x3"]),
        ({"space.ops": "[none]"}, ["space.ops", "two or more"]),
        ({"method.name": "drats"}, ["method.name", "'drats'", "darts"]),
        ({"split.splitter": "gradent"}, ["split.splitter", "'gradent'", "gradient"]),
        ({"device": "abacus"}, ["device", "abacus", "cpu"]),
        ({"device": f"cuda:{torch.cuda.device_count()}"}, ["device=cuda", "device=cpu"]),
        ({"limits.params": 10}, ["limits.params", "no architecture keeps to 10 parameters", "the least is"]),
        ({"benchmark": "nowhere.npz"}, ["nowhere.npz", "cleave benchmark import"]),
    ],
)
def test_a_recipe_that_cannot_be_run_is_refused_before_anything_is_made(
    changes: dict[str, Any], words: list[str], images: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert Ended(search(images, tmp_path / "run", changes), capsys).refuses(*words)
    assert not (tmp_path / "run").exists()


def test_an_unknown_data_set_is_refused_with_the_known_ones(tmp_path: Path, capsys: Capture) -> None:
    assert Ended(search(Path("cifar11"), tmp_path / "run"), capsys).refuses("data.name", "'cifar11'", "cifar10")
    assert Ended(search(tmp_path / "absent", tmp_path / "run"), capsys).refuses("data.name", str(tmp_path / "absent"))


def test_a_data_set_that_is_not_there_says_what_to_get_and_where_to_put_it(tmp_path: Path, capsys: Capture) -> None:
    arguments = [*search(Path("imagenet16-120"), tmp_path / "run"), "--data-root", str(tmp_path / "sets")]
    assert Ended(arguments, capsys).refuses("imagenet16-120", "image-net.org", str(tmp_path / "sets"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"- a\n- b\n", ["mapping", "list"]),
        (b"just words", ["mapping", "str"]),
        (b"search: {epochs: 3", ["not valid YAML", "line 1"]),
        (b"a: !!python/object/apply:os.getcwd []", ["not valid YAML"]),
        (b"\xff\xfe\x00", ["line 1 is not text"]),
        (None, ["cannot be read", "no such file"]),
    ],
)
def test_a_recipe_file_that_is_none_is_named(
    content: bytes | None, words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "recipe.yaml"
    if content is not None:
        path.write_bytes(content)
    assert Ended(["search", str(path), "--json"], capsys).refuses(str(path), *words)


@pytest.mark.parametrize(
    "arch",
    ["", "nor_conv_3x3", "|none~0|+|none~0|none~1|", "|nine~0|+|none~0|none~1|+|none~0|none~1|none~2|", "99999", "-1"],
)
def test_a_malformed_architecture_is_quoted(arch: str, tmp_path: Path, capsys: Capture) -> None:
    table = write_table(tmp_path / "table.npz")
    ended = Ended(["query", "--benchmark", table.name, "--json", "--", arch], capsys)
    assert ended.refuses("architecture", arch)


def test_a_table_that_is_none_is_named(tmp_path: Path, capsys: Capture) -> None:
    table = write_table(tmp_path / "table.npz")
    whole = Path(table.name).read_bytes()
    for data in (b"", b"no table", whole[: len(whole) // 2]):
        (tmp_path / "broken.npz").write_bytes(data)
        assert Ended(["query", "1", "--benchmark", str(tmp_path / "broken.npz")], capsys).refuses("broken.npz")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", ["not square"]),
        ("a,b\n1,nan\nnan,1\n", ["nan", "finite"]),
        ("a,b\n1,x\n0,1\n", ["line 2", "'x'"]),
        ("a,b\n1,2\n3,1\n", ["not symmetric", "a, b"]),
        ("", ["empty"]),
    ],
)
def test_a_malformed_matrix_is_named(content: str, words: list[str], tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(content)
    assert Ended(["partition", str(path), "--parts", "2", "--json"], capsys).refuses(str(path), *words)


def test_more_parts_than_candidates_are_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "m.csv").write_text("a,b\n1,2\n2,1\n")
    for parts in ("0", "3"):
        assert Ended(["partition", str(tmp_path / "m.csv"), "--parts", parts], capsys).refuses("--parts", parts)


def test_a_folder_without_images_is_named(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty").mkdir()
    assert Ended(search(tmp_path / "empty", tmp_path / "run"), capsys).refuses(str(tmp_path / "empty"))
    (tmp_path / "empty" / "cats").mkdir()
    (tmp_path / "empty" / "dogs").mkdir()
    assert Ended(search(tmp_path / "empty", tmp_path / "run"), capsys).refuses(str(tmp_path / "empty" / "cats"))


def test_a_folder_with_one_class_is_named(tmp_path: Path, capsys: Capture) -> None:
    write_images(tmp_path / "images", classes=1)
    told = (str(tmp_path / "images"), "1 class folders, where two or more are needed", "it holds class0/")
    assert Ended(search(tmp_path / "images", tmp_path / "run"), capsys).refuses(*told)
    train = ["train", "timm:resnet18", "--data", str(tmp_path / "images"), "--out", str(tmp_path / "run")]
    assert Ended(train, capsys).refuses(*told)
    assert not (tmp_path / "run").exists()


def test_a_class_with_one_image_is_named(images: Path, tmp_path: Path, capsys: Capture) -> None:
    lonely = images / "zebras"
    lonely.mkdir()
    Image.new("RGB", (8, 8)).save(lonely / "only.png")
    assert Ended(search(images, tmp_path / "run"), capsys).refuses(str(lonely), "1 image")


def test_a_truncated_image_is_named(images: Path, tmp_path: Path, capsys: Capture) -> None:
    one, other = random.sample(sorted((images / "class1").iterdir()), 2)  # one of a class may be a test image
    for victim in (one, other):
        victim.write_bytes(victim.read_bytes()[: random.randint(1, 120)])
    ended = Ended(search(images, tmp_path / "run"), capsys)
    assert ended.refuses("truncated")
    assert str(one) in ended.err or str(other) in ended.err


def test_an_output_folder_that_cannot_be_made_is_named(images: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "run"
    assert Ended(search(images, out), capsys).refuses(str(out), "cannot be made")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_permission_is_named(images: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    out = tmp_path / "locked" / "run"
    assert Ended(search(images, out), capsys).refuses(str(out), "cannot be made")


def test_a_run_folder_is_never_overwritten(images: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "run"
    assert Ended(search(images, out, RSPS), capsys).status == 0
    before = contents(out)
    assert Ended(search(images, out, {**RSPS, "seed": 1}), capsys).refuses(str(out), "--out", "not empty")
    assert contents(out) == before
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("ten years of work")
    assert Ended(search(images, foreign), capsys).refuses(str(foreign))
    assert contents(foreign) == {"thesis.txt": b"ten years of work"}


@pytest.mark.parametrize("command", ["show", "resume"])
def test_a_folder_that_holds_no_run_is_named(command: str, tmp_path: Path, capsys: Capture) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        assert Ended([command, str(path), "--json"], capsys).refuses(str(path), "no run")


def test_damaged_images_are_all_told_and_left_out_on_request(images: Path, tmp_path: Path, capsys: Capture) -> None:
    for number in range(4, 7):
        (images / "class0" / f"{number:03d}.png").write_bytes(b"poison")
    words = search(images, tmp_path / "run")
    assert Ended(words, capsys).refuses(
        "3 files", "class0/004.png", "class0/005.png", "class0/006.png", "--skip-damaged"
    )
    assert not (tmp_path / "run").exists()
    assert Ended(["plan", "--data", str(images), "--set", "data.image_size=8"], capsys).refuses("3 files")
    skipped = Ended([*words, "--skip-damaged"], capsys)
    assert skipped.status == 0, skipped.err
    assert "left out: 3 files that cannot be used" in skipped.err
    assert "class0/005.png" in skipped.err
    resumed = Ended(["resume", str(tmp_path / "run"), "--json"], capsys)
    assert resumed.status == 0, resumed.err
