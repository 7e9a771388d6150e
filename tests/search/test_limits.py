"""Limits of a recipe: by flags and keys, kept by whatever is searched, refused where nothing keeps them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.cli import run
from cleave.config import load_recipe
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.method import METHODS
from cleave.method.architecture import ArchitectureMethod
from cleave.net.cost import costs
from cleave.resolve import resolve
from cleave.search.problem import open_problem
from cleave.search.runner import start
from cleave.settings import Recipe
from cleave.space import Limited, NetworkSize, find_space
from tests.deploy.made import SMALL, write_latencies
from tests.tiny import SIZES, search, write_images

SPACE = find_space("nasbench201", ["none", "skip_connect", "nor_conv_1x1"])
COSTS = costs(SPACE, NetworkSize(2, 1), (3, 8, 8), 2)
LEAST, MOST = COSTS.extremes(SPACE.parts(SPACE.region), "multiply_adds")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def recipe(images: Path, changes: dict[str, Any]) -> Recipe:
    settings = {**SIZES, "data.name": images, "trust.control": 0, "trust.panel": 0, "split.splitter": "none"}
    return load_recipe(None, [f"{key}={value}" for key, value in {**settings, **changes}.items()], {})


@pytest.mark.parametrize(("text", "amount"), [("300M", 300_000_000), ("1.5k", 1500), ("2g", 2 * 10**9), ("70", 70)])
def test_amounts_may_be_written_in_short(text: str, amount: int) -> None:
    assert load_recipe(None, [f"limits.macs={text}"], {}).limits.macs == amount


@pytest.mark.parametrize("text", ["-3M", "0", "1.23k4", "0.0001k", "5,000", "true", "3.5", "many", "1e9999M"])
def test_what_is_no_amount_is_refused_by_its_key(text: str, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", "--data", str(images), f"--max-params={text}"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("cleave: limits.params: ")
    assert len(told.splitlines()) == 1


def test_flags_are_the_keys_and_the_result_tells_what_the_chosen_one_costs(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    middle = (LEAST + MOST) // 2
    assert run([*search(images, tmp_path / "run"), "--max-macs", str(middle), "--max-params", "1M"]) == 0
    told = json.loads(capsys.readouterr().out)
    cost = COSTS.of(SPACE.parse(told["chosen"]["arch"]))
    assert told["limits"]["macs"] == {"most": middle, "chosen": cost.multiply_adds}
    assert told["limits"]["params"] == {"most": 10**6, "chosen": cost.parameters}
    assert cost.multiply_adds <= middle
    assert run(["show", str(tmp_path / "run")]) == 0
    assert f"multiply-adds: {cost.multiply_adds:,} of at most {middle:,}" in capsys.readouterr().out


def test_where_nothing_keeps_the_limits_the_least_and_its_architecture_are_told_and_nothing_is_made(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*search(images, tmp_path / "run"), "--max-macs", "7"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "cleave: limits.macs: space nasbench201: no architecture keeps to 7 multiply-adds; the least"
    )
    arch = told.partition("that of ")[2].partition(";")[0]
    least = min(COSTS.of(arch).multiply_adds for arch in SPACE.every(SPACE.region) if SPACE.valid(arch))
    assert COSTS.of(SPACE.parse(arch)).multiply_adds == least
    assert f"{least:,} multiply-adds" in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["darts", "proxyless", "rsps", "random"])
def test_no_search_ever_chooses_what_is_above(method: str, images: Path, tmp_path: Path) -> None:
    """200 with each: any limit that something keeps, of one kind or both, any seed."""
    for number in range(200):
        arch = SPACE.sample(SPACE.region, torch.Generator().manual_seed(number))
        cost = COSTS.of(arch)
        limits = {"limits.macs": cost.multiply_adds, "limits.params": cost.parameters}
        kept = dict(random.sample(sorted(limits.items()), k=random.randint(1, 2)))
        changes = {"method.name": method, "seed": number, "search.checkpoint_seconds": 1000, **kept}
        result = start(recipe(images, changes), tmp_path / f"{number}", Callback())
        chosen = COSTS.of(SPACE.parse(result["chosen"]["arch"]))
        assert chosen.multiply_adds <= kept.get("limits.macs", MOST)
        assert chosen.parameters <= kept.get("limits.params", 10**9)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_latencies(tmp_path / "table.json", SMALL)


def test_a_limit_on_milliseconds_goes_by_the_table_and_the_chosen_network_is_timed(
    images: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thousandth of a millisecond for a thousand multiply-adds, so that it is clear what is within."""
    most = (LEAST + MOST) / 2e6
    words = ["--max-latency", f"{most}ms", "--latency", str(table)]
    assert run([*search(images, tmp_path / "run", {"split.splitter": "none"}), *words]) == 0
    told = json.loads(capsys.readouterr().out)
    macs = COSTS.of(SPACE.parse(told["chosen"]["arch"])).multiply_adds
    assert told["limits"]["latency"] == {"most": most, "chosen": pytest.approx(macs / 1e6)}
    assert macs / 1e6 <= most
    assert told["measured"]["milliseconds"] > 0
    assert run(["show", str(tmp_path / "run")]) == 0
    assert " measured" in capsys.readouterr().out
    assert run(["front", str(tmp_path / "run"), "--cost", "latency", "--points", "3", "--json"]) == 0
    members = json.loads(capsys.readouterr().out)["members"]
    assert all(
        member["latency"] == pytest.approx(member["macs"] / 1e6) and member["latency"] <= most for member in members
    )


