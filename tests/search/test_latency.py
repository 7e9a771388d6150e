"""Searches that go by a latency table: what they need, what they refuse, that costs are the table's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.config import load_recipe
from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.errors import Interrupted, UserError
from cleave.method.penalty import expected, mul_log
from cleave.net.cost import costs
from cleave.resolve import resolve
from cleave.search.problem import open_problem
from cleave.search.runner import resume, start
from cleave.settings import Recipe
from cleave.space import find_space
from tests.deploy.made import SMALL, by_work, write_latencies
from tests.tiny import SIZES, Ended, write_images

BY_TABLE = {
    "method.name": "proxyless", "method.penalty": "add#linear", "method.penalty_on": "milliseconds",
    "method.reference": 0.004, "method.architecture_every": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_latencies(tmp_path / "table.json", SMALL)


def recipe(images: Path, changes: dict[str, Any]) -> Recipe:
    settings = {**SIZES, "data.name": images, "trust.control": 0, "trust.panel": 0, "split.splitter": "none"}
    return load_recipe(None, [f"{key}={value}" for key, value in {**settings, **BY_TABLE, **changes}.items()], {})


def resolved(images: Path, changes: dict[str, Any]) -> tuple[Recipe, list[str]]:
    asked = recipe(images, changes)
    return resolve(asked, find_space(asked.space))


def test_a_search_has_the_milliseconds_of_its_table(images: Path, table: Path) -> None:
    problem = open_problem(resolved(images, {"latency": table})[0])
    arch = SMALL.space.sample(SMALL.space.region, torch.Generator().manual_seed(0))
    cost = problem.costs().of(arch)
    assert cost.milliseconds == pytest.approx(cost.multiply_adds / 1e6)
    assert cost.counts == costs(SMALL.space, SMALL.size, SMALL.image, SMALL.classes).of(arch).counts


def test_a_penalty_on_milliseconds_moves_the_search_and_a_run_tells_its_table(
    images: Path, table: Path, tmp_path: Path
) -> None:
    """What costs is not chosen where the loss counts little beside the cost."""
    changes = {
        "latency": table,
        "method.step": "full",
        "method.penalty_share": 1e6,
        "method.architecture_learning_rate": 1,
        "search.epochs": 3,
    }
    told = start(recipe(images, changes), tmp_path / "run", Callback())
    assert "nor_conv_1x1" not in told["chosen"]["arch"]
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert len(environment["latency"]) == 64
    start(recipe(images, dict.fromkeys(("method.penalty", "method.reference"), "null")), tmp_path / "plain", Callback())
    assert "latency" not in json.loads((tmp_path / "plain" / "environment.json").read_text())


def test_the_expected_milliseconds_are_those_of_the_table(images: Path, table: Path) -> None:
    problem = open_problem(resolved(images, {"latency": table})[0])
    space, known = problem.space, problem.costs()
    weights = {choice.name: torch.rand(3).double().softmax(dim=0) for choice in space.choices}
    means = [expected(known, space, space.region, what)(weights)[0] for what in ("milliseconds", "multiply_adds")]
    torch.testing.assert_close(1e6 * means[0], means[1])


def test_the_logarithms_of_a_penalty_are_of_milliseconds() -> None:
    """As in the released code, whose latencies are 60 to 160."""
    loss, cost = torch.tensor(2.0).double(), torch.tensor(60.0).double()
    millions = mul_log(loss, 1e6 * cost, 80e6, 0.2, 0.3)
    torch.testing.assert_close(mul_log(loss, cost, 80.0, 0.2, 0.3, unit=1), millions)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "latency: milliseconds are asked for; give latency=FILE"),
        ({"latency": "absent.json"}, r"absent\.json: cannot be read"),
        ({"method.penalty": "mul#log", "latency": "FILE"}, "logarithms of milliseconds, which are not positive below"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], words: str, images: Path, table: Path) -> None:
    given = {key: table if value == "FILE" else value for key, value in changes.items()}
    with pytest.raises(UserError, match=words):
        resolved(images, given)


def test_a_foreign_table_is_refused_before_anything_is_made(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    for of, words in (({"device": "Pixel 1"}, "is of Pixel 1"), ({"resolution": 9}, "is of resolution 9")):
        file = write_latencies(tmp_path / "table.json", SMALL, **of)
        settings = {**SIZES, "split.splitter": "none", **BY_TABLE, "latency": file}
        words_of = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        ended = Ended(["search", "--data", str(images), "--out", str(out), "--workers", "1", *words_of], capsys)
        assert ended.refuses(str(file), words)
        assert not out.exists()
    file = write_latencies(tmp_path / "table.json", SMALL, device="Pixel 1")
    assert resolved(images, {"latency": f"foreign:{file}"})[0].latency == f"foreign:{file}"


def test_a_block_that_a_table_lacks_is_named_before_the_search(images: Path, table: Path) -> None:
    told = json.loads(table.read_text())
    told["units"] = [row for row in told["units"] if row["name"] != "nor_conv_1x1"]
    table.write_text(json.dumps(told))
    with pytest.raises(UserError, match="has no time of nor_conv_1x1 2x8x8 -> 2x8x8"):
        open_problem(resolved(images, {"latency": table})[0])


def test_a_table_that_nothing_goes_by_is_told(images: Path, table: Path) -> None:
    changes = {"method.penalty": "null", "method.reference": "null", "latency": table}
    found, notes = resolved(images, changes)
    assert "latency has no meaning where nothing goes by milliseconds; it is not used" in notes
    assert open_problem(found).latency is None


class StopsAtOnce(Callback):
    def __init__(self) -> None:
        self.stop = Stop()

    def see(self, progress: object) -> None:
        self.stop.requested = True


def test_a_search_goes_on_with_the_same_table_only_and_on_another_machine_too(
    images: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted):
        start(recipe(images, {"latency": table, "search.epochs": 2}), tmp_path / "run", StopsAtOnce())
    content = table.read_text()
    write_latencies(table, SMALL, lambda unit: 2 * by_work(unit))
    with pytest.raises(UserError, match=r"table\.json: is not the table that .*run was started with; put it back"):
        resume(tmp_path / "run", Callback())
    table.write_text(content)
    monkeypatch.setattr("cleave.deploy.table.cpu_name", lambda: "another")
    assert resume(tmp_path / "run", Callback())["chosen"]["arch"]
