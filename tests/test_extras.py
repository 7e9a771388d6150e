"""What is not needed is not loaded, and may be missing: a search needs the core alone, the rest says what it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest

import cleave
from cleave.errors import UserError
from cleave.extras import EXTRAS, need_extra

ROOT = Path(__file__).parents[1]
OPTIONAL = {package for packages in EXTRAS.values() for package in packages}
WITHOUT = """
import sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in {optional!r} else find(name, *rest)
from cleave.cli import run

for words in {commands!r}:
    status = run(words)
    assert status == 0, words
assert not set({optional!r}) & {{name.split(".")[0] for name in sys.modules}}
"""
TINY = (
    "data.limit=96 data.image_size=8 space.ops=[none,skip_connect,nor_conv_1x1] space.channels=2 "
    "search.batch_size=32 search.epochs=1 split.batches=1 split.splits=1 threads=1 trust.control=1 trust.panel=3 "
    "device=cpu"
)


def tiny(command: str, *more: str) -> list[str]:
    return [command, *(word for change in TINY.split() for word in ("--set", change)), *more]


def without_extras(tmp_path: Path, *commands: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Commands in a process that has no package of any extra."""
    program = WITHOUT.format(optional=sorted(OPTIONAL), commands=[list(words) for words in commands])
    return subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300)


def test_a_search_and_all_around_it_needs_the_core_alone(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    found = without_extras(
        tmp_path,
        ["--help"], ["study", "--help"], ["reproduce"], ["study", "run"], ["study", "table"], ["space", "nasbench201"],
        tiny("plan"), tiny("search", "--out", run, "--workers", "1"), ["show", run], ["report", run], ["resume", run],
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert Path(run, "result.json").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["reproduce", "table6"], ["reproduce", "table6", "--plan"], ["study", "table1/seeds"],
        ["study", "table", "table1"], ["study", "metrics", "log"], ["study", "report", "log"],
        ["study", "groups", "log", "--count", "2", "--out", "x"],
    ],
)  # fmt: skip
def test_a_command_without_its_extra_says_what_to_install_before_it_does_anything(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cleave.cli import run

    hide(monkeypatch, "scipy", "matplotlib")
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    expected = f"cleave {words[0]}: needs matplotlib, scipy, not installed here; pip install 'cleave-nas[{words[0]}]'"
    assert said.endswith(expected)
    assert list(tmp_path.iterdir()) == []


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Has these look as if they were not installed."""
    found = PathFinder.find_spec
    for name in [name for name in sys.modules if name.split(".")[0] in packages]:
        monkeypatch.delitem(sys.modules, name)

    def find(name: str, *rest: Any) -> Any:  # noqa: ANN401
        return None if name.split(".")[0] in packages else found(name, *rest)

    monkeypatch.setattr(PathFinder, "find_spec", find)


def test_a_study_from_python_says_it_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide(monkeypatch, "pyarrow")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"needs pyarrow, not installed here; pip install 'cleave-nas\[study\]'"):
        cleave.study("table1/seeds", budget="tiny")
    with pytest.raises(UserError, match="needs pyarrow"):
        cleave.resume_study(tmp_path)


def test_an_extra_that_is_installed_is_not_complained_about() -> None:
    for command in EXTRAS:
        need_extra(command)


def test_the_extras_are_those_that_are_installed_by_their_names() -> None:
    assert {name: requirements(name) for name in EXTRAS} == {name: set(packages) for name, packages in EXTRAS.items()}
    assert not OPTIONAL & requirements("dependencies")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'test = ["cleave-nas[ray,{",".join(EXTRAS)}]"' in text


def requirements(name: str) -> set[str]:
    """The packages that a list of pyproject.toml names."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(rf"^{name} = \[(.*?)^\]", text, flags=re.DOTALL | re.MULTILINE)
    assert listed is not None
    return set(re.findall(r'"([\w-]+)[^"]*"', listed[1]))
