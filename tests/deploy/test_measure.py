"""Measuring, with a made clock: what is timed beside what, what is kept, what is said."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import split
from typing import Any

import numpy as np
import pytest

from cleave.cli import run
from cleave.deploy import measure as module
from cleave.deploy.measure import ROUNDS, MeasureRequest, measure, timed
from cleave.deploy.runtimes import RUNTIMES, Call, Case
from cleave.deploy.subjects import CALL, deployed, drawn
from cleave.deploy.table import open_table
from cleave.deploy.text import text
from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.errors import Interrupted, UserError
from cleave.net.cost import costs
from cleave.space import Space
from tests.deploy.made import SMALL

REQUEST, NETWORKS = MeasureRequest(SMALL), 6
OVERHEAD = 0.01
"""Milliseconds of a call."""


@pytest.fixture(autouse=True)
def _nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def calls(cases: Sequence[Case], threads: int) -> list[Call]:
        return [lambda: None for _ in cases]

    monkeypatch.setitem(RUNTIMES, "torch", calls)
    monkeypatch.setattr(module, "NETWORKS", NETWORKS)


class Clock:
    """Whole networks take `slope` times what their blocks do, which is by multiply-adds; the machine is now fast, now
    slow."""

    def __init__(self, slope: float = 1.0, slow: float = 1.0) -> None:
        self.slope, self.slow, self.heard = slope, slow, list[str]()
        space: Space = SMALL.space
        known = costs(space, SMALL.size, SMALL.image, SMALL.classes)
        self.work = {
            key: known.of(deployed(SMALL.layout, arch)).multiply_adds for key, arch in drawn(SMALL, NETWORKS).items()
        }
        self.random = np.random.default_rng(0)
        self.reference = list(self.work)[-1]
        self.pace = 1.0

    def __call__(self, key: str, call: Call, threads: int) -> float:
        self.heard.append(key)
        if key in self.work:
            return self.pace * self.slope * (OVERHEAD + self.work[key] / 1e6)
        return self.pace * (OVERHEAD + (0.0 if key == CALL else json.loads(key)[-1] / 1e6))


class Uneven(Clock):
    """Every few times it is another machine, as where others work too."""

    def __call__(self, key: str, call: Call, threads: int) -> float:
        if len(self.heard) % 7 == 0:
            self.pace = float(self.random.choice([1.0, 2.2]))
        return super().__call__(key, call, threads)


def test_a_table_is_what_the_clock_says(tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    found = measure(REQUEST, out, Callback(), Clock())
    assert json.loads(json.dumps(found)) == json.loads(out.read_text())
    assert found["call"]["milliseconds"] == pytest.approx(OVERHEAD)
    assert all(row["milliseconds"] == pytest.approx(row["multiply_adds"] / 1e6) for row in found["units"])
    assert found["sum"]["median_relative_error"] == pytest.approx(0, abs=1e-9)
    assert found["correction"]["slope"] == pytest.approx(1)
    assert len(found["networks"]) == NETWORKS
    assert found["environment"]["settings"].keys() >= {"OMP_WAIT_POLICY", "OMP_NUM_THREADS"}
    assert found["of"]["versions"].keys() == {"torch"}
    assert list(tmp_path.iterdir()) == [out]


def test_a_bias_is_corrected_and_said_and_costs_go_by_it(tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    found = measure(REQUEST, out, Callback(), Clock(slope=1.25))
    assert found["sum"]["median_relative_error"] == pytest.approx(0.2)
    assert found["correction"] == {"kind": "slope", "constant": 0.0, "slope": pytest.approx(1.25)}
    assert found["corrected"] == {"median_relative_error": pytest.approx(0), "spearman": pytest.approx(1)}
    assert "corrected by a slope of 1.250, each network by all others: off by 0.0% (median)" in text(found, "FILE")
    space = SMALL.space
    known = costs(space, SMALL.size, SMALL.image, SMALL.classes, latency=open_table(str(out)))
    for row in found["networks"]:
        arch = deployed(SMALL.layout, space.parse(row["arch"]))
        assert known.of(arch).milliseconds == pytest.approx(row["predicted"])
        assert row["predicted"] == pytest.approx(row["milliseconds"])


def test_an_uneven_machine_changes_little_since_times_are_taken_beside_a_reference(tmp_path: Path) -> None:
    clock = Uneven()
    found = measure(REQUEST, tmp_path / "table.json", Callback(), clock)
    assert clock.heard[0] == clock.heard[2] == clock.reference
    plain = measure(REQUEST, tmp_path / "other.json", Callback(), Clock())
    pace = found["call"]["milliseconds"] / OVERHEAD
    ours, theirs = ([row["milliseconds"] for row in table["networks"]] for table in (found, plain))
    np.testing.assert_allclose(ours, pace * np.array(theirs), rtol=0.05)


class StopsAfter(Callback):
    def __init__(self, count: int) -> None:
        self.left, self.stop = count, Stop()

    def see(self, progress: object) -> None:
        self.left -= 1
        self.stop.requested = self.left <= 0


def test_an_interrupted_measurement_goes_on_and_loses_nothing(tmp_path: Path) -> None:
    out, part = tmp_path / "table.json", tmp_path / "table.json.part"
    with pytest.raises(Interrupted, match=r"the same command goes on from .*table\.json\.part"):
        measure(REQUEST, out, StopsAfter(50), Clock())
    before = json.loads(part.read_text())["repeats"]
    assert sum(map(len, before.values())) == 50
    assert not out.exists()
    with pytest.raises(UserError, match="is a measurement that was interrupted"):
        open_table(str(part))
    clock = Clock(slope=3)  # so that what is measured now is seen to be
    with pytest.raises(Interrupted):
        measure(REQUEST, out, StopsAfter(10), clock)
    after = json.loads(part.read_text())["repeats"]
    assert all(after[key][: len(times)] == times for key, times in before.items())
    assert sum(map(len, after.values())) == 60
    found = measure(REQUEST, out, Callback(), Clock())
    assert not part.exists()
    assert len(found["networks"]) == NETWORKS


def test_nothing_is_overwritten_and_no_measurement_is_mixed_with_another(tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    with pytest.raises(Interrupted):
        measure(REQUEST, out, StopsAfter(3), Clock())
    with pytest.raises(UserError, match=r"table\.json\.part: is of another measurement .* remove it"):
        measure(MeasureRequest(SMALL, batch=2), out, Callback(), Clock())
    out.write_text("mine")
    with pytest.raises(UserError, match=r"table\.json: is there already and nothing is overwritten"):
        measure(REQUEST, out, Callback(), Clock())
    assert out.read_text() == "mine"
    with pytest.raises(UserError, match="cannot be saved, there is no folder"):
        measure(REQUEST, tmp_path / "absent" / "table.json", Callback(), Clock())


def test_every_thing_is_timed_once_in_a_round_and_warmed_up_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = list[int]()
    monkeypatch.setitem(
        RUNTIMES, "torch", lambda cases, threads: [lambda n=n: called.append(n) for n in range(len(cases))]
    )
    clock = Clock()
    found = measure(REQUEST, tmp_path / "table.json", Callback(), clock)
    count = 1 + len(found["units"]) + NETWORKS
    assert sorted(called) == sorted(module.WARM_UP * list(range(count)))
    others = [key for key in clock.heard if key != clock.reference]
    assert len(others) == ROUNDS * (count - 1)


def test_the_clock_calls_again_and_again() -> None:
    called = []
    assert timed("key", lambda: called.append(1), 1) > 0
    assert len(called) > 10


def test_the_command_tells_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:  # noqa: ANN401
    def clock(key: str, call: Call, threads: int) -> float:
        return 1.0 + len(key) / 1000

    monkeypatch.setattr(module.measure, "__defaults__", (clock,))
    size = [
        "--set",
        "ops=[none, skip_connect, nor_conv_1x1]",
        "--set",
        "channels=2",
        "--set",
        "cells=1",
        "--set",
        "classes=2",
        "--resolution",
        "8",
        "--threads",
        "2",
    ]
    words = ["measure", "nasbench201", *size, "--batch", "3", "--device", "cpu", "--out", str(tmp_path / "table.json")]
    assert run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "table.json").read_text())
    of = told["of"]
    assert (of["threads"], of["batch"], of["resolution"], of["classes"]) == (2, 3, 8, 2)
    assert of["size"] == {"channels": 2, "cells": 1}
    assert run(words) == 2
    assert "is there already" in capsys.readouterr().err
    (tmp_path / "table.json").unlink()
    assert run(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "8 blocks of nasbench201 on" in lines[0]
    assert lines[2].startswith("6 random networks: ")
    assert any(line.startswith("Warning: the aim is 10% at most and 0.95 at least") for line in lines)
    assert lines[-1].startswith("next: cleave cost ")
    assert run(split(lines[-1].removeprefix("next: cleave "))) == 0
    assert " ms on " in capsys.readouterr().out.splitlines()[-1]


def test_a_compiler_without_a_gpu_is_no_matter_for_the_terminal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """torch looks for CUDA's compiler when what times calls is loaded, and warns where there is no GPU for it."""
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    for name in [
        name for name in sys.modules if name.startswith(("torch.utils.benchmark", "torch.utils.cpp_extension"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    assert timed("a call", lambda: None, 1) > 0
    assert caplog.records == []
