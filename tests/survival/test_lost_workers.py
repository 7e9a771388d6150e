"""Ray's workers killed, the search itself killed, whole machines lost: each costs its task, and no byte."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.engine.test_ray import RAY, nothing_left
from tests.process import PATIENCE, Started, at_work, until
from tests.search.test_workers import alive, content, holders
from tests.survival.conftest import Wholes
from tests.survival.living import Life
from tests.survival.runs import ONE, as_if_nothing_had_been, gone_on_with, searching
from tests.tiny import RSPS, part_generations

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")

LONG = {**RSPS, "search.checkpoint_seconds": 0.05, "search.epochs": 800, "trust.control": 0}
"""Two leaves, for long enough to be found at work."""
LONGER = {**LONG, "search.epochs": 1300}
"""For as many sessions."""
SEARCHES, DRIVERS, MACHINES = 10, 19, 5


@pytest.fixture(scope="session")
def long(wholes: Wholes) -> Path:
    """A whole run of such a search."""
    out = wholes.images.with_name("long")
    life = Life(searching(wholes.images, out, *ONE, kind=LONG), out.parent).ended()
    assert life.status == 0, life.err
    return out


def under_way(started: Started, words: list[str], run: Path) -> subprocess.Popen[str]:
    """The process of a search both of whose leaves are at work, each saved by now."""

    def far_enough() -> bool:
        return len([each for each in holders(run) if alive(each)]) == 2 and len(part_generations(run)) >= 2

    return at_work(words, far_enough, True, dict([started.mark.split("=")]))  # type: ignore[return-value]


def kill_worker_at(leaf: str, run: Path, but: set[int]) -> None:
    """Kills the worker that is at a leaf, once there is one that is none of these; it is one of them then."""
    until(lambda: workers_at(leaf, run) - but)
    (victim,) = workers_at(leaf, run) - but
    os.kill(victim, signal.SIGKILL)
    but.add(victim)


def workers_at(leaf: str, run: Path) -> set[int]:
    """The live process that holds a leaf, if there is one."""
    return {int(number) for number in re.findall(r"\d+", content(run / "parts" / leaf / "lock")) if alive(int(number))}


@pytest.mark.parametrize("number", range(SEARCHES))
def test_workers_that_are_killed_cost_their_tasks_only(number: int, long: Path, wholes: Wholes, tmp_path: Path) -> None:
    """Three of them; a third of the same leaf would end the run."""
    run = tmp_path / "run"
    words = searching(wholes.images, run, *RAY, kind=LONG)
    with nothing_left() as started, under_way(started, words, run) as process:
        killed = set[int]()
        for leaf in random.choice(["010", "101", "011", "100"]):
            kill_worker_at(leaf, run, killed)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert " ".join(told.split()).count("; another one goes on with it") == len(killed) == 3, told
    assert as_if_nothing_had_been(run, long)


def test_a_search_that_is_killed_again_and_again_goes_on_each_time(wholes: Wholes, tmp_path: Path) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert Life(searching(wholes.images, whole, *ONE, kind=LONGER), tmp_path).ended().status == 0
    words = searching(wholes.images, run, *RAY, kind=LONGER)
    for _ in range(DRIVERS):
        before = part_generations(run)
        with (
            nothing_left() as started,
            at_work(
                words, lambda before=before: {*part_generations(run)} - {*before}, True, dict([started.mark.split("=")])
            ) as process,
        ):
            process.kill()
        words = ["resume", str(run), "--json", *RAY]
    ended = gone_on_with(run, words)
    assert ended.status == 0, ended.err
    assert as_if_nothing_had_been(run, whole)


CLUSTER = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
more = cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
for line in sys.stdin:
    cluster.remove_node(more, allow_graceful=False)
    print("lost", flush=True)
    more = cluster.add_node(num_cpus=1)
    print("back", flush=True)
cluster.shutdown()
"""


@contextmanager
def cluster(started: Started) -> Iterator[subprocess.Popen[str]]:
    """A Ray of two machines, which are this one; for each line that is written to it one is lost, and another comes."""
    words = [sys.executable, "-c", CLUSTER]
    environment = {**os.environ, **dict([started.mark.split("=")])}
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE)


def told_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", range(MACHINES))
def test_a_machine_that_is_lost_costs_its_tasks_only(number: int, long: Path, wholes: Wholes, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with nothing_left() as started, cluster(started) as machines:
        address = told_by(machines)
        words = searching(wholes.images, run, *RAY, "--address", address, kind=LONG)
        with under_way(started, words, run) as process:
            assert machines.stdin is not None
            machines.stdin.write("lose\n")
            machines.stdin.flush()
            assert told_by(machines) == "lost"
            _, told = process.communicate(timeout=PATIENCE)
        assert told_by(machines) == "back"
    assert process.returncode == 0, told
    assert "; another one goes on with it" in " ".join(told.split()), told
    assert as_if_nothing_had_been(run, long)
