"""Rankings without a table: against a file of accuracies, or architectures that are trained alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cleave
from cleave.engine.progress import Callback, Progress
from cleave.errors import UserError
from cleave.net.cost import cost_alone
from cleave.rank.question import RankQuestion
from cleave.rank.truth import drawn
from cleave.retrain.trainer import RetrainTrainer
from cleave.search.finished import open_finished, read_recipe
from cleave.search.retraining import short_training
from cleave.search.scope import Standalone
from cleave.space import find_space
from tests.elastic import RaggedElastic
from tests.rank.small import SMALL, Capture, answer, column, ranking, rows, searched
from tests.tiny import Ended, write_images, write_table

MOST = 330_000
"""Multiply-adds that about a third of the architectures keep."""
ELASTIC: dict[str, Any] = {
    "space.kernels": [3, 5],
    "space.expansions": [3, 4],
    "space.depths": [1, 2],
    "method.name": "sandwich",
    "method.samples": 3,
    "split.splitter": "none",
    "split.splits": 0,
    "data.image_size": 8,
    "limits.macs": MOST,
    "search.epochs": 1,
    "search.batch_size": 16,
    "trust.control": 0,
    "trust.panel": 0,
    "threads": 1,
}
ASKED: dict[str, Any] = {"sample": 3, "alone": 2, "seed": 5, "threads": 1}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"), each=110)


@pytest.fixture(scope="module")
def run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("elastic") / "run"
    return cleave.search(space="mobilenet-ofa", data=str(images), out=out, settings=ELASTIC).run


@pytest.fixture(scope="module")
def whole(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A ranking that nothing interrupted."""
    return cleave.rank(run, out=tmp_path_factory.mktemp("whole") / "a.csv", **ASKED)


def test_each_architecture_is_trained_on_the_runs_images_and_judged_on_those_held_out(
    run: Path, whole: dict[str, Any]
) -> None:
    problem = open_finished(run, read_recipe(run, {}), Callback()).problem
    assert whole["truth"] == {"from": "alone", "epochs": 2, "images": len(problem.valid)}
    assert list(whole["rows"]) == ["supernet", "random", "parameters", "flops"]
    for row in rows(whole["file"]):
        arch = problem.space.parse(row["arch"])
        task = replace(short_training(problem, Standalone(f"alone {row['arch']}", arch), 2), seed=5)
        assert task.train is problem.train
        trainer = RetrainTrainer(task)
        for _ in range(trainer.steps):
            trainer.advance()
        assert float(row["true"]) == trainer.judge(problem.valid).overall
        cost = cost_alone(problem.layout, arch, problem.image, problem.classes)
        assert (float(row["parameters"]), float(row["flops"])) == (cost.parameters, cost.multiply_adds)
        assert cost.multiply_adds <= MOST


@pytest.mark.parametrize(
    ("how", "moments", "goes_on_at"),
    [(cleave.Interrupted, (1, 4), (2, 6)), (KeyboardInterrupt, (6,), (5,))],
    ids=["asked to stop", "in the middle of a step"],
)
def test_interrupted_it_goes_on_and_writes_the_same_bytes(
    run: Path,
    whole: dict[str, Any],
    tmp_path: Path,
    how: type[BaseException],
    moments: tuple[int, ...],
    goes_on_at: tuple[int, ...],
) -> None:
    """At the next step where it was asked, else behind what was finished; there are four steps to each training."""
    for moment, step in zip((*moments, 0), (1, *goes_on_at), strict=True):
        raiser = Raiser(moment, how)
        asked = {**ASKED, "out": tmp_path / "a.csv", "callbacks": [raiser]}
        if moment:
            with pytest.raises(cleave.Interrupted, match=r"with the same flags goes on from .*a\.csv\.part"):
                cleave.rank(run, **asked)
            assert not (tmp_path / "a.csv").exists()
        else:
            cleave.rank(run, **asked)
        assert raiser.seen[0].done == step
    assert (tmp_path / "a.csv").read_bytes() == Path(whole["file"]).read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


class Raiser(Callback):
    """Raises at a moment; keeps what it saw."""

    def __init__(self, moment: int, kind: type[BaseException]) -> None:
        self.moment, self.kind, self.seen = moment, kind, list[Progress]()

    def see(self, progress: Progress) -> None:
        self.seen.append(progress)
        if len(self.seen) == self.moment:
            raise self.kind


def test_what_was_trained_is_kept_where_judging_is_interrupted(
    run: Path, whole: dict[str, Any], tmp_path: Path
) -> None:
    """There are four steps to each of three trainings."""
    with pytest.raises(cleave.Interrupted, match="no ranking was written"):
        cleave.rank(run, out=tmp_path / "a.csv", callbacks=[Raiser(13, KeyboardInterrupt)], **ASKED)
    again = Raiser(0, KeyboardInterrupt)
    cleave.rank(run, out=tmp_path / "a.csv", callbacks=[again], **ASKED)
    assert {progress.doing for progress in again.seen} == {"rank"}
    assert (tmp_path / "a.csv").read_bytes() == Path(whole["file"]).read_bytes()


def test_what_is_kept_is_not_taken_for_another_ranking(run: Path, tmp_path: Path) -> None:
    with pytest.raises(cleave.Interrupted, match="interrupted and saved"):
        cleave.rank(run, out=tmp_path / "a.csv", callbacks=[Raiser(2, cleave.Interrupted)], **ASKED)
    for other in ({"alone": 3}, {"sample": 4}, {"seed": 6}):
        with pytest.raises(UserError, match=r"a\.csv\.part: is of another ranking, unfinished; remove it or give"):
            cleave.rank(run, out=tmp_path / "a.csv", **{**ASKED, **other})
    assert (tmp_path / "a.csv.part").exists()


