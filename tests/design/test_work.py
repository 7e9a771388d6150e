"""What a design decides is decided once, and its time is shared out so that it ends in time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from cleave.design.settings import DesignRecipe
from cleave.design.work import FIRST, PACE, SHARES, Overall, Work
from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import Stop
from cleave.errors import Interrupted
from cleave.run.folder import RunFolder, create
from cleave.run.origin import DESIGN, read_origin
from tests.fresh import fresh


def work_in(path: Path, time: float = 100.0) -> Work:
    path.mkdir()
    recipe = DesignRecipe(time=time)
    return Work(recipe, create(path, recipe, {}, DESIGN), Callback())


def reopened(path: Path) -> Work:
    folder = RunFolder(path, read_origin(path, DESIGN))
    known = folder.newest(lambda line: None).meta["search"]["known"]
    return Work(DesignRecipe(time=100.0), folder, Callback(), known=known)


def test_what_is_decided_is_decided_once_whoever_goes_on(tmp_path: Path) -> None:
    work = work_in(tmp_path / "run")
    assert work.once("epochs", lambda: 7) == 7
    assert work.once("epochs", lambda: 8) == 7
    again = reopened(tmp_path / "run")
    assert again.once("epochs", lambda: 9) == 7
    assert again.once("scale", lambda: {"side": 64}) == {"side": 64}


def test_who_is_asked_to_stop_decides_nothing(tmp_path: Path) -> None:
    work = work_in(tmp_path / "run")
    work.callback.stop = Stop()
    work.callback.stop.requested = True
    with pytest.raises(Interrupted):
        work.once("epochs", lambda: 7)
    assert work.known == {}


@pytest.mark.parametrize("case", range(5))
def test_shares_that_are_used_as_given_end_with_the_reserve(
    tmp_path: Path, case: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much less or more each part takes than its share; the last one takes what is left."""
    random, spent = fresh(), [0.0]
    monkeypatch.setattr(RunFolder, "seconds", property(lambda folder: spent[0]))
    work = work_in(tmp_path / "run", time=float(random.integers(200, 2000)))
    work.known = {"test": int(random.integers(0, 50)), PACE + "a": {"epoch": 1.0, "image": 0.001}}
    parts = list(SHARES)
    for part in parts[:-1]:
        spent[0] += work.share(part) * float(random.uniform(0.5, 1.2))
    spent[0] += work.share(parts[-1])
    assert spent[0] == pytest.approx(work.recipe.time - work.reserve)
    assert work.reserve <= 0.4 * work.recipe.time
    assert work.share(FIRST) == pytest.approx(0.0, abs=1e-6), "nothing is left"


def test_the_shares_are_of_all_but_the_end() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)


def test_progress_is_that_of_the_whole_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, said, spent = list[Progress](), list[str](), [0.0]

    class Watching(Callback):
        def see(self, progress: Progress) -> None:
            seen.append(progress)

        def say(self, line: str) -> None:
            said.append(line)

    monkeypatch.setattr(RunFolder, "seconds", property(lambda folder: spent[0]))
    overall = Overall(Watching(), work_in(tmp_path / "run").folder, 100.0, ["said before"])
    overall.begin("searching")
    for spent[0] in (10.0, 40.0, 140.0):  # type: ignore[misc]
        overall.see(Progress(1, 2, "root", "epoch 1"))
        overall.say("the same line")
        overall.say("said before")
    assert [each.done for each in seen] == [10, 40, 100]
    assert all(one.done <= other.done for one, other in pairwise(seen))
    assert said == ["searching (0 of 100 s)", "the same line"]
