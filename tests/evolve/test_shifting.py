"""`cleave evolve --shift`: the loop of judging, stepping and judging anew, and that it goes on from anywhere."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import cleave
from cleave.data.augment import Normalise
from cleave.engine.progress import Callback
from cleave.engine.stop import NEVER
from cleave.evolve import shifted
from cleave.evolve.bench import Bench
from cleave.evolve.evaluators import ByLoss
from cleave.evolve.part import Part
from cleave.evolve.question import EvolveQuestion
from cleave.evolve.runner import run_evolution
from cleave.evolve.samples import NONE
from cleave.evolve.shifting import Shifting
from cleave.rank.judge import batches_of
from cleave.run.generations import Record
from cleave.search.finished import open_finished, read_recipe
from tests.evolve.small import FEW, Interrupter, plain
from tests.rank.small import Capture
from tests.reference import shifting as slow
from tests.tiny import Ended

SHIFTED: dict[str, Any] = {**FEW, "by": "loss", "shift": 0.3, "shift_steps": 2}


@pytest.fixture(scope="module")
def whole(ragged: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What comes of it where nothing interrupts it."""
    return cleave.evolve(ragged, out=tmp_path_factory.mktemp("whole") / "e.json", **SHIFTED)


class Exactly(Normalise):
    """In float64."""

    def __call__(self, pixels: Tensor) -> Tensor:
        return super().__call__(pixels).double()


