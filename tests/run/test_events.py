"""Events are kept in order, cut back on resume, and never half written."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleave.errors import UserError
from cleave.run.events import Events, Mark
from tests.run.test_durable import full_disk

names = st.text("abcdefgh_", min_size=1, max_size=8)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
events = st.lists(st.tuples(st.text(), st.dictionaries(names, values | st.lists(values, max_size=3), max_size=4)))


def write_some(log: Events, generator: random.Random, count: int) -> None:
    for step in range(count):
        log.write(generator.choice(["epoch", "split"]), step=step, loss=generator.random(), leaf=[0, 1])


@settings(max_examples=30, deadline=None)
@given(events)
def test_what_is_written_is_read_in_order_one_line_each(written: list[tuple[str, dict[str, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        log = Events(path)
        for kind, fields in written:
            log.write(kind, **fields)
        assert Events.read(path) == [{"kind": kind, **fields} for kind, fields in written]
        assert path.read_bytes().count(b"\n") == len(written)
        assert log.position.length == path.stat().st_size


def test_an_interrupted_run_that_goes_back_to_its_checkpoint_ends_in_the_same_bytes(tmp_path: Path) -> None:
    seed, first, lost, rest = random.random(), *random.sample(range(1, 9), 3)
    whole, log = Events(tmp_path / "whole"), Events(tmp_path / "cut")
    generator = random.Random(seed)
    write_some(whole, generator, first)
    write_some(whole, generator, rest)

    generator = random.Random(seed)
    write_some(log, generator, first)
    position, checkpoint = log.position, generator.getstate()
    write_some(log, generator, lost)
    with (tmp_path / "cut").open("ab") as file:
        file.write(b'{"kind": "ep')

    generator.setstate(checkpoint)
    resumed = Events(tmp_path / "cut")
    resumed.go_back(position)
    write_some(resumed, generator, rest)
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()
    assert resumed.position == whole.position


def test_a_file_shorter_than_the_checkpoint_counts_on_is_named_and_left_alone(tmp_path: Path) -> None:
    log = Events(tmp_path / "events.jsonl")
    write_some(log, random.Random(random.random()), 3)
    position = log.position
    os.truncate(tmp_path / "events.jsonl", position.length - random.randint(1, 20))
    before = (tmp_path / "events.jsonl").read_bytes()
    with pytest.raises(UserError, match=rf"events\.jsonl: has {len(before)} bytes .* counts on {position.length}"):
        Events(tmp_path / "events.jsonl").go_back(position)
    assert (tmp_path / "events.jsonl").read_bytes() == before


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), [1.0, float("-inf")], {"loss": float("nan")}])
def test_a_number_that_is_not_finite_is_refused_and_nothing_written(tmp_path: Path, wrong: object) -> None:
    log = Events(tmp_path / "events.jsonl")
    log.write("epoch", loss=0.5)
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.write("epoch", loss=wrong)
    assert Events.read(tmp_path / "events.jsonl") == [{"kind": "epoch", "loss": 0.5}]


def test_a_full_disk_leaves_no_half_of_a_line_and_writing_can_go_on(tmp_path: Path) -> None:
    log, generator = Events(tmp_path / "events.jsonl"), random.Random(random.random())
    write_some(log, generator, 3)
    before = (tmp_path / "events.jsonl").read_bytes()
    with full_disk(len(before) + random.randrange(20)), pytest.raises(UserError, match=r"events\.jsonl: cannot be"):
        log.write("epoch", loss=generator.random())
    assert (tmp_path / "events.jsonl").read_bytes() == before
    assert log.position.length == len(before)
    log.write("epoch", loss=0.25)
    assert Events.read(tmp_path / "events.jsonl")[3:] == [{"kind": "epoch", "loss": 0.25}]


def test_a_position_is_given_only_once_its_bytes_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, sync, synced = Events(tmp_path / "events.jsonl"), os.fsync, list[tuple[int, int]]()

    def watch(descriptor: int) -> None:
        sync(descriptor)
        synced.append((os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", watch)
    write_some(log, random.Random(random.random()), 3)
    position = log.position
    assert ((tmp_path / "events.jsonl").stat().st_ino, position.length) in synced


def test_a_last_line_without_its_end_did_not_happen(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write_some(Events(path), random.Random(random.random()), 4)
    all_events = Events.read(path)
    os.truncate(path, path.stat().st_size - random.randint(1, 20))
    assert Events.read(path) == all_events[:3]


@pytest.mark.parametrize("line", [b"", b"[1]", b'{"kind": ', b"\xff\x00", b"epoch", b"[" * 100_000])
def test_a_line_that_is_no_event_is_named_by_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "events.jsonl"
    write_some(Events(path), random.Random(random.random()), 2)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], line, lines[1], b""]))
    with pytest.raises(UserError, match=r"events\.jsonl: line 2 is not an event"):
        Events.read(path)


def test_a_file_that_cannot_be_read_or_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"events\.jsonl: cannot be read: no such file"):
        Events.read(tmp_path / "events.jsonl")
    with pytest.raises(UserError, match=r"events\.jsonl: cannot be saved: no such file"):
        Events(tmp_path / "nowhere" / "events.jsonl")


def test_another_files_events_are_added_as_they_are(tmp_path: Path) -> None:
    one, other = Events(tmp_path / "one"), Events(tmp_path / "other")
    one.write("epoch", leaf="0", loss=random.random())
    for number in range(3):
        other.write("epoch", leaf="1", loss=random.random(), epoch=number)
    before = one.path.read_bytes()
    one.append(other.path, other.position)
    assert one.path.read_bytes() == before + other.path.read_bytes()
    assert one.position == Mark.after(one.path.read_bytes())


def test_bytes_altered_before_a_mark_are_named_and_those_after_it_do_not_matter(tmp_path: Path) -> None:
    log = Events(tmp_path / "events.jsonl")
    write_some(log, random.Random(random.random()), 3)
    mark, whole = log.position, log.path.read_bytes()
    for position in random.sample(range(len(whole)), 20):
        log.path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        with pytest.raises(UserError, match=r"events\.jsonl: its first \d+ bytes are not those"):
            Events(log.path).go_back(mark)
    log.path.write_bytes(whole + b"\0" * 10)
    again = Events(log.path)
    again.go_back(mark)
    assert log.path.read_bytes() == whole
    assert again.position == mark
