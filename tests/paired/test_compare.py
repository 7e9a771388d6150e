"""Runs compared seed by seed: groups, pairs, figures, and what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from scipy.stats import ttest_rel
from torch import Tensor

import cleave
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.pages.kinds import Asked
from cleave.paired import figures
from cleave.paired.compare import RunsQuestion, compare_runs
from cleave.paired.figures import HELD_OUT, TABLE, TAU, TEST, Figure, RunFigures
from cleave.paired.groups import by_name, by_recipe, short_names
from cleave.stats.intervals import student
from cleave.stats.paired import holm
from tests.fresh import fresh
from tests.report.parsed import check_page
from tests.tiny import Ended, write_images

Capture = pytest.CaptureFixture[str]
Runs = dict[str, list[cleave.SearchResult]]
METHODS = ("rsps", "random")
SETTINGS = {
    "data.image_size": 8, "space.channels": 2, "search.batch_size": 16, "search.epochs": 1, "method.samples": 2,
    "split.splitter": "none", "trust.control": 0, "trust.panel": 0,
}  # fmt: skip


def tensors(classes: int = 2) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % classes
    return torch.randint(256, (64, 3, 8, 8), generator=draw, dtype=torch.uint8), labels


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Three searches by each of two methods, in folders that do not say what they are."""
    base = tmp_path_factory.mktemp("runs")
    return {
        method: [
            cleave.search(
                method=method, data=tensors(), out=base / f"{method}-seed{seed}", settings=SETTINGS, seed=seed
            )
            for seed in range(3)
        ]
        for method in METHODS
    }


def all_of(runs: Runs) -> list[str]:
    return [str(run.run) for group in runs.values() for run in group]


def test_groups_are_compared_seed_by_seed(runs: Runs, capsys: Capture) -> None:
    ended = Ended(["compare", *all_of(runs), "--json"], capsys)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    rsps, drawn = ([run.accuracy for run in runs[method]] for method in METHODS)
    assert [group["name"] for group in found["groups"]] == ["method.name=rsps", "method.name=random"]
    assert [group["figures"][HELD_OUT]["values"] for group in found["groups"]] == [rsps, drawn]
    row = found["comparisons"][0]
    differences = [b - a for a, b in zip(rsps, drawn, strict=True)]
    assert row["groups"] == ["method.name=random", "method.name=rsps"]
    assert row["difference"] == pytest.approx(mean(differences))
    assert row["interval"] == (None if student(differences) is None else pytest.approx(student(differences)))
    assert (row["n"], row["seeds"]) == (3, [0, 1, 2])
    assert row["better"] == sum(each > 0 for each in differences)


def made(values: Mapping[str, Mapping[int, Mapping[str, float]]], **changes: Any) -> dict[Path, RunFigures]:  # noqa: ANN401
    """Runs with these figures, by group and seed."""
    return {
        Path(f"{group}-seed{seed}"): RunFigures(
            Path(f"{group}-seed{seed}"),
            "search",
            {"seed": seed, "method": {"name": group}, **changes},
            "same",
            {measure: Figure(value) for measure, value in told.items()},
        )
        for group, seeds in values.items()
        for seed, told in seeds.items()
    }


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """`compare_runs` of runs that were made up."""

    def compared(known: dict[Path, RunFigures], **asked: Any) -> dict[str, Any]:  # noqa: ANN401
        monkeypatch.setattr("cleave.paired.compare.figures_of", lambda path, asked: known[path])
        return compare_runs(RunsQuestion(list(known), **asked), Asked(Callback()))

    return compared


