"""Whatever befalls the folder of an experiment, its figures stay those of its runs, or what is wrong is named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.reproduce.runner import ReproduceRequest, reproduce
from tests.run.befalling import DAMAGES, SHAPES, content, exchange, newest, reseal
from tests.tiny import write_table

ONLY = {"table6": ("l2", "filter"), "table2": (), "table7": ("gradient",)}


class Made(dict[str, dict[str, Any]]):
    """What was found once, by experiment, when it is first asked for."""

    def __init__(self, base: Path) -> None:
        super().__init__()
        self.base = base

    def __missing__(self, name: str) -> dict[str, Any]:
        self[name] = found(self.base, self.base / name, name)
        return self[name]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = tmp_path_factory.mktemp("experiments")
    write_table(base / "table.npz")
    return Made(base)


def found(base: Path, out: Path, name: str) -> dict[str, Any]:
    request = ReproduceRequest(name, "tiny", only=ONLY[name], flags={"benchmark": str(base / "table.npz")}, out=out)
    report = reproduce(request, Callback())
    return {"lines": [{**line, "seconds": 0} for line in report["lines"]], "comparisons": report["comparisons"]}


Again = Callable[[], dict[str, Any]]


def copied(name: str, made: Made, tmp_path: Path) -> tuple[Path, Again]:
    assert made[name]
    out = shutil.copytree(made.base / name, tmp_path / name)
    return out, lambda: found(made.base, out, name)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mark_of_another_shape_is_made_again(shape: str, made: Made, tmp_path: Path) -> None:
    out, again = copied("table6", made, tmp_path)
    before = (out / "experiment.json").read_bytes()
    content(SHAPES[shape])(out / "experiment.json")
    assert again() == made["table6"]
    assert (out / "experiment.json").read_bytes() == before


@pytest.mark.parametrize("damage", ["middle bit", "cut", "pipe"])
@pytest.mark.parametrize("name", ["result.json", "tree.json", "environment.json", "timing.json"])
def test_the_files_of_a_run_are_made_again(name: str, damage: str, made: Made, tmp_path: Path) -> None:
    out, again = copied("table6", made, tmp_path)
    DAMAGES[damage](out / "runs" / "l2-seed0" / name)
    assert again() == made["table6"]


def test_an_outcome_edited_to_99_percent_is_in_no_table(made: Made, tmp_path: Path) -> None:
    out, again = copied("table6", made, tmp_path)
    result = out / "runs" / "l2-seed0" / "result.json"
    result.write_text(re.sub(r'"test": [\d.]+', '"test": 99.0', result.read_text()))
    assert again() == made["table6"]


def test_exchanged_runs_are_named(made: Made, tmp_path: Path) -> None:
    out, again = copied("table6", made, tmp_path)
    exchange(out / "runs" / "l2-seed0", out / "runs" / "filter-cos-seed0")
    with pytest.raises(UserError, match="was run by another recipe"):
        again()
    exchange(out / "runs" / "l2-seed0", out / "runs" / "filter-cos-seed0")
    assert again() == made["table6"]


@pytest.mark.parametrize("damage", ["middle bit", "cut", "removed", "pipe"])
def test_trials_go_back_to_the_checkpoint_before(damage: str, made: Made, tmp_path: Path) -> None:
    out, again = copied("table2", made, tmp_path)
    DAMAGES[damage](newest(out / "runs" / "pairs-seed0" / "checkpoints") / "meta.json")
    assert again() == made["table2"]


@pytest.mark.parametrize("meta", ["{}", "[" * 100_000, '{"architectures": 3}'])
def test_trials_of_another_shape_are_named(meta: str, made: Made, tmp_path: Path) -> None:
    out, again = copied("table2", made, tmp_path)
    checkpoints = out / "runs" / "pairs-seed0" / "checkpoints"
    for generation in checkpoints.iterdir():
        reseal(generation, meta.encode())
    with pytest.raises(UserError, match=str(checkpoints)):
        again()


@pytest.mark.parametrize("name", ["ranking/ranking.json", "ranking/manifest.json", "ranking.csv"])
def test_a_ranking_is_made_again(name: str, made: Made, tmp_path: Path) -> None:
    out, again = copied("table7", made, tmp_path)
    (run,) = (out / "runs").iterdir()
    DAMAGES["middle bit"](run / name)
    assert again() == made["table7"]
