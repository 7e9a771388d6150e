"""docs/examples/chain.py, a user's own space in one file of under 60 lines, is searched, studied and resumed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleave.space import find_space
from cleave.split.splitters import SPLITTERS
from cleave.testing import check_space
from tests.method.kinds import EVERYWHERE
from tests.registries import as_they_were
from tests.tiny import Ended, same, sets, write_images

FILE = Path(__file__).parents[1] / "docs" / "examples" / "chain.py"
SPACE = ("--space", f"{FILE}:Chain")
SIZES = {
    "space.channels": 2, "data.image_size": 8, "search.epochs": 1, "search.batch_size": 8, "split.batches": 1,
    "split.splits": 1, "trust.control": 0, "trust.panel": 2, "search.checkpoint_seconds": 0,
}  # fmt: skip
STUDY = {
    "space.channels": 2, "space.children": 6, "data.name": "bundled", "data.limit": 60, "data.image_size": 8,
    "training.epochs": 1, "looks.dense": 2, "looks.images": 10, "instances": 2,
}  # fmt: skip
SAMPLES = {"rsps": {"method.samples": 2}, "random": {"method.samples": 2}}
PAIRS = [
    (method, splitter)
    for method in EVERYWHERE
    for splitter in SPLITTERS
    if splitter != "parametric" and (splitter != "weight-copies" or method == "rsps")
]
FEWER = {
    "dimension": {"split.neighbours": 3},
    "metric": {"split.metric": "gradient-norm", "split.completions": 2},
    "nonlinearity": {"split.completions": 2},
}
"""What a splitter says otherwise, for mini-batches of 8."""


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    with as_they_were():
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("chain") / "images", each=12)


def test_it_is_short_and_keeps_the_laws() -> None:
    assert len(FILE.read_text().splitlines()) < 60
    space = find_space(f"{FILE}:Chain")
    assert [len(choice.candidates) for choice in space.choices] == [3] * 8
    check_space(space)


@pytest.mark.parametrize(("method", "splitter"), PAIRS)
def test_every_method_and_splitter_searches_it(
    tmp_path: Path, images: Path, method: str, splitter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {**SIZES, "method.name": method, "split.splitter": splitter, **SAMPLES.get(method, {})}
    changes |= FEWER.get(splitter, {})
    words = ["search", *SPACE, "--data", str(images), "--out", str(tmp_path / "run"), "--workers", "1", *sets(changes)]
    ended = Ended([*words, "--json"], capsys)
    assert ended.status == 0, ended.err
    outcome = json.loads(ended.out)
    parts = {"none": 1, "weight-copies": 1, "exhaustive": 3}.get(splitter, 2)
    assert (outcome["space"], outcome["method"], len(outcome["leaves"])) == ("chain", method, parts)
    assert set(outcome["chosen"]["arch"]) <= set("psn")


def test_its_candidates_all_have_weights_so_that_they_are_not_divided_by_that(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {**SIZES, "split.splitter": "parametric"}
    words = ["search", *SPACE, "--data", str(images), "--out", str(tmp_path / "run"), *sets(changes)]
    assert Ended(words, capsys).refuses("split.splitter=parametric: at no choice of chain", "use another splitter")


def test_two_workers_that_are_interrupted_and_go_on_find_what_one_finds(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cleave.search.loop import Search

    def interrupt(self: Search, result: object) -> None:
        raise KeyboardInterrupt

    words = ["search", *SPACE, "--data", str(images), *sets({**SIZES, "trust.control": 1})]
    assert Ended([*words, "--out", str(tmp_path / "one"), "--workers", "1"], capsys).status == 0
    with monkeypatch.context() as patch:
        patch.setattr(Search, "finish", interrupt)
        assert Ended([*words, "--out", str(tmp_path / "two"), "--workers", "2"], capsys).status == 130
    assert Ended(["resume", str(tmp_path / "two"), "--workers", "2"], capsys).status == 0
    assert same(tmp_path / "one", tmp_path / "two")


def test_it_is_planned_and_described(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(Ended(["space", f"{FILE}:Chain", "--check", "--json"], capsys).out)
    assert (told["name"], told["size"], told["architectures"]) == ("chain", 3**8, None)
    plan = json.loads(Ended(["plan", *SPACE, "--data", str(images), *sets(SIZES), "--json"], capsys).out)
    assert plan["space"] == "chain"


def test_it_is_studied_in_two_processes_and_measured_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["study", *SPACE, *sets(STUDY), "--out", str(tmp_path / "study"), "--workers", "2", "--json"]
    ended = Ended(words, capsys)
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    assert told["n"]["children"] == 6
    with as_they_were():
        again = Ended(["study", "metrics", str(tmp_path / "study"), "--extension", str(FILE), "--json"], capsys)
        assert json.loads(again.out)["n"] == told["n"]
    assert Ended(["resume", str(tmp_path / "study"), "--workers", "1"], capsys).status == 0


def test_a_study_of_it_is_not_measured_without_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log may be somebody else's: no code of theirs is run unless it is asked for."""
    words = ["study", *SPACE, *sets({**STUDY, "instances": 1}), "--out", str(tmp_path / "study"), "--workers", "1"]
    with as_they_were():
        assert Ended(words, capsys).status == 0
    ended = Ended(["study", "metrics", str(tmp_path / "study")], capsys)
    assert ended.refuses("'chain' is not a built-in space; give its file with --extension")


def test_it_is_not_ranked_since_nobody_has_trained_all_of_its_architectures(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["search", *SPACE, "--data", str(images), "--out", str(tmp_path / "run"), "--workers", "1", *sets(SIZES)]
    assert Ended(words, capsys).status == 0
    assert Ended(["rank", str(tmp_path / "run")], capsys).refuses(
        "space.name=chain: has no table", "--truth", "--alone"
    )
