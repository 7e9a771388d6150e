"""The published experiments: their recipes are valid, their tables right, and every one runs at its tiny budget."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import sqrt
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from scipy.stats import ttest_1samp

from cleave.engine.progress import Callback, Progress
from cleave.engine.stop import SignalStop
from cleave.errors import Interrupted, UserError
from cleave.reproduce.budgets import SIZES
from cleave.reproduce.catalogue import EXPERIMENTS, find_experiment, listing
from cleave.reproduce.experiment import BUDGETS, ExperimentRow, Published
from cleave.reproduce.grid import Finding, chosen_rows, slug
from cleave.reproduce.measures import BEST_LEAF, CHOSEN, MEAN_LEAF
from cleave.reproduce.runner import ReproduceRequest, claim, make_grid, plan_experiment, reproduce
from cleave.reproduce.stored import EVERY as EVERY_RESULT
from cleave.reproduce.table import compared, comparisons, lines, markdown
from cleave.resolve import resolve
from cleave.space import find_space
from cleave.stats.intervals import student
from tests.tiny import HERE, Ended, write_table

EVERY = sorted(EXPERIMENTS)
SOME_ROWS = {"table6": ("l2",), "table2": (), "cuts": ("RSPS, cosines, 2 batches",)}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.npz"
    write_table(path)
    return path


def looking_up(name: str, table: Path) -> dict[str, Any]:
    """The flags of an experiment that may look something up."""
    return {} if name in OTHER_SPACES else {"benchmark": str(table)}


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", EVERY)
def test_every_recipe_is_valid_and_says_nothing_without_meaning(name: str, budget: str, table: Path) -> None:
    grid = make_grid(ReproduceRequest(name, budget, flags=looking_up(name, table)))
    assert len({slug(row.name) for row in grid.rows}) == len(grid.rows)
    for row in grid.rows:
        recipe = grid.recipe(row, grid.seeds[0])
        resolved, notes = resolve(recipe, find_space(recipe.space))
        assert notes == []
        assert resolved.data.name == ("bundled" if budget == "tiny" else row.dataset)


def test_no_budget_of_the_paper_leaves_images_out() -> None:
    """Null says so in a recipe."""
    for name in EXPERIMENTS:
        grid = make_grid(ReproduceRequest(name, "paper"))
        assert {grid.recipe(row, 0).data.limit for row in grid.rows} == {None}


@pytest.mark.parametrize("name", EVERY)
def test_every_experiment_runs_whole_at_its_tiny_budget(name: str, table: Path, tmp_path: Path) -> None:
    report = reproduce(ReproduceRequest(name, "tiny", flags=looking_up(name, table), out=tmp_path / "out"), Callback())
    saved = json.loads((tmp_path / "out" / "table.json").read_text())
    assert saved == {key: value for key, value in json.loads(json.dumps(report)).items() if key != "folder"}
    page = (tmp_path / "out" / "table.md").read_text()
    rows = EXPERIMENTS[name].rows(EXPERIMENTS[name].sizes["tiny"])
    assert {line["row"] for line in report["lines"]} == {row.name for row in rows}
    for line in report["lines"]:
        assert f"| {line['row']} | {line['measure']} |" in page
    for row in rows:
        shown = {line["measure"] for line in report["lines"] if line["row"] == row.name}
        assert set(row.published) <= shown
    assert report["environment"]["torch"] in page
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_finished_experiment_is_told_again_without_running(table: Path, tmp_path: Path) -> None:
    request = ReproduceRequest("table6", "tiny", only=("l2",), flags={"benchmark": str(table)}, out=tmp_path / "out")
    first = reproduce(request, Callback())
    weights = sorted((tmp_path / "out" / "runs").rglob("*.safetensors"))
    times = [file.stat().st_mtime_ns for file in weights]
    assert reproduce(request, Callback()) == first
    assert [file.stat().st_mtime_ns for file in weights] == times


def test_an_interrupted_experiment_goes_on_from_there(table: Path, tmp_path: Path) -> None:
    def request(folder: str) -> ReproduceRequest:
        return ReproduceRequest("table6", "tiny", only=("l2",), flags={"benchmark": str(table)}, out=tmp_path / folder)

    class Stopper(Callback):
        stop = SignalStop()

        def see(self, moment: Progress) -> None:
            if moment.done > 3:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="the same command goes on"):
        reproduce(request("stopped"), Stopper())
    assert not (tmp_path / "stopped" / "table.json").exists()
    stopped, whole = reproduce(request("stopped"), Callback()), reproduce(request("whole"), Callback())
    assert [line["ours"] for line in stopped["lines"]] == [line["ours"] for line in whole["lines"]]


def test_commands_that_begin_at_once_fill_one_folder(tmp_path: Path) -> None:
    """Each with rows or seeds of its own; none finds what another one is just writing."""
    grid = make_grid(ReproduceRequest("table6", "tiny"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [claim(tmp_path / "out", grid) for _ in range(10)], range(8)))
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"experiment.json", "lock"}
    with pytest.raises(UserError, match="holds another experiment"):
        claim(tmp_path / "out", make_grid(ReproduceRequest("table1", "tiny")))


@pytest.mark.parametrize("name", ["table6", "table2"])
def test_runs_of_another_recipe_are_not_taken_for_its_own(name: str, table: Path, tmp_path: Path) -> None:
    request = ReproduceRequest(
        name, "tiny", only=SOME_ROWS[name], flags={"benchmark": str(table)}, out=tmp_path / "out"
    )
    reproduce(request, Callback())
    (file,) = (tmp_path / "out" / "runs").rglob("recipe.yaml")
    written = file.read_text()
    file.write_text(written.replace("channels: 2", "channels: 3"))
    with pytest.raises(UserError, match=r"space\.channels is 3, but 2 in .*checkpoints"):
        reproduce(request, Callback())
    file.write_text(written)
    file.parent.rename(file.parent.with_name(file.parent.name.replace("seed0", "seed1")))
    with pytest.raises(UserError, match="was run by another recipe"):
        reproduce(replace(request, seeds=(1,)), Callback())


def test_the_figures_of_an_accuracy_row_are_those_of_the_table(table: Path, tmp_path: Path) -> None:
    request = ReproduceRequest(
        "table6", "tiny", only=("filter",), flags={"benchmark": str(table)}, out=tmp_path / "out"
    )
    report = reproduce(request, Callback())
    (folder,) = (tmp_path / "out" / "runs").iterdir()
    result = json.loads((folder / "result.json").read_text())
    tests = [leaf["benchmark"]["cifar10"]["test"] for leaf in result["leaves"]]
    found = {line["measure"]: line["ours"]["mean"] for line in report["lines"]}
    assert found[BEST_LEAF] == max(tests)
    assert found[MEAN_LEAF] == pytest.approx(mean(tests))
    assert found[CHOSEN] == result["chosen"]["benchmark"]["cifar10"]["test"]


def finding(row: ExperimentRow, seed: int, value: float | None) -> Finding:
    return Finding(row, seed, {"accuracy": [value]}, seconds=2.0, environment={})


def test_a_line_has_mean_spread_difference_and_interval() -> None:
    row = ExperimentRow("a", "darts", published={"accuracy": Published(90.0, 1.0)})
    values = [91.0, 93.0, 98.0]
    (line,) = lines([row], [finding(row, seed, value) for seed, value in enumerate(values)])
    told = line.to_json()
    assert told["ours"] == {"mean": 94.0, "sd": pytest.approx(sqrt(26 / 3)), "n": 3, "values": values}
    assert told["difference"] == 4.0
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert told["interval"] == pytest.approx((expected.low, expected.high))


def test_what_is_undefined_is_left_out_and_counted() -> None:
    row = ExperimentRow("a", "darts")
    (line,) = lines([row], [finding(row, 0, None), finding(row, 1, 3.0)])
    told = line.to_json()
    assert told["ours"] == {"mean": 3.0, "sd": None, "n": 1, "values": [None, 3.0]}
    assert told["difference"] is None
    (none,) = lines([row], [finding(row, 0, None)])
    assert none.to_json()["ours"]["mean"] is None
    assert student([1.0]) is None


@pytest.mark.parametrize("value", [0.26, 0.0, 94.37])
def test_one_value_found_again_has_no_interval(value: float) -> None:
    found = [(value + step) - step for step in range(4)]
    assert student(found[:2]) is None
    assert student(found) is None
    assert student([value, value + 1e-6]) is not None
    pair = {"rows": ["a", "b"], "measure": "m", "difference": value, "interval": student(found), "n": 4, "of": 4}
    assert compared(pair) == f"- a against b (m): {value:+.2f}, n = 4."


def test_rows_are_compared_seed_by_seed() -> None:
    one, other = ExperimentRow("one", "darts"), ExperimentRow("other", "darts")
    values = {"one": [5.0, 7.0, None, 9.0], "other": [4.0, 3.0, 1.0, 9.0]}
    findings = [finding(row, seed, values[row.name][seed]) for row in (one, other) for seed in range(4)]
    table = list(lines([one, other], findings))
    (pair,) = comparisons((("one", "other"), ("one", "absent")), table)
    assert pair["n"] == 3
    assert pair["difference"] == pytest.approx((1 + 4 + 0) / 3)
    expected = ttest_1samp([1.0, 4.0, 0.0], 0).confidence_interval(0.95)
    assert pair["interval"] == pytest.approx((expected.low, expected.high))


def test_a_page_has_the_papers_figure_ours_and_the_difference() -> None:
    row = ExperimentRow("a row", "darts", published={"accuracy": Published(90.0, 1.0)})
    table = list(lines([row], [finding(row, 0, 91.5)]))
    report: dict[str, Any] = {
        "title": "T", "source": "S", "budget": "tiny", "seeds": [0], "unit": "%", "notes": ["n"], "environment": {},
        "lines": [line.to_json() for line in table], "comparisons": [],
    }  # fmt: skip
    assert "| a row | accuracy | 90.00 ± 1.00 | 91.50 | +1.50 | 1 | 2 |" in markdown(report)


def test_the_paper_budget_has_the_published_lengths() -> None:
    sizes = SIZES["paper"]
    assert sizes.total_epochs("darts") == 165
    assert sizes.total_epochs("rsps") == 260
    assert sizes.steps_per_epoch == 521
    assert sizes.recipe("darts")["method.architecture_learning_rate"] == pytest.approx(3e-4)


@pytest.mark.parametrize("budget", ["tiny", "small"])
def test_architecture_weights_can_move_as_far_as_in_the_paper(budget: str) -> None:
    sizes = SIZES[budget]
    steps = sizes.lengths["darts"].epochs * sizes.steps_per_epoch
    assert sizes.recipe("snas")["method.architecture_learning_rate"] * steps == pytest.approx(3e-4 * 30 * 521)
    assert "method.architecture_learning_rate" not in sizes.recipe("rsps")


def test_names_are_found_as_people_write_them() -> None:
    assert find_experiment("Table-1").name == "table1"
    with pytest.raises(UserError, match="did you mean 'table1'"):
        find_experiment("tabel1")
    assert [line.split()[0] for line in listing().splitlines()] == [*EXPERIMENTS, EVERY_RESULT]


def test_only_picks_rows_by_their_names() -> None:
    rows = [ExperimentRow("DARTS, random, cifar10", "darts"), ExperimentRow("RSPS, random, cifar100", "rsps")]
    assert chosen_rows(rows, ["darts"]) == rows[:1]
    assert chosen_rows(rows, ["cifar10"]) == rows[:1]
    assert chosen_rows(rows, []) == rows
    with pytest.raises(UserError, match="no row has that"):
        chosen_rows(rows, ["drnas"])


def test_a_plan_counts_runs_and_writes_nothing(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = plan_experiment(ReproduceRequest("table6", "tiny", seeds=(0, 1), flags={"benchmark": str(table)}))
    assert plan["runs"] == 6
    assert plan["seconds"] == pytest.approx(2 * sum(plan["rows"].values()))
    assert list(tmp_path.iterdir()) == []


NO_TABLE = {
    "appendixB1": "RSPS, 4 operations, 0",
    "appendixB3": "RSPS, 4 operations",
    "cuts": "RSPS, cosines, 2 batches",
    "table2": "similar",
}
OTHER_SPACES = {"table4", "table5-ofa", "table5-proxyless", "table8", "table9"}
"""There is no table of them."""


def test_the_experiments_that_look_nothing_up_are_known() -> None:
    assert {name for name, each in EXPERIMENTS.items() if not each.looks_up} == {*NO_TABLE, *OTHER_SPACES}


@pytest.mark.parametrize("name", NO_TABLE)
def test_what_looks_nothing_up_runs_without_a_table_and_finds_the_same(name: str, table: Path, tmp_path: Path) -> None:
    def figures(flags: dict[str, Any], folder: str) -> list[Any]:
        request = ReproduceRequest(name, "tiny", only=(NO_TABLE[name],), flags=flags, out=tmp_path / folder)
        return [line["ours"] for line in reproduce(request, Callback())["lines"]]

    assert figures({}, "without") == figures({"benchmark": str(table)}, "with")


@pytest.mark.parametrize("name", sorted(set(EXPERIMENTS) - {*NO_TABLE, *OTHER_SPACES}))
def test_what_looks_figures_up_says_so_before_anything_is_made(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reproduce", name, "--budget", "tiny", "--out", str(tmp_path / "out"), *HERE]
    assert Ended(words, capsys).refuses("no table", "cleave benchmark import", "--benchmark")
    assert not (tmp_path / "out").exists()


def test_a_plan_looks_nothing_up(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["reproduce", "table6", "--budget", "tiny", "--only", "l2", "--plan", "--json", *HERE]
    assert json.loads(Ended(words, capsys).out)["runs"] == 1


def test_mistakes_are_one_line_each(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["reproduce", "table6", "--benchmark", str(table), "--budget", "tiny", *HERE, "--json"]
    out = ["--out", str(tmp_path / "out")]
    assert Ended(["reproduce", "tabel6", "--json"], capsys).refuses("tabel6", "did you mean 'table6'")
    assert Ended(["reproduce", "table2", "--plan", *words[2:]], capsys).refuses("cannot be planned")
    assert Ended([*words, "--budget", "huge"], capsys).refuses("--budget huge", "tiny, small, paper")
    assert Ended([*words, "--seeds", "0,x"], capsys).refuses("--seeds 0,x")
    assert Ended([*words, "--seeds", "9" * 5000], capsys).refuses("--seeds 999", "whole numbers")
    assert Ended([*words, "--seeds", "0,1,00"], capsys).refuses("--seeds: 0 is there twice; give each once")
    assert Ended([*words, "--only", "zebra"], capsys).refuses("zebra")
    assert Ended([*words, "--only", "cos", "--only", "Cos"], capsys).refuses("--only: cos is there twice")
    assert Ended(["reproduce", "table6", "--json"], capsys).refuses("no table", "--benchmark")
    assert Ended([*words, "--only", "l2", *out], capsys).status == 0
    other = ["reproduce", "table1", *words[2:]]
    assert Ended([*other, *out], capsys).refuses("holds another experiment")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("ten years")
    assert Ended([*words, "--out", str(tmp_path / "full")], capsys).refuses("is not empty")
    assert Ended([*words, "--budget", "small", "--data-root", str(tmp_path / "no"), *out], capsys).refuses(
        "holds another"
    )


def test_the_command_lists_plans_and_prints(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert json.loads(Ended(["reproduce", "--json"], capsys).out) == {"experiments": list(EXPERIMENTS)}
    words = ["reproduce", "table6", "--budget", "tiny", "--benchmark", str(table), "--only", "l2", *HERE]
    assert "1 run, about" in Ended([*words, "--plan"], capsys).out
    printed = Ended([*words, "--out", str(tmp_path / "out")], capsys).out
    assert "92.52 ± 0.93" in printed
    assert all(len(line) <= 80 for line in printed.splitlines()[:-1])
