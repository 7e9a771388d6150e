"""A run that is killed and resumed, however often and wherever, ends in the same bytes as one that is left alone."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.config import load_recipe
from cleave.engine.progress import Callback, Progress
from cleave.errors import UserError
from cleave.run.folder import RunFolder, make_folder
from cleave.run.generations import Record
from cleave.run.lock import RunLock
from cleave.run.origin import SEARCH, read_origin
from cleave.search.runner import resume, start
from tests.recorder import Recorder
from tests.tiny import (
    EVERY_STEP,
    HALVING,
    HERE,
    RSPS,
    SIZES,
    Ended,
    generations,
    leaves,
    part_generations,
    same,
    write_images,
)

Capture = pytest.CaptureFixture[str]
Listed = Callable[[Path], list[Path]]
KINDS = {
    "darts": {},
    "darts that inherits": {"split.restart": "false"},
    "rsps": RSPS,
    "evolution": {**RSPS, "method.derive": "evolution", "method.population": 4, "method.generations": 2},
    "halving": {**RSPS, **HALVING, "trust.control": 0, "trust.panel": 0},
    "recalibrated": {**RSPS, "search.statistics": "mean", "search.calibration_images": 9, "search.eval_batch_size": 5},
    "random": {"method.name": "random", "search.epochs": 2},
    "darts2": {"method.name": "darts2", "split.splits": 1},
    "race": {"split.splits": 1, "split.rule": "race", "split.batches": 8},
    "outputs": {**RSPS, "split.splitter": "output", "split.splits": 1, "split.batches": 2},
    "dimensions": {**RSPS, "split.splitter": "dimension", "split.neighbours": 3, "split.batches": 2},
    "depths": {**RSPS, "split.splitter": "nonlinearity", "split.completions": 2, "split.restart": "false"},
    "parametric": {**RSPS, "split.splitter": "parametric"},
    "weight copies": {**RSPS, "split.splitter": "weight-copies"},
    "snas": {"method.name": "snas", "split.splits": 1, "search.epochs": 2},
    "drnas": {"method.name": "drnas", "split.splits": 1},
    "proxyless": {
        "space.name": "mobilenet-proxyless",
        "space.ops": "[3x3_e3, 5x5_e3, zero]",
        "method.name": "proxyless",
        "method.architecture_every": 1,
        "split.splits": 1,
        "limits.macs": "2M",
    },
    "importance and hooks": {
        "method.name": "rsps",
        "method.samples": 3,
        "method.sampler": "importance",
        "search.hooks": "[complexity-rate, momentum-separation, gradient-projection]",
        "search.epochs": 3,
        "split.splits": 1,
        "split.restart": "false",
    },
    "one-change": {"method.name": "rsps", "method.samples": 3, "method.sampler": "one-change", "split.splits": 1},
    "shrinking": {
        "space.name": "mobilenet-ofa",
        "space.kernels": "[3, 5]",
        "space.expansions": "[3, 4]",
        "space.depths": "[1, 2]",
        "method.name": "shrinking",
        "method.samples": 2,
        "split.splits": 1,
        "split.warmup_epochs": 2,
        "split.batches": 1,
        "search.epochs": 6,
        "trust.control": 0,
        "trust.panel": 0,
    },
}


class Killed(Exception):
    """The process is gone; nothing that the search does may catch this."""


class Killer(Callback):
    """Kills the run when so much of it is done."""

    def __init__(self, done: int) -> None:
        self.done = done

    def see(self, moment: Progress) -> None:
        if moment.done >= self.done:
            raise Killed


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def begin(images: Path, out: Path, changes: dict[str, Any], callback: Callback) -> dict[str, Any]:
    sizes = {key: value for key, value in SIZES.items() if "space.name" not in changes or "space." not in key}
    merged = {**sizes, **EVERY_STEP, **changes, "data.name": images}
    return start(load_recipe(None, [f"{key}={value}" for key, value in merged.items()], {}), out, callback)


def some_of_each_phase(moments: list[Progress]) -> list[int]:
    """How much is done at a random moment of each phase and at two more, in order."""
    phases = {moment.doing.split()[0] for moment in moments}
    of_phases = [random.choice([each for each in moments if each.doing.startswith(phase)]) for phase in phases]
    return sorted({moment.done for moment in [*of_phases, *random.sample(moments, 2)]})


def killed_again_and_again(images: Path, out: Path, changes: dict[str, Any], moments: list[Progress]) -> int:
    """Runs to the end through several kills; returns how many there were."""
    kills = some_of_each_phase(moments)
    with pytest.raises(Killed):
        begin(images, out, changes, Killer(kills[0]))
    for done in kills[1:]:
        with pytest.raises(Killed):
            resume(out, Killer(done))
    resume(out, Callback())
    return len(kills)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_killed_in_every_phase_ends_in_the_same_bytes(kind: str, images: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    begin(images, tmp_path / "whole", KINDS[kind], recorder)
    phases = {moment.doing.split()[0] for moment in recorder.moments}
    searched = set() if kind == "random" else {"search"}
    unlooked = ("rsps", "evolution", "halving", "recalibrated", "parametric", "weight copies")
    split = set() if kind in unlooked else {"warm-up", "compare"}
    alone = {"halving": {"retrain"}, "shrinking": set()}.get(kind, {"train"})
    assert phases == {"evaluate"} | searched | split | alone
    assert killed_again_and_again(images, tmp_path / "killed", KINDS[kind], recorder.moments) >= 3
    assert same(tmp_path / "whole", tmp_path / "killed")
    assert leaves(tmp_path / "whole") == leaves(tmp_path / "killed")


class KillingDisk:
    """Kills the run at its n-th wait for the disk: in the middle of saving something."""

    def __init__(self, left: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.fsync = left, os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor: int) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed
        self.fsync(descriptor)


def test_a_run_that_is_killed_while_it_saves_ends_in_the_same_bytes(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        disk = KillingDisk(1_000_000, patched)
        begin(images, tmp_path / "whole", RSPS, Callback())
        waits = 1_000_000 - disk.left
    out = tmp_path / "killed"
    for session in (partial(begin, images, out, RSPS), partial(resume, out), partial(resume, out)):
        with monkeypatch.context() as patched:
            KillingDisk(random.randint(20, waits // 4), patched)
            with pytest.raises(Killed):
                session(callback=Callback())
    resume(out, Callback())
    assert same(tmp_path / "whole", out)


def test_a_run_that_is_killed_before_its_first_checkpoint_begins_anew(images: Path, tmp_path: Path) -> None:
    seldom = {"search.checkpoint_seconds": 1000}
    recorder = Recorder()
    begin(images, tmp_path / "whole", seldom, recorder)
    compared = [moment.done for moment in recorder.moments if moment.leaf == "root" and "compare" in moment.doing]
    with pytest.raises(Killed):  # the last of these moments is that the root is finished, and saved
        begin(images, tmp_path / "killed", seldom, Killer(random.choice(compared[1:-1])))
    assert [path.name for path in generations(tmp_path / "killed")] == ["000001", "000002"]  # that it was begun
    assert part_generations(tmp_path / "killed") == []
    assert (tmp_path / "killed" / "parts" / "root" / "events.jsonl").read_bytes() != b""
    resume(tmp_path / "killed", Callback())
    assert same(tmp_path / "whole", tmp_path / "killed")


def test_the_seed_decides_everything(images: Path, tmp_path: Path) -> None:
    for name, seed in {"one": 3, "same": 3, "other": 4}.items():
        begin(images, tmp_path / name, {**RSPS, "seed": seed}, Callback())
    assert same(tmp_path / "one", tmp_path / "same")
    for name in ("result.json", "events.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "other" / name).read_bytes()


@pytest.fixture(scope="module")
def half_done(images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run that was killed somewhere in the middle, and a whole one of the same recipe."""
    folder = tmp_path_factory.mktemp("half")
    recorder, changes = Recorder(), {**RSPS, "trust.control": 2}
    begin(images, folder / "whole", changes, recorder)
    middle = recorder.moments[len(recorder.moments) // 2].done
    with pytest.raises(Killed):
        begin(images, folder / "half", changes, Killer(middle))
    return folder / "half", folder / "whole"


@pytest.fixture
def half(half_done: tuple[Path, Path], tmp_path: Path) -> Path:
    """The run killed in the middle, to be spoilt."""
    return shutil.copytree(half_done[0], tmp_path / "half")


def spoil(generation: Path) -> Path:
    """Flips a bit of, cuts short, or removes one file of a generation."""
    victim = random.choice(sorted(generation.iterdir()))
    data = bytearray(victim.read_bytes())
    position = random.randrange(len(data))
    data[position] ^= 1 << random.randrange(8)
    random.choice([
        lambda: victim.write_bytes(data),
        lambda: victim.write_bytes(data[:position]),
        victim.unlink,
    ])()  # fmt: skip
    return victim


def test_a_run_in_the_middle_is_shown_as_unfinished_and_left_alone(half: Path, capsys: Capture) -> None:
    before = {path: path.stat().st_mtime_ns for path in half.rglob("*")}
    ended = Ended(["show", str(half), "--json"], capsys)
    shown = json.loads(ended.out)
    assert list(shown) == ["run", "status", "last", "parts", "seconds"]
    assert shown["status"] == "unfinished"
    assert shown["last"] == json.loads((half / "events.jsonl").read_text().splitlines()[-1])
    (part,) = (half / "parts").iterdir()
    events = [json.loads(line) for line in (part / "events.jsonl").read_text().splitlines()]
    assert shown["parts"] == {part.name: events[-1] if events else None}
    assert {path: path.stat().st_mtime_ns for path in half.rglob("*")} == before
    assert f"under way: {part.name}" in Ended(["show", str(half)], capsys).out
    assert f"cleave resume {half}" in Ended(["show", str(half)], capsys).out


@pytest.mark.parametrize("listed", [generations, part_generations])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    listed: Listed, half: Path, half_done: tuple[Path, Path], capsys: Capture
) -> None:
    spoil(listed(half)[-1])
    ended = Ended(["resume", *HERE, str(half), "--json"], capsys)
    assert ended.status == 0
    assert re.search(rf"{listed(half_done[0])[-1].name}.*: generation .* set aside", ended.err)
    assert same(half, half_done[1])


