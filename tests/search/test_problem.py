"""What a search may see of the images, and how it counts its work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.config import load_recipe
from cleave.data import reading, sources
from cleave.data.folder import Folder
from cleave.data.images import Images, Part
from cleave.data.split import held_out
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import UserError
from cleave.resolve import resolve
from cleave.run.folder import RunFolder, create, make_folder
from cleave.run.origin import SEARCH, read_origin
from cleave.search.loop import Search
from cleave.search.problem import Problem, open_problem
from cleave.search.runner import start
from cleave.search.tree_stage import TreeStage
from cleave.search.work import comparing
from cleave.space import find_space
from tests.tiny import write_images

TINY = [
    "data.limit=96", "data.image_size=8", "space.channels=2", "search.batch_size=32", "search.epochs=1",
    "split.batches=1", "threads=1", "trust.control=2",
]  # fmt: skip
THREE = "space.ops=[none, skip_connect, nor_conv_1x1]"


def opened(*changes: str) -> Problem:
    recipe, _ = resolve(load_recipe(None, [*TINY, *changes], {}), find_space("nasbench201"))
    return open_problem(recipe)


def test_a_search_never_asks_for_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    published = sources.find

    def find(data: str, part: Part, *arguments: Any, **named: Any) -> Images | Folder:  # noqa: ANN401
        asked.append(part)
        return published(data, part, *arguments, **named)

    monkeypatch.setattr(sources, "find", find)
    start(load_recipe(None, [*TINY, THREE], {}), tmp_path / "run", Callback())
    assert set(asked) == {"train"}


def test_a_search_runs_where_there_are_no_test_images(tmp_path: Path) -> None:
    """CIFAR-10 without its test file, made of random bytes."""
    folder = tmp_path / "data" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    for number in range(1, 6):
        rows = torch.randint(256, (40, 3073), dtype=torch.uint8, generator=generator)
        rows[:, 0] = torch.arange(40) % 10
        (folder / f"data_batch_{number}.bin").write_bytes(rows.numpy().tobytes())
    changes = [*TINY, THREE, "data.name=cifar10", f"data.root={tmp_path / 'data'}"]
    assert start(load_recipe(None, changes, {}), tmp_path / "run", Callback())["chosen"]["arch"]


def test_training_and_held_out_images_never_mix() -> None:
    seen = opened("data.limit=1000")
    pixels = {bytes(image.numpy().tobytes()) for image in seen.train.pixels}
    assert not any(bytes(image.numpy().tobytes()) in pixels for image in seen.valid.pixels)
    assert len(seen.train) + len(seen.valid) == 1000


def test_the_limit_is_a_most_not_a_demand() -> None:
    assert len(opened("data.limit=1000000").train) == 5000


def test_statistics_come_from_training_images_alone() -> None:
    one = opened()
    torch.testing.assert_close(one.normalise(one.train.pixels).mean(), torch.zeros(()), atol=1e-4, rtol=0)
    assert one.normalise(one.valid.pixels).mean().abs() > 1e-4


def test_a_batch_larger_than_the_images_is_refused_by_its_key() -> None:
    with pytest.raises(UserError, match=r"search\.batch_size=64: only 48 training and 48 held-out images"):
        opened("search.batch_size=64")


def test_other_images_have_another_fingerprint() -> None:
    assert opened().fingerprint() == opened().fingerprint()
    assert len({opened().fingerprint(), opened("data.limit=97").fingerprint()}) == 2


@pytest.mark.parametrize(
    "changes",
    [
        ["split.splitter=none"],
        ["split.splitter=exhaustive"],
        ["split.splitter=random", "split.branch=[2, 3]"],
        ["split.splitter=gradient", "split.branch=3", "split.splits=1", "split.batches=2"],
        ["method.name=rsps", "method.samples=4"],
        ["method.name=rsps", "method.samples=4", "method.paths=3"],
        [
            "method.name=rsps",
            "method.samples=4",
            "search.eval_batch_size=7",
            "search.statistics=forgetting",
            "search.forgetting=[[1, .9], [2, .1]]",
        ],
        ["search.statistics=mean", "search.calibration_images=20"],
        ["method.name=rsps", "method.derive=evolution", "method.population=4", "method.generations=2"],
        ["method.architecture_every=2", "method.architecture_after=1", "search.epochs=3", "split.splitter=none"],
        ["split.warmup_learning_rate=.05", "split.warmup_epochs=2", "split.splitter=none"],
        ["split.splitter=dimension", "split.neighbours=4", "split.splits=1", "split.batches=3", "method.name=rsps"],
        ["split.splitter=nonlinearity", "split.splits=1", "split.completions=3", "split.restart=false"],
    ],
)
def test_the_planned_work_is_the_work_done(tmp_path: Path, changes: list[str]) -> None:
    problem = opened(*changes)
    moments: list[Progress] = []

    class Recorder(Callback):
        def see(self, moment: Progress) -> None:
            moments.append(moment)

    make_folder(tmp_path / "run")

    create(tmp_path / "run", problem.recipe, {})
    outcome = Search(
        problem, RunFolder(tmp_path / "run", read_origin(tmp_path / "run", SEARCH)), Stop(), Recorder()
    ).run()
    cost = outcome["cost"]
    done = cost["weight_steps"] + cost["arch_steps"] + comparing(problem, cost["split_passes"])
    evaluated = 0.4 * cost["eval_images"] / problem.recipe.search.batch_size
    works = list(TreeStage(problem).planned_levels())
    planned = sum(work.passes for work in works if work.name != "calibrate")
    calibrated = 0.4 * cost["calibration_images"] / problem.recipe.search.batch_size
    assert bool(calibrated) == any(work.name == "calibrate" for work in works)
    assert planned == pytest.approx(done + evaluated, abs=len(outcome["leaves"]))
    assert [moment.done for moment in moments] == sorted(moment.done for moment in moments)
    assert moments[-1].done <= moments[-1].total


def folder_problem(folder: Path, *changes: str) -> Problem:
    return opened(f"data.name={folder}", "search.batch_size=4", *changes)


@pytest.mark.parametrize("limit", ["12", "null"])
def test_of_a_folder_only_what_is_used_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """And it is what would have been chosen of all its images."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_images(tmp_path / "images", classes=3, each=15)
    decoded: list[str] = []
    published = reading.decode
    monkeypatch.setattr(
        reading, "decode", lambda file, name, *how: (decoded.append(name), published(file, name, *how))[1]
    )
    problem = folder_problem(folder, f"data.limit={limit}")
    count = 12 if limit == "12" else 42
    assert len(decoded) == len(problem.train) + len(problem.valid) == count
    train, valid = held_out(sources.load(str(folder), "train", image_size=8), 0.5, count)
    for used, expected in ((problem.train, train), (problem.valid, valid)):
        assert torch.equal(used.pixels, expected.pixels)
        assert torch.equal(used.labels, expected.labels)