class Noted(Part):
    """Keeps the state after each generation, by how many there were."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, {})
        self.states: dict[int, dict[str, Any]] = {}

    def save_sometimes(self) -> None:
        if self.evolution is not None:
            self.states[len(self.evolution["sizes"])] = self.evolution


def bench_of(run: Path, part: Part) -> Bench:
    """In float64, of the first leaf."""
    opened = open_finished(run, read_recipe(run, {}), Callback())
    exact = Exactly(opened.problem.normalise.mean, opened.problem.normalise.std)
    opened = replace(opened, problem=replace(opened.problem, normalise=exact))
    question = EvolveQuestion(by="loss", threads=1, seed=int(torch.randint(1000, ())))
    bench = Bench(opened, opened.state.searched[0], question, part, Callback(), NEVER)
    bench.network.double()
    return bench


def test_it_judges_steps_and_judges_anew_as_the_slow_twin_does(ragged: Path, tmp_path: Path) -> None:
    part, rate, steps = Noted(tmp_path / "part"), 0.3, 2
    bench, plan = bench_of(ragged, part), replace(EvolveQuestion().plan(3), population=8)
    twin = bench_of(ragged, part).network
    evolution = run_evolution(bench, plan, "loss", ByLoss(bench, NONE), Shifting(bench, rate, steps))

    problem, parse, states = bench.problem, bench.space.parse, list(part.states.values())
    children = [list(state["scores"])[-state["sizes"][-1] :] for state in states]
    held = batches_of(problem, torch.randperm(len(problem.valid), generator=bench.chance.generator("images"))[:18])
    stream = problem.stream(problem.train, bench.chance, "shift")
    batches = [stream.batch(step) for step in range(3 * steps)]
    archs = [[parse(text) for text in each] for each in children]
    for state, members in zip(states, slow.generations(twin, archs, plan.kept, held, batches, rate), strict=True):
        assert [parse(text) for text in state["scores"]] == [arch for arch, _ in members]
        torch.testing.assert_close([-score for score in state["scores"].values()], [loss for _, loss in members])
        assert state["history"][-1] == max(state["scores"].values())
    assert evolution.best == min(members, key=lambda member: member[1])[0]
    for name, weight in twin.named_parameters():
        torch.testing.assert_close(bench.network.get_parameter(name), weight)
    assert len({text for each in children for text in each}) == sum(evolution.sizes) == 8 + 3 * 6


def test_a_rate_that_moves_no_weight_changes_nothing_but_what_is_spent(ragged: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in ragged.rglob("*") if file.is_file()}
    told = cleave.evolve(ragged, out=tmp_path / "a.json", **FEW)
    still = cleave.evolve(ragged, out=tmp_path / "b.json", shift=1e-40, **FEW)
    shift, spent, plainly = still.pop("shift"), still.pop("spent")["evolve"], told.pop("spent")["evolve"]
    assert still.pop("best")[0] == told.pop("best")[0], "others have no scores by the last weights"
    assert plain(still) == plain(told)
    assert (shift["rate"], shift["steps"], shift["shifts"]) == (1e-40, 1, 3)
    assert shift["unshifted"] == {key: told[key] for key in shift["unshifted"]}
    assert spent["weight_steps"] == 3 * 8
    assert spent["shift"] == 3 * 8 * 8
    assert spent["parents"] == 3 * 2 * told["images"]
    assert spent["check"] == plainly["check"]
    assert before == {file: file.read_bytes() for file in ragged.rglob("*") if file.is_file()}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_what_is_reported_is_measured_by_the_last_weights_and_by_those_of_the_search(
    ragged: Path, whole: dict[str, Any], tmp_path: Path
) -> None:
    opened = open_finished(ragged, read_recipe(ragged, {}), Callback())
    (leaf,) = (leaf for leaf in opened.state.searched if leaf.label == whole["leaf"])
    question = EvolveQuestion(by="loss", threads=1)
    bench = Bench(opened, leaf, question, Part(tmp_path / "part", {}), Callback(), NEVER)
    assert whole["shift"]["unshifted"] == bench.found(bench.space.parse(whole["arch"]))
    assert -whole["history"][-1] != bench.measured("loss", [bench.space.parse(whole["arch"])], "found", "found")[0]


def test_interrupted_anywhere_it_ends_in_the_same_outcome(ragged: Path, whole: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "e.json"
    with_weights = 0
    for moment in count(1):
        try:
            told = cleave.evolve(ragged, out=out, callbacks=[Interrupter(moment)], **SHIFTED)
            break
        except cleave.Interrupted:
            with_weights += (tmp_path / "e.json.part.weights").exists()
    assert with_weights >= 2
    assert plain(told) == plain(whole)
    assert [file.name for file in tmp_path.iterdir()] == ["e.json"]


def test_killed_when_only_the_weights_are_on_the_disk_it_ends_in_the_same_outcome(
    ragged: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, write, killed = tmp_path / "whole", shifted.write_record, list[Path]()
    folder.mkdir()

    def written(record: Path, what: Record) -> str:
        identity = write(record, what)
        killed.append(shutil.copytree(folder, tmp_path / f"killed{len(killed)}"))
        return identity

    with monkeypatch.context() as patch:
        patch.setattr(shifted, "write_record", written)
        patch.setattr("cleave.evolve.part.SECONDS", 0.0)
        cleave.evolve(ragged, out=folder / "e.json", **SHIFTED)
    assert len(killed) == whole["shift"]["shifts"] == 3
    assert sorted(path.name for path in (killed[2] / "e.json.part.weights").iterdir()) == ["2", "3"]
    for there in killed:
        assert plain(cleave.evolve(ragged, out=there / "e.json", **SHIFTED)) == plain(whole)
        assert [file.name for file in there.iterdir()] == ["e.json"]


def test_weights_that_were_altered_or_another_rate_are_refused(ragged: Path, tmp_path: Path) -> None:
    out, kept = tmp_path / "e.json", tmp_path / "e.json.part.weights"
    for moment in count(6):
        with pytest.raises(cleave.Interrupted):
            cleave.evolve(ragged, out=out, callbacks=[Interrupter(moment)], **SHIFTED)
        if kept.exists():
            break
    with pytest.raises(cleave.UserError, match=r"e\.json\.part: is of an evolution with --shift 0\.3; remove it"):
        cleave.evolve(ragged, out=out, **{**SHIFTED, "shift": 0.2})
    with pytest.raises(cleave.UserError, match=r"e\.json\.part: is of an evolution with --shift 0\.3; remove it"):
        cleave.evolve(ragged, out=out, **FEW, by="loss")
    (weights,) = kept.glob("*/weights.safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(cleave.UserError, match=r"weights\.safetensors: .*; remove .*e\.json\.part to begin anew"):
        cleave.evolve(ragged, out=out, **SHIFTED)


def test_a_rate_that_is_too_large_is_named_and_a_smaller_one_goes_on(
    ragged: Path, whole: dict[str, Any], tmp_path: Path, capsys: Capture
) -> None:
    flags = ["--population", "8", "--generations", "3", "--check", "5", "--threads", "1", "--by", "loss"]
    for rate in ("1e30", "9e37"):
        asked = ["evolve", str(ragged), "--out", str(tmp_path / "e.json"), *flags, "--shift", rate]
        assert Ended(asked, capsys).refuses(f"--shift={float(rate)}", "not finite", "give a smaller rate")
    known = json.loads((tmp_path / "e.json.part").read_text())["known"]
    told = cleave.evolve(ragged, out=tmp_path / "e.json", **SHIFTED)
    different = ("seconds", "file", "next", "spent")
    assert {key: told[key] for key in told if key not in different} == {
        key: whole[key] for key in whole if key not in different
    }
    assert told["spent"]["evolve"]["check"] == whole["spent"]["evolve"]["check"]
    assert known["loss"]
    assert [file.name for file in tmp_path.iterdir()] == ["e.json"]


def test_what_has_no_meaning_is_refused_in_one_line(ragged: Path, tmp_path: Path, capsys: Capture) -> None:
    asked: list[tuple[list[str], tuple[str, ...]]] = [
        (["--shift", "0"], ("--shift=0.0", "above 0")),
        (["--shift", "nan"], ("--shift=nan",)),
        (["--shift", "1e38"], ("--shift=1e+38", "below 1e+38")),
        (["--shift-steps", "2"], ("--shift-steps", "give --shift")),
        (["--shift", ".1", "--shift-steps", "0"], ("--shift-steps=0", "1 or more")),
        (["--shift", ".1", "--generations", "0"], ("--generations=0", "1 or more")),
        (["--shift", ".1", "--by", "ridge"], ("--shift", "ridge", "--by accuracy")),
        (["--shift", ".1", "--by", "predictor", "--fallback", "loss"], ("--shift", "predictor")),
    ]
    for flags, words in asked:
        assert Ended(["evolve", str(ragged), "--out", str(tmp_path / "e.json"), *flags], capsys).refuses(*words), flags
    assert list(tmp_path.iterdir()) == []


def test_the_command_tells_both_accuracies(ragged: Path, tmp_path: Path, capsys: Capture) -> None:
    flags = ["--population", "4", "--generations", "1", "--check", "5", "--shift", ".1"]
    ended = Ended(["evolve", str(ragged), "--out", str(tmp_path / "e.json"), *flags], capsys)
    told = json.loads((tmp_path / "e.json").read_text())
    assert ended.status == 0, ended.err
    assert "by shifted weights (rate 0.1, 1 x 1 steps); by those of the search" in ended.out
    for each in (told, told["shift"]["unshifted"]):
        assert f"accuracy {each['accuracy']:.2f} % of {each['images']} held-out images" in ended.out
        assert f"{each['checked_accuracy']:.2f} % [" in ended.out
