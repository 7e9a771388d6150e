"""What a worker takes of a Ray that counts. Ray is not needed here."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from cleave.engine import engine
from cleave.engine.engine import Engine
from cleave.engine.overview import Overview
from cleave.engine.progress import Callback
from cleave.engine.ray_executor import RayExecutor
from cleave.engine.ray_resources import NOTHING, Need, need, read_resources
from cleave.engine.stop import Stop
from cleave.errors import UserError
from tests.engine.test_pool import Errand, Idle


def test_words_and_python_say_the_same() -> None:
    words = ["CPU=2", "GPU=0.25", "fast:disk=1e0"]
    assert read_resources(words) == read_resources({"CPU": 2, "GPU": 0.25, "fast:disk": 1}) == {
        "CPU": 2.0, "GPU": 0.25, "fast:disk": 1.0,
    }  # fmt: skip
    assert read_resources(None) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["GPU"], "--resources 'GPU': write NAME=VALUE, as in --resources GPU=0.5"),
        (["GPU=1", "GPU=1"], "--resources GPU: is there 2 times"),
        (["GPU=1.5"], "--resources GPU='1.5': has to be a whole number, or a part of one"),
        (["GPU=0.00001"], "with four digits at most"),
        (["GPU=-1"], "has to be a whole number"),
        (["GPU=nan"], "has to be a whole number"),
        (["GPU=inf"], "has to be a whole number"),
        ({"GPU": "many"}, "has to be a whole number"),
        (["memory=5"], "--resources memory: is nothing that a worker takes"),
        ({"two words": 1}, "--resources two words: is nothing that a worker takes"),
    ],
)
def test_what_no_ray_gives_is_one_line(given: list[str] | dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_resources(given)


def test_a_worker_takes_its_threads_and_one_gpu_unless_told_otherwise() -> None:
    assert need({}, threads=3, on_gpu=False).amounts == {"CPU": 3, "GPU": 0}
    told = need({"GPU": 0.5, "fast": 1}, threads=1, on_gpu=True)
    assert told.options == {"num_cpus": 1, "num_gpus": 0.5, "resources": {"fast": 1}}
    assert told.words == "1 CPU and 0.5 GPU and 1 fast"
    with pytest.raises(UserError, match="--resources GPU=0: a worker that computes on a GPU takes at least a part"):
        need({"GPU": 0}, threads=1, on_gpu=True)


def test_a_machine_has_room_for_as_many_as_fit_exactly() -> None:
    for _ in range(200):
        each = {name: random.randint(1, 10_000) for name in ("CPU", "GPU")}
        has = {name: random.randint(0, 8) for name in each}
        fits = min(int(Fraction(has[name]) / Fraction(each[name], 10_000)) for name in each)
        assert Need({name: part / 10_000 for name, part in each.items()}).fits(has) == fits
    assert Need({"CPU": 0.1, "GPU": 0}).fits({"CPU": 1.0}) == 10  # 1.0 // 0.1 is 9
    assert Need({"CPU": 1, "GPU": 0, "fast": 1}).fits({"CPU": 8.0}) == 0
    assert NOTHING.fits({}) is None


def test_a_ray_that_is_started_for_a_run_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "version", lambda name: "2.60.0")
    asked = Engine(2, "ray", None, {}, {"GPU": 0.5})
    with pytest.raises(UserError, match="--resources: a Ray that is started for a run counts nothing; give the"):
        RayExecutor[Errand, str](asked, 2, Idle(), Stop(), Overview(Callback()))
