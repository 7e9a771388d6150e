"""`cleave evolve` from the command line to the file, in a space of ragged depths and in NAS-Bench-201."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import cleave
from cleave.data.chance import Chance
from cleave.engine.progress import Callback
from cleave.evolve.evaluators import EVALUATORS, Predicted, evaluator
from cleave.net import one_hot
from cleave.net.cost import costs
from cleave.rank.judge import batches_of
from cleave.search.finished import open_finished, read_recipe
from cleave.space import Limited, find_space
from tests.evolve.small import FEW, KINDS, SHARED, Interrupter, plain, searched
from tests.rank.small import Capture, answer
from tests.tiny import Ended

PREDICTED: dict[str, Any] = {**FEW, "by": "predictor", "fallback": "accuracy", "samples": 12}


@pytest.fixture(scope="module", params=KINDS)
def run(request: pytest.FixtureRequest, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searched(images, tmp_path_factory.mktemp(request.param) / "run", KINDS[request.param])


def half(run: Path) -> int:
    """A limit on multiply-adds that about half of the architectures keep."""
    opened = open_finished(run, read_recipe(run, {}), Callback())
    space = opened.problem.space
    return sum(opened.problem.costs().extremes(space.parts(space.region), "multiply_adds")) // 2


def test_what_is_found_is_in_its_leaf_within_limits_and_as_accurate_as_told(run: Path, tmp_path: Path) -> None:
    most = half(run)
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    told = cleave.evolve(run, max_macs=most, recalibrate=0, out=tmp_path / "e.json", **FEW)
    assert json.loads((tmp_path / "e.json").read_text()) == told
    assert [file.name for file in tmp_path.iterdir()] == ["e.json"]
    assert before == {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    opened = open_finished(run, read_recipe(run, {}), Callback())
    problem, space = opened.problem, opened.problem.space
    (leaf,) = (leaf for leaf in opened.state.searched if leaf.label == told["leaf"])
    arch, cost = space.parse(told["arch"]), problem.costs().of(space.parse(told["arch"]))
    assert arch in leaf.region
    assert (told["macs"], told["params"]) == (cost.multiply_adds, cost.parameters)
    assert told["limits"] == {"macs": {"most": most, "found": cost.multiply_adds}}
    assert cost.multiply_adds <= most
    assert told["history"] == sorted(told["history"])
    assert told["history"][-1] == told["accuracy"]
    assert told["judged"] <= 8 + 3 * 6
    (network,) = opened.networks(leaf, 1)
    places = torch.randperm(len(problem.valid), generator=Chance(0, f"evolve {leaf.label}").generator("images"))
    for key, some in (("accuracy", places[: told["images"]]), ("checked_accuracy", places[told["images"] :])):
        with torch.no_grad():
            hits = [
                int((network(pixels, one_hot(arch)).argmax(dim=1) == labels).sum())
                for pixels, labels in batches_of(problem, some)
            ]
        assert abs(100 * sum(hits) / len(some) - told[key]) <= 100 / len(some) + 1e-9  # rounding may turn an image
    assert told["interval"][0] <= told["checked_accuracy"] <= told["interval"][1]
    assert told["images"] + told["checked_images"] == len(problem.valid)


def test_all_that_went_through_networks_is_counted(run: Path, tmp_path: Path) -> None:
    told = cleave.evolve(run, out=tmp_path / "e.json", recalibrate=2, **PREDICTED)
    assert list(told["evaluators"]) == ["macs", "accuracy", "loss", "ridge", "predictor"]
    assert len(told["samples"]) == 12
    spent, measured = told["spent"]["evolve"], told["spent"]["evolve"]["calibration"] // 16
    assert told["judged_by"] == {"statistics": "mean", "batches": 2, "images": 16}
    assert spent["samples"] == 12 * told["images"]
    assert spent["check"] == 5 * (2 * told["images"] + told["checked_images"])
    images = sum(amount for purpose, amount in spent.items() if purpose != "calibration")
    assert measured * 16 == spent["calibration"]
    assert images == measured * told["images"] == measured * told["checked_images"]
    assert told["spent"]["search"] == json.loads((run / "result.json").read_text())["cost"]


def test_neither_threads_nor_a_loss_or_an_earlier_seed_change_what_is_measured(run: Path, tmp_path: Path) -> None:
    one, three = (
        cleave.evolve(run, out=tmp_path / f"{threads}.json", **{**FEW, "threads": threads}) for threads in (1, 3)
    )
    assert plain(one) == plain(three)
    loss = cleave.evolve(run, out=tmp_path / "loss.json", by="loss", **FEW)
    assert loss["evaluators"] == one["evaluators"]
    assert loss["history"] == sorted(loss["history"])
    assert loss["history"][-1] < 0
    few = {**FEW, "by": "loss", "generations": 1, "shift": 0.1}
    one, three = (
        cleave.evolve(run, out=tmp_path / f"shifted{threads}.json", **{**few, "threads": threads}) for threads in (1, 3)
    )
    assert plain(one) == plain(three)
    assert one["judged"] == loss["judged"] - 2 * 6
    other = cleave.evolve(run, out=tmp_path / "other.json", seed=7, **FEW)
    assert other["evaluators"] != one["evaluators"]


@pytest.mark.parametrize("asked", [FEW, PREDICTED], ids=["accuracy", "predictor"])
def test_it_goes_on_with_the_same_call_as_if_nothing_had_happened(
    ragged: Path, tmp_path: Path, asked: dict[str, Any]
) -> None:
    whole = cleave.evolve(ragged, out=tmp_path / "whole.json", **asked)
    for moment in (1, 2, 3):
        with pytest.raises(cleave.Interrupted, match=r"the same command goes on from .*e\.json\.part"):
            cleave.evolve(ragged, out=tmp_path / "e.json", callbacks=[Interrupter(moment)], **asked)
        assert not (tmp_path / "e.json").exists()
    told = cleave.evolve(ragged, out=tmp_path / "e.json", **asked)
    assert plain(told) == plain(whole)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["e.json", "whole.json"]


def test_a_predictor_that_is_worth_less_is_said_to_be_and_not_used(ragged: Path, tmp_path: Path) -> None:
    with as_evaluator("coin", Indifferent):
        asked = {**FEW, "by": "coin", "samples": 6, "out": tmp_path / "e.json"}
        with pytest.raises(cleave.UserError, match=r"^--by coin: its held-out tau is none, that of macs .*--fallback"):
            cleave.evolve(ragged, **asked)
        kept = json.loads((tmp_path / "e.json.part").read_text())["known"]["accuracy"]
        said: list[str] = []
        told = cleave.evolve(ragged, fallback="accuracy", callbacks=[Saying(said)], **asked)
    assert (told["by"], told["fallback"]["asked"]) == ("accuracy", "coin")
    assert any(line.startswith("--by coin: ") and line.endswith("accuracy is used instead") for line in said)
    assert kept.items() >= told["samples"].items()
    assert told["spent"]["evolve"]["samples"] == len(told["samples"]) * told["images"]  # once, although asked twice


class Saying(Callback):
    def __init__(self, said: list[str]) -> None:
        self.said = said

    def say(self, line: str) -> None:
        self.said.append(line)


class Indifferent(Predicted):
    """To whom all are equal."""

    @staticmethod
    def fit(features: torch.Tensor, accuracies: Sequence[float], seed: int) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda asked: torch.zeros(len(asked))


@contextmanager
def as_evaluator(name: str, kind: type[Predicted]) -> Iterator[None]:
    """Meanwhile there is another evaluator."""
    evaluator(name)(kind)
    try:
        yield
    finally:
        del EVALUATORS[name]


def test_samples_are_used_again_under_other_limits(ragged: Path, tmp_path: Path) -> None:
    first = cleave.evolve(ragged, out=tmp_path / "a.json", **PREDICTED)
    asked = {
        **FEW,
        "by": "predictor",
        "fallback": "accuracy",
        "predictor": tmp_path / "a.json",
        "out": tmp_path / "b.json",
        "max_macs": half(ragged),
    }
    again = cleave.evolve(ragged, **asked)
    assert again["samples"].items() <= first["samples"].items()
    assert "samples" not in again["spent"]["evolve"]


def test_the_command_answers_in_json_or_in_lines_and_names_one_that_trains_it(
    ragged: Path, tmp_path: Path, capsys: Capture
) -> None:
    few = ["--population", "6", "--generations", "1", "--check", "5", "--leaf", "0"]
    told = answer(["evolve", str(ragged), *few, "--json", "--out", str(tmp_path / "a.json")], capsys)
    assert told["leaf"] == "0"
    cost = answer(["cost", told["file"], "--json"], capsys)
    assert (cost["macs"], cost["params"]) == (told["macs"], told["params"])
    words = shlex.split(told["next"])[1:]
    tiny = ["training.epochs=1", "training.batch_size=8", "--out", str(tmp_path / "trained"), "--json"]
    assert answer([*words, *tiny], capsys)["arch"] == told["arch"]
    ended = Ended(["evolve", str(ragged), *few, "--out", str(tmp_path / "b.json")], capsys)
    assert ended.status == 0, ended.err
    lines = ended.out.splitlines()
    assert told["arch"] in lines
    assert all(len(line) <= 80 for line in lines if "depth=" not in line and str(tmp_path) not in line)


def test_what_cannot_be_asked_is_refused_in_one_line(ragged: Path, tmp_path: Path, capsys: Capture) -> None:
    out = str(tmp_path / "e.json")
    (tmp_path / "there.json").write_text("mine")
    asked: list[tuple[list[str], tuple[str, ...]]] = [
        (["--max-macs", "10"], ("limits.macs", "no architecture keeps to 10", "the least is")),
        (["--max-params", "many"], ("limits.params",)),
        (["--max-latency", "8ms"], ("latency", "cleave measure")),
        (["--latency", "t.json"], ("--latency", "--max-latency")),
        (["--leaf", "7"], ("--leaf", "unknown '7'", "known: 0, 1")),
        (["--by", "acuracy"], ("--by", "did you mean 'accuracy'")),
        (["--fallback", "luck"], ("--fallback", "unknown 'luck'")),
        (["--by", "loss", "--fallback", "accuracy"], ("--fallback", "no meaning with --by loss")),
        (["--samples", "30"], ("--samples", "no meaning with --by accuracy")),
        (["--by", "ridge", "--samples", "30", "--predictor", "a.json"], ("--samples", "--predictor")),
        (["--images", "36"], ("--images=36", "there are 36", "at most 35")),
        (["--population", "1"], ("--population=1",)),
        (["--mutation", "2"], ("--mutation=2", "from 0 to 1")),
        (["--forgetting", ".5"], ("--forgetting", "--recalibrate")),
        (["--out", str(tmp_path / "there.json")], ("there.json", "nothing is overwritten")),
        (["--predictor", str(tmp_path / "none.json"), "--by", "ridge"], ("none.json", "cannot be read")),
    ]
    for flags, words in asked:
        assert Ended(["evolve", str(ragged), "--out", out, *flags], capsys).refuses(*words), flags
    assert (tmp_path / "there.json").read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == ["there.json"]


def test_samples_of_another_leaf_run_or_space_are_refused(ragged: Path, tmp_path: Path, capsys: Capture) -> None:
    told = cleave.evolve(ragged, out=tmp_path / "a.json", leaf="0", **PREDICTED)
    arch = told["arch"]
    outside = arch.replace("kernel0=3", "kernel0=5") if "kernel0=3" in arch else arch.replace("kernel0=5", "kernel0=3")
    more = {f"{text} ": accuracy for text, accuracy in told["samples"].items()}
    for changes, words in (
        ({"of": {**told["of"], "space": "darts"}}, ("samples are of space 'darts'", "'raggedelastic'")),
        ({"of": {**told["of"], "leaf": "1"}}, ("samples are of leaf '1'",)),
        ({"of": {**told["of"], "run": "x"}}, ("samples are of run 'x'",)),
        ({"samples": {**told["samples"], outside: 5.0}}, (outside, "lies outside leaf 0")),
        ({"samples": {**more, "3x3_e6": 5.0}}, ("3x3_e6", "no architecture of raggedelastic")),
        ({"samples": {}}, ("holds 0 samples",)),
    ):
        file = tmp_path / "b.json"
        file.write_text(json.dumps({**told, **changes}))
        flags = ["--by", "ridge", "--leaf", "0", "--check", "5", "--predictor", str(file)]
        assert Ended(["evolve", str(ragged), "--out", str(tmp_path / "c.json"), *flags], capsys).refuses(*words)
        (tmp_path / "c.json.part").unlink(missing_ok=True)


def test_an_unfinished_evolution_of_other_things_is_not_gone_on_with(ragged: Path, tmp_path: Path) -> None:
    asked = {**FEW, "out": tmp_path / "e.json"}
    with pytest.raises(cleave.Interrupted):
        cleave.evolve(ragged, callbacks=[Interrupter(2)], **asked)
    with pytest.raises(cleave.UserError, match=r"e\.json\.part: is of another evolution"):
        cleave.evolve(ragged, **{**asked, "population": 9})
    (tmp_path / "e.json.part").write_text("{}")
    with pytest.raises(cleave.UserError, match=r"e\.json\.part: of: "):
        cleave.evolve(ragged, **asked)


def test_a_leaf_with_nothing_within_the_limits_and_a_run_without_weights_are_named(
    images: Path, tmp_path: Path, capsys: Capture
) -> None:
    changes = {**KINDS["nasbench201"], "split.splitter": "exhaustive", "split.choice": "1<-0", "split.splits": 1}
    run = searched(images, tmp_path / "leaves", changes)
    space = find_space(read_recipe(run, {}).space)
    known = costs(space, read_recipe(run, {}).space.size, (3, 8, 8), 2)
    least = min(known.of(arch).parameters for arch in space.every(space.region) if space.valid(arch))
    full = next(
        leaf["path"]
        for leaf in json.loads((run / "result.json").read_text())["leaves"]
        if not Limited(space, known, {"parameters": least}).holds_valid(region_of(run, leaf["path"]))
    )
    flags = ["--max-params", str(least), "--leaf", full]
    assert Ended(["evolve", str(run), *flags], capsys).refuses(f"leaf {full}", "within the limits")
    alone = {**SHARED, "method.name": "random", "method.samples": 1, "split.splitter": "none", "trust.control": 0}
    searched(images, tmp_path / "alone", alone)
    assert Ended(["evolve", str(tmp_path / "alone")], capsys).refuses("method.name=random", "keeps no weights")


def region_of(run: Path, label: str) -> cleave.Region:
    opened = open_finished(run, read_recipe(run, {}), Callback())
    return next(leaf.region for leaf in opened.state.searched if leaf.label == label)