@pytest.mark.parametrize("listed", [generations, part_generations])
def test_with_no_checkpoint_left_the_run_is_refused_by_name(listed: Listed, half: Path, capsys: Capture) -> None:
    folder = listed(half)[0].parent
    for generation in listed(half):
        spoil(generation)
    before = sorted(path.name for path in half.iterdir())
    ended = Ended(["resume", *HERE, str(half), "--json"], capsys)
    assert ended.refuses(str(folder), "no checkpoint that is whole")
    assert sorted(path.name for path in half.iterdir()) == before


def test_exchanged_weights_of_a_finished_node_are_refused(images: Path, tmp_path: Path, capsys: Capture) -> None:
    recorder = Recorder()
    begin(images, tmp_path / "whole", KINDS["darts that inherits"], recorder)
    first_search = next(moment for moment in recorder.moments if moment.leaf == "0")
    with pytest.raises(Killed):
        begin(images, tmp_path / "half", {**KINDS["darts that inherits"], "seed": 9}, Killer(first_search.done))
    shutil.rmtree(tmp_path / "half" / "leaves" / "root")
    shutil.copytree(tmp_path / "whole" / "leaves" / "root", tmp_path / "half" / "leaves" / "root")
    ended = Ended(["resume", *HERE, str(tmp_path / "half"), "--json"], capsys)
    assert ended.refuses(str(tmp_path / "half" / "leaves" / "root"))


