"""A user's own files: loaded first in every process, recorded with their hash; a mistake in one is told in one line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleave.config import load_recipe
from cleave.engine.processes import ProcessWorker
from cleave.extensions import LOADED, load_extension
from cleave.search.loop import Search
from cleave.yaml_text import written
from tests.registries import as_they_were
from tests.tiny import Ended, sets, write_images, write_table

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "chain.py"
CODE = EXAMPLE.read_text()
SIZES = {
    "space.channels": 2, "data.image_size": 8, "search.epochs": 1, "search.batch_size": 8, "split.batches": 1,
    "split.splits": 1, "trust.control": 1, "trust.panel": 2,
}  # fmt: skip
HERE = ("--workers", "1")
HALVES = """
from cleave.split import Split
from cleave.split.splitters import Random, splitter

@splitter("halves")
class Halves(Random):
    def split(self, situation):
        choice = situation.unsplit[0]
        names = situation.region.allowed[choice]
        return Split(choice, names, (names[:1], names[1:]))
"""


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    with as_they_were():
        yield


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images", each=12)


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    file = tmp_path / "my chain.py"
    file.write_text(CODE)
    return file


def search(images: Path, out: Path, *words: str, workers: str = "1") -> list[str]:
    return ["search", "--data", str(images), "--out", str(out), "--workers", workers, *sets(SIZES), *words]


def environment(run: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((run / "environment.json").read_text())["extensions"]
    return found


def space(file: Path, code: str, name: str = "Chain") -> list[str]:
    file.write_text(code)
    return ["space", f"{file}:{name}"]


def test_a_space_of_a_file_is_searched_in_two_processes_as_in_one(
    tmp_path: Path, images: Path, chain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ("--space", f"{chain}:Chain")
    assert Ended(search(images, tmp_path / "one", *own), capsys).status == 0
    assert Ended(search(images, tmp_path / "two", *own, workers="2"), capsys).status == 0
    one, two = ((tmp_path / name / "result.json").read_bytes() for name in ("one", "two"))
    assert one == two
    assert json.loads(one)["space"] == "chain"
    assert environment(tmp_path / "two") == {str(chain): hashlib.sha256(CODE.encode()).hexdigest()}


def test_what_a_recipe_lists_is_loaded_first_and_named_by_its_whole_path(
    tmp_path: Path, images: Path, chain: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "halves.py").write_text(HALVES)
    (tmp_path / "recipe.yaml").write_text("extensions: [halves.py]\nspace: {name: chain}\nsplit: {splitter: halves}\n")
    ended = Ended(
        ["search", "recipe.yaml", "--extension", chain.name, *search(images, tmp_path / "run", workers="2")[1:]], capsys
    )
    assert ended.status == 0, ended.err
    assert set(environment(tmp_path / "run")) == {str(tmp_path / "halves.py"), str(chain)}
    assert json.loads((tmp_path / "run" / "result.json").read_text())["splitter"] == "halves"


def test_a_run_that_was_interrupted_goes_on_only_with_the_same_file_or_with_a_flag(
    tmp_path: Path, images: Path, chain: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Search) -> None:
        raise KeyboardInterrupt

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Search, "finish", lambda self, result: interrupt(self))
        assert Ended(search(images, run, "--space", f"{chain}:Chain"), capsys).status == 130
    with as_they_were():
        LOADED.clear()
        chain.write_text(CODE + "\n# another comment\nraise SystemExit('must not run')\n")
        ended = Ended(["resume", str(run), *HERE], capsys)
        assert ended.refuses(f"{chain}: is not as it was when the run was begun", "--changed-extensions")
        chain.write_text(CODE + "\n# another comment\n")
        ended = Ended(["resume", str(run), *HERE, "--changed-extensions"], capsys)
        assert ended.status == 0
        assert f"{chain.name}: is not as it was" in " ".join(ended.err.split())
    chain.unlink()
    assert Ended(["show", str(run)], capsys).status == 0


def test_a_finished_run_is_shown_and_told_again_without_running_its_file(
    tmp_path: Path, images: Path, chain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with as_they_were():
        assert Ended(search(images, run, "--space", f"{chain}:Chain"), capsys).status == 0
    chain.write_text("raise SystemExit('must not run')")
    for command in (["show", str(run)], ["resume", str(run), *HERE]):
        ended = Ended(command, capsys)
        assert ended.status == 0
        assert json.loads((run / "result.json").read_text())["chosen"]["arch"] in ended.out


def test_a_worker_does_not_take_a_file_that_has_changed(
    tmp_path: Path, images: Path, chain: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = ProcessWorker.__init__

    def changed_before(self: ProcessWorker[Any, Any], job: Any) -> None:  # noqa: ANN401
        chain.write_text(CODE + "\n# changed\n")
        start(self, job)

    monkeypatch.setattr(ProcessWorker, "__init__", changed_before)
    ended = Ended(search(images, tmp_path / "run", "--space", f"{chain}:Chain", workers="2"), capsys)
    assert ended.refuses(f"{chain}: was changed while the run was going on")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import nothing_of_that_name\n", ["line 1: ModuleNotFoundError: No module named 'nothing_of_that_name'"]),
        ("x = 1\n\nx +\n", ["line 3: SyntaxError: invalid syntax"]),
        ("def f():\n    return 1 / 0\n\nf()\n", ["line 2: ZeroDivisionError: division by zero"]),
        ("raise SystemExit(3)\n", ["line 1: SystemExit: 3"]),
        ("x = 1\n", ["has no class Chain; its classes: none"]),
        ("class Chain:\n    pass\n", ["Chain is no Space; make it a subclass of cleave.space.Space"]),
        ("Chain = 5\n", ["Chain is no Space"]),
        ("from cleave.space import Space\nclass Chain(Space):\n    name = 'x'\n", ["lacks format, layout, parse"]),
        (CODE.replace('    name = "chain"\n', "").replace("@register_space\n", ""), ["space Chain: has no name"]),
        (CODE.replace('name = "chain"', 'name = "nasbench201"'), ["'nasbench201' is there already, of cleave"]),
        (CODE.replace('operation("chain_plain")', 'operation("none")'), ["'none' is there already, of cleave"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_one_line_with_its_cause(
    tmp_path: Path, code: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.py"
    assert Ended(space(file, code), capsys).refuses(f"cleave: {file}", *words)


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "none.py"
    assert Ended(["space", f"{missing}:Chain"], capsys).refuses(f"{missing}: cannot be read (no such file")
    assert Ended(["plan", "--extension", str(missing)], capsys).refuses(f"{missing}: cannot be read (no such file")


def test_a_name_is_of_one_file(tmp_path: Path, chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.py"
    other.write_text(CODE)
    ended = Ended(["plan", "--extension", str(chain), "--extension", str(other)], capsys)
    assert ended.refuses(f"{other}, line 12: {other}: operation 'chain_plain' is there already, of {chain}")


def test_a_class_under_two_names_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "halves.py"
    file.write_text(HALVES + '\nsplitter("again")(Halves)\n')
    ended = Ended(["plan", "--extension", str(file)], capsys)
    assert ended.refuses("line 12", "Halves is registered as 'halves' and as 'again'; give it one name")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('f"layer{number}", BLOCKS)', 'f"layer{number % 4}", BLOCKS)', "names of choices are given once"),
        ('removeprefix("chain_")[0] for choice', 'removeprefix("chain_")[-1] for choice', "KeyError"),
        ("for number in range(LAYERS))", "for number in range(LAYERS + 1))", "every choice acts somewhere"),
    ],
)
def test_a_space_that_breaks_a_law_is_refused_before_anything_runs(
    tmp_path: Path, images: Path, before: str, after: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.py"
    assert before in CODE
    file.write_text(CODE.replace(before, after))
    ended = Ended(search(images, tmp_path / "run", "--space", f"{file}:Chain"), capsys)
    assert ended.refuses(f"cleave: {file}", words)
    assert not (tmp_path / "run").exists()


FIRSTS = """
from typing import Literal
from cleave.method import method
from cleave.method.rsps import Rsps, RspsSettings