def test_the_network_of_a_table_of_another_device_is_not_timed(images: Path, tmp_path: Path) -> None:
    table = write_latencies(tmp_path / "table.json", SMALL, device="another")
    changes = {"limits.latency": "9s", "latency": f"foreign:{table}"}
    assert "measured" not in start(recipe(images, changes), tmp_path / "run", Callback())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"limits.latency": "8ms"}, "latency: milliseconds are asked for; give latency=FILE"),
        ({"limits.latency": "0.001us"}, "limits.latency: "),
        ({"limits.latency": "-1ms"}, "limits.latency: "),
        ({"limits.latency": "1e-9", "latency": "TABLE"}, "limits.latency: space nasbench201: no architecture keeps to"),
        ({"limits.latency": "1s", "latency": "TABLE", "limits.image_size": 16}, "resolution 8, and 16 is asked for"),
    ],
)
def test_what_a_table_cannot_tell_is_refused(changes: dict[str, Any], words: str, images: Path, table: Path) -> None:
    given = {key: str(value).replace("TABLE", str(table)) for key, value in changes.items()}
    with pytest.raises(UserError) as refused:
        open_problem(resolve(recipe(images, given), SPACE)[0])
    assert words in str(refused.value)


def test_costs_may_be_those_at_another_size(images: Path) -> None:
    """Of the network that will be used, which is wider and sees larger images than that of the search."""
    changes = {"limits.macs": 10**6, "limits.space": "{channels: 6}", "limits.image_size": 16}
    problem = open_problem(resolve(recipe(images, changes), SPACE)[0])
    larger, generator = costs(SPACE, NetworkSize(6, 1), (3, 16, 16), 2), torch.Generator()
    for _ in range(5):
        arch = SPACE.sample(SPACE.region, generator)
        assert problem.space.cost_of(arch) == {"multiply_adds": larger.of(arch).multiply_adds}


def test_a_size_that_the_space_has_not_is_refused_by_its_key(images: Path) -> None:
    changes = {"limits.macs": 10**6, "limits.space": "{width: 6}"}
    with pytest.raises(UserError, match=r"^limits\.space\.width: "):
        open_problem(resolve(recipe(images, changes), SPACE)[0])


def test_a_key_without_a_meaning_gets_a_note() -> None:
    for changes, words in (
        (["limits.penalty=2"], "limits.penalty has no meaning without"),
        (["limits.macs=1M", "limits.penalty=2", "method.name=rsps"], "learns no weights"),
    ):
        assert words in " ".join(resolve(load_recipe(None, changes, {}), find_space("nasbench201"))[1])


@pytest.mark.parametrize("name", ["darts", "snas", "drnas", "gdas", "proxyless"])
def test_what_is_above_the_limits_is_left_by_the_gradient_of_the_penalty(name: str) -> None:
    """Beside a loss that says nothing; within the limits nothing is added."""
    kind = METHODS[name]
    assert issubclass(kind, ArchitectureMethod)
    for most, moves in ((LEAST, True), (MOST, False)):
        limited = Limited(SPACE, COSTS, {"multiply_adds": most + 200})
        method = kind(kind.settings_class(), limited, limited.region, torch.Generator().manual_seed(0))
        method.limit_penalty = 3.0
        before = {choice: alpha.detach().clone() for choice, alpha in method.alpha.items()}
        excess = limited.excess(limited.region, method.architecture_weights())
        wanted = torch.autograd.grad(3 * excess, list(method.alpha.values()), materialize_grads=True)
        method.move([torch.zeros_like(alpha) for alpha in method.alpha.values()])
        state = [method.optimizer.state[alpha]["exp_avg"] for alpha in method.alpha.values()]
        beta, decay = method.settings.architecture_betas[0], method.settings.architecture_weight_decay
        for mean, gradient, start_at in zip(state, wanted, before.values(), strict=True):
            torch.testing.assert_close(mean, (1 - beta) * (gradient + decay * start_at))
        assert any(gradient.abs().max() > 0 for gradient in wanted) is moves
