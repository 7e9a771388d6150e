"""What a search may see of the images, and how it counts its work."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cleave.config import load_recipe
from cleave.data import sources
from cleave.data.images import Images, Part
from cleave.errors import UserError
from cleave.resolve import resolve
from cleave.run.folder import RunFolder, create, make_folder
from cleave.run.origin import SEARCH, read_origin
from cleave.search.loop import Search
from cleave.search.problem import Problem, open_problem
from cleave.search.runner import start
from cleave.search.watch import Moment, Stop, Watcher
from cleave.search.work import planned_search_passes
from cleave.space import find_space

TINY = [
    "data.limit=96", "data.image_size=8", "space.channels=2", "search.batch_size=32", "search.epochs=1",
    "split.batches=1", "threads=1", "trust.control=2",
]  # fmt: skip


def opened(*changes: str) -> Problem:
    recipe, _ = resolve(load_recipe(None, [*TINY, *changes], {}), find_space("nasbench201"))
    return open_problem(recipe)


def test_a_search_never_asks_for_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    published = sources.load

    def load(data: str, part: Part, root: Path | None, image_size: int | None) -> Images:
        asked.append(part)
        return published(data, part, root, image_size)

    monkeypatch.setattr(sources, "load", load)
    start(load_recipe(None, TINY, {}), tmp_path / "run", Watcher())
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
    changes = [*TINY, "data.name=cifar10", f"data.root={tmp_path / 'data'}"]
    assert start(load_recipe(None, changes, {}), tmp_path / "run", Watcher())["chosen"]["arch"]


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
        ["split.splitter=gradient", "split.branch=3", "split.batches=2"],
        ["method.name=rsps", "method.samples=4"],
    ],
)
def test_the_planned_work_is_the_work_done(tmp_path: Path, changes: list[str]) -> None:
    problem = opened(*changes)
    moments: list[Moment] = []

    class Recorder(Watcher):
        def see(self, moment: Moment) -> None:
            moments.append(moment)

    make_folder(tmp_path / "run")

    create(tmp_path / "run", problem.recipe, {})
    outcome = Search(
        problem, RunFolder(tmp_path / "run", read_origin(tmp_path / "run", SEARCH)), Stop(), Recorder()
    ).run()
    cost = outcome["cost"]
    done = cost["weight_steps"] + cost["arch_steps"] + cost["split_passes"]
    evaluated = 0.4 * cost["eval_images"] / problem.recipe.search.batch_size
    assert planned_search_passes(problem) == pytest.approx(done + evaluated, abs=len(outcome["leaves"]))
    assert [moment.done for moment in moments] == sorted(moment.done for moment in moments)
    assert moments[-1].done <= moments[-1].total
