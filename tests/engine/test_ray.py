"""Ray's workers: the same bytes as in one process, nothing lost, and nothing left over, however they end.

A Ray takes ten seconds to start. What does not need one is tested in test_pool.py and test_engine.py.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

import cleave
from cleave.config import load_recipe
from cleave.engine.engine import Engine
from cleave.engine.progress import Callback, Progress
from cleave.errors import UserError
from cleave.search.runner import resume, start
from tests.process import PATIENCE, Started, at_work, until
from tests.registries import as_they_were
from tests.search.test_workers import begin, content, leaves, without_workers
from tests.tiny import EVERY_STEP, HERE, RSPS, SIZES, Ended, found, part_generations, same, search, sets, write_images

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")

Capture = pytest.CaptureFixture[str]
CHAIN = Path(__file__).parents[2] / "docs" / "examples" / "chain.py"
RAY = ("--engine", "ray", "--workers", "2")


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    with as_they_were():
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@contextmanager
def nothing_left() -> Iterator[Started]:
    """What is started with its mark in the environment is gone at the end, with its folders."""
    started, before = Started(), set(Path("/tmp").glob("cleave-ray-*"))
    yield started
    until(lambda: not started.processes)
    until(lambda: set(Path("/tmp").glob("cleave-ray-*")) <= before)


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}


def test_a_search_of_ones_own_space_in_a_thread_leaves_the_same_bytes_and_the_process_as_it_was(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Progress] = []
    heard: list[set[str]] = []
    result: list[cleave.SearchResult] = []

    class Looking(Callback):
        def see(self, progress: Progress) -> None:
            if not seen:
                heard.append(started.heard_at)
            seen.append(progress)

    settings = {key: value for key, value in SIZES.items() if key != "space.ops"} | {"split.splits": 1}
    wanted = {"space": f"{CHAIN}:Chain", "data": images, "settings": settings}

    def work() -> None:
        out, callbacks = tmp_path / "two", [Looking()]
        result.append(cleave.search(engine="ray", workers=2, out=out, callbacks=callbacks, **wanted))

    before = [signal.getsignal(number) for number in signal.valid_signals()]
    with nothing_left() as started:
        monkeypatch.setenv(*started.mark.split("="))
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    cleave.search(out=tmp_path / "one", **wanted)
    assert same(tmp_path / "one", tmp_path / "two")
    assert leaves(tmp_path / "one") == leaves(tmp_path / "two")
    assert result[0].arch in (tmp_path / "one" / "result.json").read_text()
    assert 0 < seen[-1].done <= seen[-1].total
    assert heard[0]
    assert heard[0] <= LOOPBACK, "other machines could reach it"
    assert [signal.getsignal(number) for number in signal.valid_signals()] == before
    assert "ray" not in sys.modules


def holders(out: Path) -> set[int]:
    """The processes that hold tasks, by their locks."""
    return {int(number) for lock in found(out, "parts/*/lock") for number in re.findall(r"\d+", content(lock))}


def running(started: Started, words: list[str], out: Path, at_once: int = 2) -> subprocess.Popen[str]:
    """A search in a session of its own whose workers are at it, each task saved now and then."""

    def far_enough() -> bool:
        return len(holders(out)) == at_once and len(part_generations(out)) >= at_once

    return at_work([*words, *RAY], far_enough, True, dict([started.mark.split("=")]))


LONG = {
    **RSPS, "search.checkpoint_seconds": 0.05, "search.epochs": 100, "split.splits": 1, "trust.control": 0,
}  # fmt: skip
"""Two leaves, for long enough to be found at work."""


def test_a_worker_that_is_killed_costs_its_task_only(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with nothing_left() as started, running(started, without_workers(search(images, out, LONG)), out) as process:
        os.kill(random.choice(sorted(holders(out))), signal.SIGKILL)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr
    assert " ".join(stderr.split()).count("; another one goes on with it") == 1, stderr
    begin(images, tmp_path / "whole", LONG, 1)
    assert same(tmp_path / "whole", out)
    assert leaves(tmp_path / "whole") == leaves(out)


def to_all(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)


def terminate(process: subprocess.Popen[str]) -> None:
    for _ in range(2):  # as `timeout` does: to the process and then to its group
        os.killpg(process.pid, signal.SIGTERM)


@pytest.mark.parametrize("ask", [terminate, to_all])
def test_who_is_asked_to_stop_saves_all_and_goes_on_with_another_engine(
    ask: Callable[[subprocess.Popen[str]], None], images: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    with nothing_left() as started, running(started, without_workers(search(images, out, LONG)), out) as process:
        newest = max(part_generations(out))
        ask(process)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1] == f"cleave: interrupted and saved; go on with: cleave resume {out}"
    assert "Traceback" not in stderr
    assert len({generation.parent for generation in part_generations(out)}) == 2
    assert max(part_generations(out)) > newest
    assert Ended(["resume", str(out), *HERE, "--json"], capsys).status == 0
    begin(images, tmp_path / "whole", LONG, 1)
    assert same(tmp_path / "whole", out)


def test_a_search_that_is_killed_leaves_no_ray_and_goes_on_with_one(images: Path, tmp_path: Path) -> None:
    changes = {**LONG, **EVERY_STEP, "search.epochs": 40}
    out = tmp_path / "run"
    with nothing_left() as started, running(started, without_workers(search(images, out, changes)), out) as process:
        process.kill()
    resume(out, Callback(), Engine(2, "ray"))
    begin(images, tmp_path / "whole", changes, 1)
    assert same(tmp_path / "whole", out)


def test_what_the_user_can_correct_in_a_worker_is_said_as_in_one_process(images: Path, tmp_path: Path) -> None:
    wild = {**RSPS, **EVERY_STEP, "method.learning_rate": 1e30, "method.clip": 1e30}
    settings = [f"{key}={value}" for key, value in {**SIZES, **wild, "data.name": images}.items()]
    words = r"leaf [01]\.[01], step \d+: the loss is nan; try a smaller method\.learning_rate"
    with pytest.raises(UserError, match=words):
        start(load_recipe(None, settings, {}), tmp_path / "run", Callback(), Engine(2, "ray"))
    assert part_generations(tmp_path / "run")


OF_THEIR_OWN = """
import sys
import ray
import cleave

