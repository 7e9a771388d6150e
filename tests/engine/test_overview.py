"""Several tasks at once are one line for whoever watches."""

from __future__ import annotations

import io
import random
import re

import pytest

from cleave.engine.overview import Overview, briefly, together
from cleave.engine.progress import Progress
from cleave.engine.worker_process import Teller, sendable
from cleave.terminal import Terminal
from tests.recorder import Recorder


def test_parts_under_way_and_finished_add_up() -> None:
    recorder = Recorder()
    overview = Overview(recorder)
    overview.finished = 100
    overview.of("0").see(Progress(3, 500, "0", "search"))
    overview.of("1").see(Progress(4, 500, "1", "search"))
    overview.of("0").see(Progress(5, 500, "0", "search"))
    overview.finish("0", 107)
    overview.of("1").see(Progress(6, 500, "1", "search"))
    assert [progress.done for progress in recorder.moments] == [103, 107, 109, 111, 113]
    assert {progress.total for progress in recorder.moments} == {500}


def test_one_part_is_shown_as_it_is_and_several_are_named_briefly() -> None:
    recorder = Recorder()
    overview = Overview(recorder)
    alone = Progress(1, 9, "0", "compare 3<-0", lambda: (1.0, 2.0))
    overview.of("0").see(alone)
    assert recorder.moments[-1] == alone
    overview.of("1").see(Progress(1, 9, "1", "warm-up"))
    shown = recorder.moments[-1]
    assert (shown.leaf, shown.doing, shown.means) == ("0, 1", "compare, warm-up", None)


def test_many_names_are_counted() -> None:
    assert briefly(["0"]) == "0"
    assert briefly(["0.0", "0.1"]) == "0.0, 0.1"
    assert briefly(f"control {i}" for i in range(20)) == "control 0, control 1 +18"


def test_what_a_part_says_is_said() -> None:
    recorder = Recorder()
    Overview(recorder).of("0").say("a line")
    assert recorder.lines == ["a line"]


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("count", [2, 3, 20])
def test_the_bar_of_several_parts_fits_eighty_columns(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    doings = ["train alone", "evaluate"]
    progresses = [Progress(5, 10 * count, f"control {10 + i}", doings[i % 2]) for i in range(count)]
    with Terminal() as terminal:
        terminal.see(together(progresses))
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    lines = [line for line in re.split(r"[\r\n]", shown) if "control" in line]
    assert all(len(line) <= 80 for line in lines)
    assert any("control 10, control 11" in line and "train, evaluate" in line for line in lines)


def test_a_worker_tells_few_moments_and_always_the_last() -> None:
    told: list[Progress | str] = []
    teller = Teller(told.append)
    total = random.randint(50, 500)
    for done in range(total):
        teller.see(Progress(done, total, "0", "search"))
    teller.catch_up()
    dones = [progress.done for progress in told if isinstance(progress, Progress)]
    assert dones[0] == 0
    assert dones[-1] == total - 1
    assert len(dones) < total / 2
    teller.catch_up()
    assert len(told) == len(dones)


def test_a_moment_that_is_sent_has_its_loss_and_accuracy_with_it() -> None:
    values = [1.5, 80.0]
    sent = sendable(Progress(1, 2, "0", "search", lambda: (values[0], values[1])))
    values.clear()
    assert sent.means is not None
    assert sent.means() == (1.5, 80.0)
    assert sendable(Progress(1, 2, "0", "evaluate")).means is None