def test_keys_without_a_meaning_for_a_folders_parts_are_told(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        write_images(tmp_path / part, each=6)
    problem = folder_problem(tmp_path, "data.train_fraction=.9")
    assert (len(problem.train), len(problem.valid)) == (12, 12)
    assert problem.report["warnings"] == [
        "data.train_fraction has no meaning with a folder that is held out; it is not used"
    ]
    assert folder_problem(tmp_path).report["warnings"] == []
    (told,) = opened("data.skip_damaged=true").report["warnings"]
    assert told == "data.skip_damaged has no meaning with data.name=bundled; it is not used"


def test_damaged_files_of_all_parts_are_told_at_once(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        write_images(tmp_path / part, each=6)
        (tmp_path / part / "class1" / "003.png").write_bytes(b"poison")
    with pytest.raises(UserError) as error:
        folder_problem(tmp_path)
    assert all(f"{tmp_path}/{part}/class1/003.png" in str(error.value) for part in ("train", "val"))
    assert "/test/" not in str(error.value), "a search opens no test image"
    problem = folder_problem(tmp_path, "data.skip_damaged=true")
    assert (len(problem.train), len(problem.valid)) == (11, 11)


def test_a_class_without_a_usable_image_is_named(tmp_path: Path) -> None:
    write_images(tmp_path, each=18)
    for path in (tmp_path / "class1").iterdir():
        path.write_bytes(b"poison")
    with pytest.raises(UserError, match="no image of class 'class1' could be used"):
        folder_problem(tmp_path, "data.skip_damaged=true")
