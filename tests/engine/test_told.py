"""What is told elsewhere: the same when it comes back, and runs that are followed end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cleave.engine.progress import Callback, Progress
from cleave.engine.told import News, OneRun, RunBegun, RunEnded, news_of, note_of, pass_on


class Heard(Callback):
    def __init__(self) -> None:
        self.heard: list[object] = []

    def see(self, progress: Progress) -> None:
        self.heard.append(progress.done)

    def say(self, line: str) -> None:
        self.heard.append(line)

    def begin_run(self, run: Path, settings: Mapping[str, Any]) -> None:
        self.heard.append(run)

    def end_run(self) -> None:
        self.heard.append("end")


@pytest.mark.parametrize(
    "news", ["a line", RunBegun(Path("run"), {"seed": 3}), RunEnded(), Progress(1, 9, "root", "search")]
)
def test_it_comes_back_as_it_was(news: News) -> None:
    assert news_of(json.loads(json.dumps(note_of(news)))) == news


def test_what_was_measured_comes_back() -> None:
    told = news_of(json.loads(json.dumps(note_of(Progress(1, 9, "root", "search", lambda: (0.5, 70.0))))))
    assert isinstance(told, Progress)
    assert told.means is not None
    assert tuple(told.means()) == (0.5, 70.0)


def test_a_note_of_another_kind_tells_nothing() -> None:
    assert news_of({"interrupted": True}) is None


def test_a_run_that_is_begun_again_or_never_ended_is_ended_once(tmp_path: Path) -> None:
    """Who told of it was lost, another one told of it again, and that one was stopped."""
    heard = Heard()
    with OneRun(heard) as runs:
        for news in ("a line", RunBegun(tmp_path, {}), RunBegun(tmp_path, {}), Progress(2, 9, "", "")):
            pass_on(news, runs)
    assert heard.heard == ["a line", tmp_path, "end", tmp_path, 2, "end"]


def test_a_run_that_is_not_to_be_seen_from_here_is_not_followed(tmp_path: Path) -> None:
    heard = Heard()
    with OneRun(heard) as runs:
        for news in (RunBegun(tmp_path / "elsewhere", {}), RunEnded(), RunBegun(tmp_path, {}), RunEnded()):
            pass_on(news, runs)
    assert heard.heard == [tmp_path, "end"]