def test_a_second_process_is_refused_while_the_first_has_the_run(half: Path, capsys: Capture) -> None:
    before = {path: path.read_bytes() for path in half.rglob("*") if path.is_file() and path.name != "lock"}
    with RunLock(half):
        assert Ended(["resume", *HERE, str(half), "--json"], capsys).refuses(str(half), "in use", str(os.getpid()))
    assert {path: path.read_bytes() for path in before} == before


def test_other_images_than_at_the_start_are_refused(tmp_path: Path, capsys: Capture) -> None:
    images = write_images(tmp_path / "images")
    with pytest.raises(Killed):
        begin(images, tmp_path / "run", RSPS, Killer(5))
    kept = shutil.copytree(images, tmp_path / "kept")
    shutil.rmtree(images)
    write_images(images)
    assert Ended(["resume", *HERE, str(tmp_path / "run"), "--json"], capsys).refuses(str(images), "not the images")
    shutil.rmtree(images)
    kept.rename(images)
    assert Ended(["resume", *HERE, str(tmp_path / "run"), "--json"], capsys).status == 0


def test_a_run_can_be_resumed_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Killed):
        begin(Path("images"), tmp_path / "run", RSPS, Killer(5))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert resume(Path("../run"), Callback())["run"] == "../run"


@pytest.mark.parametrize("folder", ["checkpoints", "parts/0.0/checkpoints"])
def test_a_checkpoint_of_another_run_is_never_gone_on_from(
    folder: str, images: Path, tmp_path: Path, capsys: Capture
) -> None:
    for name, seed in (("mine", 0), ("other", 1)):
        with pytest.raises(Killed):
            begin(images, tmp_path / name, {**RSPS, "seed": seed}, Killer(5))
    shutil.rmtree(tmp_path / "mine" / folder)
    shutil.copytree(tmp_path / "other" / folder, tmp_path / "mine" / folder)
    ended = Ended(["resume", *HERE, str(tmp_path / "mine"), "--json"], capsys)
    assert ended.refuses(str(tmp_path / "mine" / folder), "of another run")