def test_the_file_of_a_ranking_is_the_truth_of_another(
    run: Path, whole: dict[str, Any], tmp_path: Path, capsys: Capture
) -> None:
    words = ["rank", str(run), "--seed", "5", "--threads", "1", "--json", "--truth", whole["file"]]
    told = answer([*words, "--out", str(tmp_path / "a.csv")], capsys)
    assert told["truth"] == {"from": "file", "file": whole["file"], "column": "true"}
    assert told["rows"] == whole["rows"]
    assert (tmp_path / "a.csv").read_bytes() == Path(whole["file"]).read_bytes()
    own = tmp_path / "own.csv"
    own.write_text("accuracy,arch\n" + "".join(f"{row['true']},{row['arch']}\n" for row in rows(whole["file"])))
    some = cleave.rank(run, truth=own, sample=2, threads=1, predictions=[own], out=tmp_path / "b.csv")
    assert some["architectures"] == 2
    assert list(some["rows"]) == ["supernet", "accuracy", "random", "parameters", "flops"]
    known = {(row["arch"], row["true"]) for row in rows(whole["file"])}
    assert {(row["arch"], row["true"]) for row in rows(str(tmp_path / "b.csv"))} < known


def test_a_sample_of_a_space_too_large_to_list_is_drawn_by_the_seed(run: Path) -> None:
    space = find_space("mobilenet-ofa")
    samples = [drawn(space, RankQuestion(sample=40, seed=seed)) for seed in (1, 1, 2)]
    assert samples[0] == samples[1] != samples[2]
    for archs in samples:
        assert len({space.format(arch) for arch in archs}) == 40
        assert all(arch in space.region and space.trimmed(arch) == arch for arch in archs)


def test_a_space_may_have_fewer_than_are_asked_for() -> None:
    assert len(drawn(RaggedElastic(), RankQuestion(sample=84))) == 84
    with pytest.raises(UserError, match=r"^--sample 85: only 84 valid architectures were found; give at most that$"):
        drawn(RaggedElastic(), RankQuestion(sample=85))


def test_where_there_is_a_table_the_same_sample_may_be_trained_alone_too(
    images: Path, tmp_path: Path, capsys: Capture
) -> None:
    path, table = searched(images, tmp_path / "run", SMALL), Path(write_table(tmp_path / "table.npz").name)
    flags = ["--sample", "3", "--threads", "1"]
    by_table = answer(ranking(path, table, *flags, "--connected"), capsys)
    alone = ["rank", str(path), *flags, "--alone", "1", "--json", "--out", str(tmp_path / "a.csv")]
    trained = answer(alone, capsys)
    assert trained["truth"]["from"] == "alone"
    assert list(trained["rows"]) == ["supernet", "random", "parameters", "flops"]
    for key in ("arch", "accuracy", "random"):
        assert [row[key] for row in rows(trained["file"])] == [row[key] for row in rows(by_table["file"])]
    assert np.all(column(trained["file"], "parameters") < column(by_table["file"], "parameters"))  # at 2 channels


GOOD = "k3_e3 | k3_e3 | k3_e3 | k3_e3 | k3_e3"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["arch,score", f"{GOOD},1"], ["no column true or accuracy"]),
        (["name,true", f"{GOOD},1"], ["no column arch"]),
        (["arch,true", f"{GOOD},1"], ["1 architectures to rank", "2 or more"]),
        (["arch,true", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,1"], ["line 2", "no architecture of"]),
        (["arch,true", f"{GOOD.replace('k3', 'k7')},1"], ["line 2", "k7_e3", "no architecture of mobilenet-ofa"]),
        (["arch,true", f"{GOOD},1", f"{GOOD.replace('k3', 'k5')},nan"], ["line 3", "true is 'nan'"]),
        (["arch,true", f"{GOOD},1", f"{GOOD.replace(' | ', '|')},2"], ["more than once", "line 2", "line 3"]),
        (["arch,true", f"{GOOD},1", f"{GOOD.replace('k3', 'k5')},2"], ["--sample 3: there are 2 architectures in"]),
    ],
)
def test_a_truth_that_is_none_is_refused_in_one_line(
    run: Path, tmp_path: Path, capsys: Capture, lines: list[str], words: list[str]
) -> None:
    file = tmp_path / "truth.csv"
    file.write_text("\n".join(lines))
    sample = ["--sample", "3"] if words[0].startswith("--sample 3") else []
    assert Ended(["rank", str(run), "--truth", str(file), *sample, "--json"], capsys).refuses(str(file), *words)
    assert not (run / "ranking.csv").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["space.name=mobilenet-ofa: has no table", "--truth FILE.csv", "--alone EPOCHS"]),
        (["--truth", "t.csv", "--alone", "2", "--sample", "2"], ["--truth, --alone", "give one of them"]),
        (["--alone", "2"], ["--alone", "give --sample N too"]),
        (["--alone", "2", "--sample", "2", "--benchmark", "b.npz"], ["--alone, --benchmark", "give one of them"]),
        (["--truth", "t.csv", "--dataset", "cifar10"], ["--truth, --dataset", "give one of them"]),
        (["--truth", "absent.csv"], ["absent.csv", "no such file"]),
    ],
)
def test_a_truth_is_asked_for_in_one_way(run: Path, capsys: Capture, flags: list[str], words: list[str]) -> None:
    assert Ended(["rank", str(run), "--json", *flags], capsys).refuses(*words)


def test_epochs_are_one_or_more() -> None:
    with pytest.raises(UserError, match=r"^--alone=0: is a number of epochs; give 1 or more$"):
        RankQuestion(alone=0, sample=2)
