"""What a run and its jobs tell each other in files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cleave.engine import slurm_notes
from cleave.engine.progress import Progress
from cleave.engine.slurm_notes import Beat, Heard, Notes


def same(one: Progress | str, other: Progress | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    means = [each.means and each.means() for each in (one, other)]
    plain = [(each.done, each.total, each.leaf, each.doing, each.kind) for each in (one, other)]
    return means[0] == means[1] and plain[0] == plain[1]


def anything() -> Progress | str:
    if random.random() < 0.3:
        return random.choice(["a line", "two\nlines", "é {", ""])
    means = (random.random(), random.uniform(0, 100))
    done = random.randrange(100)
    return Progress(done, 100, f"{done}.1", "search", random.choice([None, lambda: means]), "architecture")


def test_notes_are_read_once_in_their_order_whenever_one_looks(tmp_path: Path) -> None:
    writer, reader = Notes(tmp_path / "0.jsonl"), Notes(tmp_path / "0.jsonl")
    assert reader.read() == []
    written, read = [anything() for _ in range(60)], []
    for told in written:
        writer.write(told)
        if random.random() < 0.3:
            read += reader.read()
    read += reader.read()
    assert len(read) == len(written)
    assert all(map(same, written, read))
    assert reader.read() == []


def test_what_a_kill_cut_off_costs_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "0.jsonl"
    Notes(file).write("whole")
    reader = Notes(file)
    with file.open("a") as cut:
        cut.write('\n{"say": "cut o')
    assert reader.read() == ["whole"]
    Notes(file).write("of its next life")
    assert reader.read() == ["of its next life"]


def test_a_disk_that_takes_no_notes_costs_no_training(tmp_path: Path) -> None:
    Notes(tmp_path / "gone" / "0.jsonl").write("a line")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that `slurm_notes` sees."""
    seconds = [1000.0]
    monkeypatch.setattr(slurm_notes.time, "monotonic", lambda: seconds[0])
    return seconds


def test_a_run_is_there_as_long_as_its_beat_changes(tmp_path: Path, clock: list[float]) -> None:
    beat, heard = Beat(tmp_path / "beat"), Heard(tmp_path / "beat")
    for _ in range(200):
        beat.tell()
        assert not heard.to_stop
        clock[0] += 11
    clock[0] += slurm_notes.GONE_SECONDS
    assert heard.to_stop
    beat.tell()  # it only slept
    clock[0] += slurm_notes.LISTEN_SECONDS
    assert not heard.to_stop


def test_the_word_to_stop_is_heard_and_not_taken_back(tmp_path: Path, clock: list[float]) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    beat, heard = Beat(folder / "beat"), Heard(folder / "beat")
    beat.tell()
    assert not heard.to_stop
    beat.ask_to_stop()
    clock[0] += 11
    beat.tell()
    assert heard.to_stop
    assert Heard(folder / "beat").to_stop


def test_a_folder_that_is_gone_says_stop_and_a_disk_that_is_away_does_not(tmp_path: Path, clock: list[float]) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    beat, heard = Beat(folder / "beat"), Heard(folder / "beat")
    beat.tell()
    assert not heard.to_stop
    (folder / "beat").unlink()
    clock[0] += slurm_notes.LISTEN_SECONDS
    assert not heard.to_stop
    folder.rmdir()
    clock[0] += slurm_notes.LISTEN_SECONDS
    assert heard.to_stop
    beat.ask_to_stop()  # nothing to tell it by, and nobody to tell