class FirstsSettings(RspsSettings):
    name: Literal["firsts"] = "firsts"

@method(FirstsSettings)
class Firsts(Rsps):
    pass
"""


def test_a_recipe_with_a_method_of_a_file_is_searched_and_ranked(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "table.npz")
    file = tmp_path / "firsts.py"
    file.write_text(FIRSTS)
    changes = {**SIZES, "data.name": images, "space.ops": ["none", "skip_connect", "nor_conv_1x1"]}
    recipe = load_recipe(None, [f"{key}={value}" for key, value in changes.items()], {}).model_dump(mode="json")
    recipe |= {"method": {"name": "firsts", "samples": 2}, "split": {"splitter": "random", "splits": 1}}
    (tmp_path / "recipe.yaml").write_text(written(recipe))
    words = ["--benchmark", "table.npz", "--dataset", "cifar10", "--sample", "6", "--images", "4", "--json"]
    told = Ended(["rank", "recipe.yaml", "--extension", "firsts.py", *words], capsys)
    assert told.status == 0, told.err
    run = Path(json.loads(told.out)["run"])
    assert environment(run) == {str(file): hashlib.sha256(FIRSTS.encode()).hexdigest()}
    file.write_text(FIRSTS + "# changed")
    again = ["rank", str(run), "--out", "again.csv", *words]
    ended = Ended(again, capsys)
    assert ended.refuses(f"{file}: is not as it was when the run was begun; put it back")
    assert "--changed" not in ended.err


def test_the_same_bytes_are_run_once_and_others_anew(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("value = object()\n")
    first = load_extension(file)
    assert load_extension(file) is first
    file.write_text("value = 2\n")
    second = load_extension(file)
    assert second.module.__name__ != first.module.__name__
    assert LOADED[file] is second


def test_help_says_that_files_are_run(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("search", "plan", "rank", "space"):
        assert "it is run, so trust it" in " ".join(Ended([command, "--help"], capsys).out.replace("│", " ").split())