def test_after_all_checkpoints_were_damaged_nothing_starts_again_of_itself(
    images: Path, tmp_path: Path, capsys: Capture
) -> None:
    with pytest.raises(Killed):
        begin(images, tmp_path / "run", RSPS, Killer(9))
    for generation in generations(tmp_path / "run"):
        (generation / "weights.safetensors").write_bytes(b"")
    events = (tmp_path / "run" / "events.jsonl").read_bytes()
    for _ in range(2):
        ended = Ended(["resume", *HERE, str(tmp_path / "run"), "--json"], capsys)
        assert ended.refuses("holds no checkpoint that is whole")
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == events


def test_a_finished_run_tells_its_outcome_without_its_images(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    outcome = begin(images, tmp_path / "run", RSPS, Callback())
    shutil.rmtree(images)
    assert resume(tmp_path / "run", Callback()) == outcome


def test_a_device_that_is_not_here_is_named(images: Path, tmp_path: Path, capsys: Capture) -> None:
    with pytest.raises(Killed):
        begin(images, tmp_path / "run", RSPS, Killer(3))
    words = ["resume", *HERE, str(tmp_path / "run"), "--json", "--device"]
    assert Ended([*words, "cuda:99"], capsys).refuses("device=cuda:99")
    assert Ended([*words, "cpu"], capsys).status == 0


def test_other_versions_than_at_the_start_are_mentioned(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Listener(Callback):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def say(self, line: str) -> None:
            self.lines.append(line)

    with pytest.raises(Killed):
        begin(images, tmp_path / "run", RSPS, Killer(3))
    before, listener = torch.__version__, Listener()
    monkeypatch.setattr(torch, "__version__", "99.0")
    resume(tmp_path / "run", listener)
    assert any(line.startswith(f"torch was {before} and is now 99.0") for line in listener.lines)


def test_two_searches_cannot_begin_in_one_folder(images: Path, tmp_path: Path) -> None:
    make_folder(tmp_path / "run")
    with RunLock(tmp_path / "run"), pytest.raises(UserError, match="in use by process"):
        begin(images, tmp_path / "run", RSPS, Callback())
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["lock"]
    assert begin(images, tmp_path / "run", RSPS, Callback())["leaves"]


def test_a_checkpoint_of_another_version_is_refused_in_one_line(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    with pytest.raises(Killed):
        begin(images, out, RSPS, Killer(3))
    before = RunFolder(out, read_origin(out, SEARCH)).generations
    record = before.newest(print)
    search = {key: value for key, value in record.meta["search"].items() if key != "control"}
    before.commit(Record(record.weights, record.state, {**record.meta, "search": search}))
    assert Ended(["resume", *HERE, str(out)], capsys).refuses("another version of cleave")