def test_all_figures_are_those_of_scipy_and_of_holm(told: Callable[..., dict[str, Any]]) -> None:
    values = fresh().normal(size=(4, 6)).tolist()
    known = made({f"m{g}": {s: {TAU: values[g][s]} for s in range(6)} for g in range(4)})
    found = told(known)["comparisons"]
    assert [row["groups"] for row in found] == [
        [f"method.name=m{later}", f"method.name=m{first}"] for first in range(4) for later in range(first + 1, 4)
    ]
    pairs = [(int(row["groups"][0][-1]), int(row["groups"][1][-1])) for row in found]
    tests = [ttest_rel(values[one], values[other]) for one, other in pairs]
    assert [row["p"] for row in found] == pytest.approx([each.pvalue for each in tests])
    assert [row["p_corrected"] for row in found] == pytest.approx(holm([each.pvalue for each in tests]))
    for row, test in zip(found, tests, strict=True):
        low, high = test.confidence_interval(0.95)
        assert row["interval"] == pytest.approx((low, high))
        assert row["effect"] * 6**0.5 == pytest.approx(test.statistic)


def test_one_group_may_be_held_against_all_others(told: Callable[..., dict[str, Any]]) -> None:
    known = made({name: {0: {TAU: 0.1}, 1: {TAU: 0.3}} for name in ("none", "random", "gradient")})
    found = told(known, by="name", against="none")["comparisons"]
    assert [row["groups"] for row in found] == [["random", "none"], ["gradient", "none"]]
    with pytest.raises(UserError, match=r"--against: unknown 'nine'; did you mean 'none'"):
        told(known, by="name", against="nine")


def test_one_seed_has_no_interval_and_no_test(told: Callable[..., dict[str, Any]]) -> None:
    (row,) = told(made({"a": {0: {TAU: 0.1}}, "b": {0: {TAU: 0.4}}}))["comparisons"]
    assert row["difference"] == pytest.approx(0.3)
    assert [row[key] for key in ("interval", "p", "p_corrected", "effect", "needed")] == [None] * 5


def test_only_seeds_in_common_count_and_only_figures_that_all_have(told: Callable[..., dict[str, Any]]) -> None:
    known = made({
        "a": {0: {TAU: 0.1, HELD_OUT: 50.0}, 1: {TAU: 0.2, HELD_OUT: 51.0}},
        "b": {1: {HELD_OUT: 53.0}, 2: {HELD_OUT: 90.0}},
    })  # fmt: skip
    found = told(known)
    assert (found["measures"], found["left_out"]) == ([HELD_OUT], [TAU])
    (row,) = found["comparisons"]
    assert (row["seeds"], row["difference"]) == ([1], pytest.approx(2.0))


def one(name: str, recipe: dict[str, Any], kind: str = "search", images: str = "same") -> dict[Path, RunFigures]:
    path = Path(name)
    return {path: RunFigures(path, kind, recipe, images, {TAU: Figure(0.2)})}


A = one("a-seed0", {"seed": 0, "method": {"name": "a"}})


def test_figures_of_other_images_or_architectures_are_left_out(told: Callable[..., dict[str, Any]]) -> None:
    known = made({"a": {0: {HELD_OUT: 50.0}}, "b": {0: {HELD_OUT: 51.0}}})
    known = {
        path: replace(run, figures={**run.figures, TAU: Figure(0.1, of=str(path)), TEST: Figure(60.0, of="the same")})
        for path, run in known.items()
    }
    found = told(known)
    assert (found["measures"], found["left_out"]) == ([HELD_OUT, TEST], [TAU])