ray.init(num_cpus=2, resources={"fast": 1}, include_dashboard=False, log_to_driver=False)
address = ray.get_runtime_context().gcs_address
folder, chain, images = sys.argv[1:]
small = {"space.channels": 2, "data.image_size": 8, "search.epochs": 1, "search.batch_size": 8, "split.batches": 1,
         "split.splits": 1, "trust.control": 1, "trust.panel": 2, "threads": 1, "method.name": "rsps"}
print(*(cleave.search(space=f"{chain}:Chain", data=images, out=f"{folder}/{name}", settings=small, workers=workers,
    engine=engine, address=given, resources=resources).arch for name, workers, engine, given, resources in (
    ("one", 1, "process", None, {}), ("found", None, "ray", None, {"CPU": 0.5, "fast": 0.5}),
    ("given", 9, "ray", address, {}))))
assert ray.is_initialized()
assert ray.get(ray.remote(lambda: 5).remote()) == 5
for name, threads, resources in (("large", 64, {}), ("fast", 1, {"fast": 2})):
    try:
        cleave.search(data=images, out=f"{folder}/{name}", settings={**small, "threads": threads}, engine="ray",
            resources=resources)
    except cleave.UserError as error:
        print(error)
"""


def test_a_ray_that_runs_already_is_used_and_left_alone_also_for_a_space_of_ones_own(
    images: Path, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(OF_THEIR_OWN)
    (tmp_path / "home").mkdir()
    words = [sys.executable, str(tmp_path / "program.py"), str(tmp_path), str(CHAIN), str(images)]
    with nothing_left() as started:
        marked = {**os.environ, **dict([started.mark.split("=")])}
        paths = {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path / "home")}
        ended = subprocess.run(words, env={**marked, **paths}, capture_output=True, text=True, timeout=PATIENCE)
        assert ended.returncode == 0, ended.stderr
    first, *refused = ended.stdout.splitlines()[-3:]
    assert len(set(first.split())) == 1
    for line, words in zip(refused, ("64 CPU", "1 CPU and 2 fast"), strict=True):
        assert re.fullmatch(rf"--address .*: none of its machines has {words} for a worker .*", line)
    for name in ("found", "given"):
        assert same(tmp_path / "one", tmp_path / name)


STUDY = {
    "space.channels": 2, "space.children": 6, "data.name": "bundled", "data.limit": 60, "data.image_size": 8,
    "training.epochs": 1, "looks.dense": 2, "looks.images": 10, "instances": 2,
}  # fmt: skip


def test_a_study_of_a_space_of_ones_own_leaves_the_same_bytes(tmp_path: Path, capsys: Capture) -> None:
    for name, how in (("one", HERE), ("two", RAY)):
        words = ["study", "--space", f"{CHAIN}:Chain", *sets(STUDY), "--out", str(tmp_path / name), *how]
        ended = Ended(words, capsys)
        assert ended.status == 0, ended.err
    logs = [(tmp_path / name / "log.parquet").read_bytes() for name in ("one", "two")]
    assert logs[0] == logs[1]
