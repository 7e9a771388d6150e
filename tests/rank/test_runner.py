"""`cleave rank` from the command line to the file."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path
from shlex import split
from typing import Any

import pytest
from scipy.stats import kendalltau, spearmanr

from cleave.bench.table import EARLY_ACCURACIES, Table
from cleave.engine.progress import Callback
from cleave.net.cost import costs
from cleave.search.evaluator import LeafEvaluator
from cleave.search.finished import open_finished, read_recipe
from cleave.search.schedule import schedule
from cleave.search.trainer import NodeTrainer
from cleave.space.nb201 import NASBench201
from cleave.terminal import Terminal
from tests.fresh import fresh
from tests.rank.small import QUICK, SMALL, Capture, answer, column, ranking, rows, searched
from tests.tiny import Ended, write_images, write_table

BASELINES = ["random", "parameters", "flops"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(write_table(tmp_path_factory.mktemp("table") / "table.npz").name)


@pytest.fixture(scope="module")
def run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 64 architectures."""
    return searched(images, tmp_path_factory.mktemp("small") / "run", SMALL)


@pytest.fixture(scope="module")
def run_with_none(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 729 architectures, some of them not connected."""
    return searched(images, tmp_path_factory.mktemp("none") / "run", QUICK)


@pytest.fixture(scope="module")
def whole_run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of all 15,625 architectures."""
    return searched(images, tmp_path_factory.mktemp("whole") / "run", {**QUICK, "space.ops": "null"})


def ranked(run: Path, table: Path, tmp_path: Path, capsys: Capture, *flags: str) -> dict[str, Any]:
    """A ranking that is put beside the run, which other tests use too."""
    return answer(ranking(run, table, *flags, "--out", str(tmp_path / "ranking.csv")), capsys)


def contents(run: Path) -> dict[str, bytes]:
    return {str(file.relative_to(run)): file.read_bytes() for file in run.rglob("*") if file.is_file()}


def test_the_figures_are_scipys_on_the_written_file(run: Path, table: Path, tmp_path: Path, capsys: Capture) -> None:
    run = shutil.copytree(run, tmp_path / "run")
    before = contents(run)
    told = answer(ranking(run, table), capsys)
    assert list(told) == [
        "run", "file", "dataset", "truth", "architectures", "images", "judged_by", "as_searched", "averaged",
        "seconds", "guards", "rows", "next",
    ]  # fmt: skip
    assert (told["run"], told["file"], told["dataset"]) == (str(run), str(run / "ranking.csv"), "cifar10")
    assert told["truth"] == {"from": "table", "file": str(table)}
    assert (told["architectures"], told["images"], told["averaged"]) == (64, 17, 1)
    assert told["judged_by"] == {"statistics": "batch", "batches": 0, "images": 0}
    assert told["as_searched"]
    assert told["guards"] == []
    assert list(told["rows"]) == ["supernet", *BASELINES]
    best = max(rows(told["file"]), key=lambda row: float(row["accuracy"]))
    assert split(told["next"]) == ["cleave", "train", str(run), "--arch", best["arch"]]
    for name, row in told["rows"].items():
        predicted, true = (column(told["file"], key) for key in ("accuracy" if name == "supernet" else name, "true"))
        assert row["kendall"]["value"] == pytest.approx(kendalltau(predicted, true).statistic, abs=1e-12)
        assert row["spearman"]["value"] == pytest.approx(spearmanr(predicted, true).statistic, abs=1e-12)
        assert row["kendall"]["low"] < row["kendall"]["value"] < row["kendall"]["high"]
        assert row["precision"]["100"] is None
    after = contents(run)
    assert after.pop("ranking.csv")
    assert after == before


def test_each_child_is_evaluated_in_the_leaf_that_holds_it(
    run_with_none: Path, table: Path, tmp_path: Path, capsys: Capture
) -> None:
    """The trainer's own way of evaluating, with the leaf's weights put back, gives the same accuracy."""
    told = ranked(run_with_none, table, tmp_path, capsys, "--sample", "60", "--threads", "2")
    run = open_finished(run_with_none, read_recipe(run_with_none, {}), Callback())
    learners = {}
    for leaf in run.state.tree.leaves:
        learners[leaf.label] = NodeTrainer(run.problem, leaf, schedule(run.problem.recipe, len(leaf.path)))
        learners[leaf.label].restore(run.folder.leaf(leaf.label, run.state.kept[leaf.label]))
    for row in rows(told["file"]):
        arch = run.problem.space.parse(row["arch"])
        trainer = learners[row["leaf"]]
        assert arch in trainer.scope.region
        assert float(row["accuracy"]) == LeafEvaluator(trainer)(arch)


def test_the_file_holds_the_tables_test_accuracies_and_the_baselines(
    run: Path, tmp_path: Path, capsys: Capture
) -> None:
    random = fresh()
    plain = write_table(tmp_path / "plain.npz")
    early = {name: random.uniform(0, 100, len(plain)) for name in EARLY_ACCURACIES}
    table = Table(str(tmp_path / "table.npz"), plain.operations, {**plain.columns, **early})
    table.save(tmp_path / "table.npz")
    told = ranked(run, tmp_path / "table.npz", tmp_path, capsys, "--dataset", "ImageNet16-120")
    assert told["dataset"] == "imagenet16-120"
    assert list(told["rows"]) == ["supernet", *BASELINES, "epoch12"]
    cost = costs(NASBench201())
    for row in rows(told["file"]):
        index = table.index(row["arch"])
        assert float(row["true"]) == table.columns["imagenet16_test"][index]
        assert float(row["epoch12"]) == early["e12_imagenet16_test"][index]
        one = cost.of(NASBench201().parse(row["arch"]))
        assert (float(row["parameters"]), float(row["flops"])) == (one.parameters, one.multiply_adds)
    assert len({row["random"] for row in rows(told["file"])}) == 64


def test_a_sample_is_drawn_by_the_seed_without_replacement_and_judged_as_among_all(
    run: Path, table: Path, tmp_path: Path, capsys: Capture
) -> None:
    whole = rows(ranked(run, table, tmp_path, capsys)["file"])
    drawn = {}
    for name, seed in (("a", "4"), ("b", "4"), ("c", "5")):
        flags = ["--sample", "20", "--seed", seed, "--out", str(tmp_path / f"{name}.csv")]
        drawn[name] = rows(answer(ranking(run, table, *flags), capsys)["file"])
    assert drawn["a"] == drawn["b"]
    assert drawn["a"] != drawn["c"]
    for sample in drawn.values():
        assert len({row["arch"] for row in sample}) == 20
        keys = ("arch", "leaf", "accuracy", "true")
        known = {tuple(row[key] for key in keys) for row in whole}
        assert {tuple(row[key] for key in keys) for row in sample} <= known


def test_only_connected_architectures_are_ranked_where_that_is_asked_for(
    run_with_none: Path, table: Path, tmp_path: Path, capsys: Capture
) -> None:
    told = ranked(run_with_none, table, tmp_path, capsys, "--connected", "--images", "7")
    space = NASBench201(["none", "skip_connect", "nor_conv_1x1"])
    found = [space.parse(row["arch"]) for row in rows(told["file"])]
    assert all(space.valid(arch) for arch in found)
    assert 0 < told["architectures"] == len(found) < 729
    assert told["images"] == 7
    hits = column(told["file"], "accuracy") * 7 / 100
    assert hits == pytest.approx(hits.round())


@pytest.mark.parametrize("length", [{"search.epochs": 3}, {"search.epochs": 4, "search.cycles": 2}])
def test_snapshots_are_averaged_and_children_recalibrated(
    length: dict[str, int], images: Path, table: Path, tmp_path: Path, capsys: Capture
) -> None:
    """The one before the last is that of the second epoch, as it precedes the last or ends a cycle."""
    changes = {**SMALL, **length, "search.snapshots": 2}
    path = searched(images, tmp_path / "run", changes)
    last, mean, tuned = (
        answer(ranking(path, table, *flags, "--out", str(tmp_path / f"{number}.csv")), capsys)
        for number, flags in enumerate(([], ["--average", "2"], ["--recalibrate", "2"]))
    )
    assert (mean["averaged"], tuned["judged_by"]["batches"]) == (2, 2)
    run = open_finished(path, read_recipe(path, {}), Callback())
    leaf = run.state.tree.leaves[0]
    trainer = NodeTrainer(run.problem, leaf, schedule(run.problem.recipe, len(leaf.path)))
    trainer.restore(run.folder.leaf(f"{leaf.label}@2", run.state.kept[f"{leaf.label}@2"]))
    pairs = zip(rows(last["file"]), rows(mean["file"]), strict=True)
    for one, both in pairs:
        if one["leaf"] == leaf.label:
            before = LeafEvaluator(trainer)(run.problem.space.parse(one["arch"]))
            assert float(both["accuracy"]) == pytest.approx((before + float(one["accuracy"])) / 2)
    assert rows(tuned["file"]) != rows(last["file"])


def test_predictions_of_others_stand_in_the_same_table(run: Path, table: Path, tmp_path: Path, capsys: Capture) -> None:
    first = ranked(run, table, tmp_path, capsys)
    copies = [f"{row['arch']},{row['accuracy']},{row['true']}" for row in rows(first["file"])]
    (tmp_path / "others.csv").write_text("\n".join(["arch,same,oracle", *reversed(copies)]))
    flags = ["--predictions", str(tmp_path / "others.csv"), "--out", str(tmp_path / "again.csv")]
    told = answer(ranking(run, table, *flags), capsys)["rows"]
    assert list(told) == ["supernet", "same", "oracle", *BASELINES]
    assert told["same"] == told["supernet"] == first["rows"]["supernet"]
    assert told["oracle"]["kendall"]["value"] == pytest.approx(1)
    assert told["oracle"]["regret"] == {"1": 0, "10": 0, "100": None}


def test_a_recipe_is_searched_and_then_ranked(
    run: Path, table: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told, again = answer(ranking(run / "recipe.yaml", table), capsys), ranked(run, table, tmp_path, capsys)
    assert (tmp_path / told["run"] / "result.json").exists()
    assert Path(told["run"]).parent == Path("runs")
    assert told["rows"] == again["rows"]


def test_people_get_a_table_and_the_published_figures_where_they_apply(
    whole_run: Path, table: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    arguments = ranking(whole_run, table, "--sample", "30", "--device", "auto", "--out", str(tmp_path / "ranking.csv"))
    arguments.remove("--json")
    ended = Ended(arguments, capsys)
    assert ended.status == 0
    assert "100%  leaf" in ended.err
    assert re.search(r"published one-shot +\.484", ended.out)
    for words in ("supernet", "30 architectures, cifar10", str(tmp_path / "ranking.csv")):
        assert words in ended.out


def test_an_interrupted_ranking_writes_nothing(
    run: Path, table: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C when the first are judged."""
    before = contents(run)
    monkeypatch.setattr(Terminal, "see", lambda terminal, progress: signal.raise_signal(signal.SIGINT))
    ended = Ended(ranking(run, table), capsys)
    assert (ended.status, ended.out) == (130, "")
    assert ended.err.splitlines()[-1] == "cleave: interrupted; no ranking was written"
    assert contents(run) == before


def test_help_fits_eighty_columns(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = Ended(["rank", "--help"], capsys)
    assert max(map(len, ended.out.splitlines())) <= 80
    assert all(flag in ended.out for flag in ("--sample", "--recalibrate", "--average", "--predictions", "--threads"))