REFUSED: dict[str, tuple[dict[Path, RunFigures], dict[str, Any], str]] = {
    "no seed in common": (
        {**A, **one("b", {"seed": 1, "method": {"name": "b"}})},
        {},
        r"method\.name=b \(seeds 1\) and method\.name=a \(seeds 0\): have no seed in common, so that they cannot be",
    ),
    "one group": ({**A, **one("b", {"seed": 1, "method": {"name": "a"}})}, {}, "all of these runs are one group"),
    "other images": (
        {**A, **one("b", {"seed": 0, "method": {"name": "b"}}, images="others")},
        {},
        "b and a-seed0: saw other images, or other ones were held out, so that they cannot be paired",
    ),
    "another kind": (
        {**A, **one("b", {"seed": 0}, kind="train")},
        {},
        r"b: is of another kind \(train\) than a-seed0 \(search\), so that they cannot be paired",
    ),
    "a seed twice": (
        {**A, **one("b-seed0", {"seed": 0, "method": {"name": "a"}})},
        {},
        "b-seed0: has seed 0, and so has a-seed0, .*; leave one out, or give --by name",
    ),
    "a name without its seed": (
        one("a", {"seed": 0}),
        {"by": "name"},
        "a: has not its seed, 0, in its name; call it as in gradient-seed0",
    ),
    "nothing in common": (
        made({"a": {0: {TAU: 0.1}}, "b": {0: {TEST: 0.1}}}),
        {},
        "has no figure that all of these runs have",
    ),
    "an unknown grouping": (A, {"by": "nane"}, r"--by: unknown 'nane'; did you mean 'name'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_paired_is_one_line(case: str, told: Callable[..., dict[str, Any]]) -> None:
    known, asked, words = REFUSED[case]
    with pytest.raises(UserError, match=words) as raised:
        told(known, **asked)
    assert "\n" not in str(raised.value)


LONG = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|"


def test_long_values_that_differ_are_groups_of_their_own(told: Callable[..., dict[str, Any]]) -> None:
    archs = [LONG + last for last in ("none~2|", "skip_connect~2|")] + [f"|none{LONG}none~2|", f"|noon{LONG}none~2|"]
    known = {
        path: run
        for number, arch in enumerate(archs)
        for seed in range(2)
        for path, run in one(f"{number}-seed{seed}", {"seed": seed, "arch": arch}, kind="train").items()
    }
    found = told(known, against=f"arch={archs[0]}")
    names = [group["name"] for group in found["groups"]]
    assert [group["seeds"] for group in found["groups"]] == [[0, 1]] * 4
    assert len(set(names)) == 4
    assert names[0].startswith("arch=|nor_conv_3x3~0")
    assert names[1].endswith("|skip_connect~2|")
    assert all(len(name) <= 64 for name in names)
    assert {row["groups"][1] for row in found["comparisons"]} == {names[0]}
    assert told(known, against=names[0]) == found


def test_long_values_alike_at_both_ends_are_numbered() -> None:
    keys = [f"arch={'a' * 40}{middle}{'b' * 40}" for middle in "xyz"]
    names = short_names([*keys, "c"])
    assert names == [f"{names[0][:-4]} ({number})" for number in (1, 2, 3)] + ["c"]


def test_the_seed_is_the_last_number_of_that_kind_in_a_name() -> None:
    runs = [replace(next(iter(A.values())), path=Path(f"few-2-s{seed}"), recipe={"seed": seed}) for seed in range(4)]
    assert by_name(runs) == ["few-2"] * 4


@pytest.mark.parametrize(
    ("recipes", "names"),
    [
        ([{"seed": 0, "a": {"b": 1, "c": 2}}, {"seed": 1, "a": {"b": 3, "c": 4}}], ["a.b=1", "a.b=3"]),
        ([{"a": b, "split": {"splitter": b}} for b in "xy"], ["split.splitter=x", "split.splitter=y"]),
        ([{"a": x, "b": y} for x, y in ((0, 0), (0, 1), (1, 0))], ["a=0, b=0", "a=0, b=1", "a=1, b=0"]),
        ([{"seed": 0, "device": "cpu"}, {"seed": 1, "device": "cuda"}], ["all", "all"]),
        ([{"data": {"storage": "auto"}}, {"data": {"storage": "memory"}}], ["all", "all"]),
        ([{"a": 1}, {"a": None}], ["a=1", "a=null"]),
    ],
)  # fmt: skip
def test_groups_are_called_by_the_fewest_keys_that_tell_them_apart(
    recipes: list[dict[str, Any]], names: list[str]
) -> None:
    of = [RunFigures(Path(str(number)), "search", recipe, "", {}) for number, recipe in enumerate(recipes)]
    assert by_recipe(of) == names


def test_the_page_has_the_figures_and_a_picture(runs: Runs, tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    ended = Ended(["compare", *all_of(runs), "--by", "name", "--against", "rsps", "--out", str(page)], capsys)
    assert ended.status == 0, ended.err
    html = page.read_text()
    lines = check_page(html).lines
    assert "random against rsps" in lines
    accuracies = ", ".join(f"{run.accuracy:.2f}" for run in runs["random"])
    assert accuracies in lines
    assert html.count('class="point') == 1
    assert Ended(["compare", *all_of(runs), "--out", str(page)], capsys).refuses(str(page), "is there already")


def test_the_text_fits_a_terminal(runs: Runs, capsys: Capture) -> None:
    ended = Ended(["compare", *all_of(runs), "--by", "name"], capsys)
    assert ended.status == 0, ended.err
    assert ended.out.splitlines()[0] == "held-out accuracy, %"
    assert all(len(line) <= 80 for line in ended.out.splitlines())


def test_a_ranking_is_a_figure_too(runs: Runs, tmp_path: Path) -> None:
    run = runs["rsps"][0]
    found = cleave.rank(run, sample=5, truth=truth(tmp_path / "truth.csv"), images=16, data=tensors())
    known = figures.figures_of(run.run, Asked(Callback())).figures
    assert known[TAU].value == pytest.approx(found["rows"]["supernet"]["kendall"]["value"])
    assert TABLE not in known
    file = run.run / "ranking.csv"
    for asked in ({"images": 17}, {"images": 16, "recalibrate": 2}, {"images": 16}):
        file.unlink()
        cleave.rank(run, sample=5, truth=truth(tmp_path / "truth.csv"), data=tensors(), **asked)
        again = figures.figures_of(run.run, Asked(Callback())).figures[TAU]
        assert (again.of == known[TAU].of) is (asked == {"images": 16}), "rankings are compared that judged alike"
    rows = (run.run / "ranking.csv").read_text().splitlines()
    (run.run / "ranking.csv").write_text("\n".join(row.rpartition(",")[0] for row in rows) + "\n")
    assert TAU not in figures.figures_of(run.run, Asked(Callback())).figures, "it does not tell how it was judged"
    for damage, words in (
        (b"accuracy,true,judged\n1,2,a\n2,1,a\n", "has no column arch"),
        (b"arch,accuracy\n1,2\n", "has no column true"),
        (b"arch,accuracy,true\na,\xff,x\n", ""),
    ):
        (run.run / "ranking.csv").write_bytes(damage)
        with pytest.raises(UserError, match=rf"ranking\.csv: .*{words}"):
            figures.figures_of(run.run, Asked(Callback()))


def test_of_trainings_the_accuracy_on_test_images_is_one_too(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", each=40)
    run = cleave.train(
        "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|", data=images, out=tmp_path / "run-seed0",
        settings={"data.image_size": 8, "space.channels": 2, "training.epochs": 1, "training.batch_size": 16},
    )  # fmt: skip
    accuracy = run.accuracy
    assert accuracy is not None
    assert figures.figures_of(run.run, Asked(Callback())).figures == {HELD_OUT: Figure(accuracy)}
    tested = cleave.evaluate(run)["accuracy"]
    known = figures.figures_of(run.run, Asked(Callback())).figures
    assert {measure: each.value for measure, each in known.items()} == {HELD_OUT: accuracy, TEST: tested}
    assert known[TEST].of, "they are those of the same test images only"


def truth(file: Path) -> Path:
    from cleave.space.nb201 import NASBench201

    space = NASBench201()
    draw = torch.Generator().manual_seed(0)
    rows = [f'"{space.format(space.sample(space.region, draw))}",{number}' for number in range(60)]
    file.write_text("\n".join(["arch,true", *dict.fromkeys(rows)]) + "\n")
    return file


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "b", "--epochs", "3"], "--epochs: is for one search, not 2 runs"),
        (["a", "b", "training.epochs=3"], "KEY=VALUE: is for one search, not 2 runs"),
        (["a", "--by", "name"], "--by: is for several runs, and a is one"),
        (["a", "a"], "there twice"),
        (["a", "b"], "a: is not there"),
        (["training.epochs=3"], "training.epochs=3: give a finished run before it"),
    ],
)
def test_options_that_say_nothing_here_are_refused(words: list[str], said: str, capsys: Capture) -> None:
    assert Ended(["compare", *words], capsys).refuses(said)
