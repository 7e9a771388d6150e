"""Memory that is kept, in a process of its own, since that cannot be taken back; and memory that there is not."""

from __future__ import annotations

import platform
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from cleave import memory
from cleave.engine.executor import SerialExecutor
from cleave.engine.job import performed
from cleave.engine.overview import Overview
from cleave.engine.processes import ProcessExecutor
from cleave.engine.progress import Callback
from cleave.engine.stop import NEVER, Stop
from cleave.engine.worker_process import answered
from cleave.free_memory import left_by_groups
from cleave.memory import OutOfMemory, lacks_memory, memory_for, seen_to_fit, too_large, within_memory
from cleave.net import Network
from cleave.search.scope import Standalone
from cleave.search.task import StandaloneTask, Task, TaskResult
from cleave.settings import NetworkSettings, SpaceSettings
from cleave.study.record.training import Training
from cleave.study.record.tuning import Tuning
from tests.retrain.small import images as retrained_images
from tests.retrain.small import trainer
from tests.study.small import small_study, trained
from tests.tiny import RSPS, Ended, search, write_images

COUNT = """
import resource
import torch
from cleave.memory import keep_memory

def work():
    return torch.ones(10 * 2**20).sum().item()

def faults():
    total = [work() for _ in range(4)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    total += [work() for _ in range(32)]
    assert set(total) == {10.0 * 2**20}
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(), keep_memory(), faults())
"""
GLIBC = sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc"


@pytest.mark.skipif(not GLIBC, reason="memory is kept with glibc only")
def test_large_tensors_that_come_and_go_do_not_fault_their_pages_in_again() -> None:
    found = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    usual, kept, keeping = found.stdout.split()
    assert kept == "True"
    # Of 32 tensors of 40 MiB each is mapped anew by default; kept, none is, but for the one or two that the heap
    # has to be extended for where something small came to lie in the way (seen once).
    assert 8 * int(keeping) < int(usual)


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory.keep_memory() is False


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_memory() is False


REFUSED = (
    "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"
)
"""What torch says on the CPU."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(REFUSED),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_a_lack_of_memory_is_known_by_whoever_says_it(error: MemoryError | RuntimeError) -> None:
    assert lacks_memory(error)
    with (
        pytest.raises(OutOfMemory, match=r"^it: there is not enough memory; lower this\.key$"),
        memory_for("it", "this.key"),
    ):
        raise error


def test_another_error_stays_what_it_is() -> None:
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert not lacks_memory(error)

    def fail() -> None:
        raise error

    for attempt in (lambda: within_memory(fail, lambda: OutOfMemory("")), lambda: seen_to_fit(8, lambda size: fail())):
        with pytest.raises(RuntimeError, match="mat1"):
            attempt()
    with pytest.raises(RuntimeError, match="mat1"), memory_for("it", "this.key"):
        fail()


def test_what_had_been_taken_is_free_again_when_smaller_sizes_are_tried() -> None:
    held = list[weakref.ref[torch.Tensor]]()

    def work() -> None:
        tensor = torch.ones(8)
        held.append(weakref.ref(tensor))
        raise MemoryError

    def explain() -> OutOfMemory:
        assert held[0]() is None
        return OutOfMemory("said")

    with pytest.raises(OutOfMemory, match="said"):
        within_memory(work, explain)


@pytest.mark.parametrize(
    ("size", "most", "found"), [(1000, 1000, 500), (1000, 499, 250), (6, 3, 3), (8, 2, 2), (6, 2, None), (3, 3, None)]
)
def test_the_size_that_is_named_was_tried(size: int, most: int, found: int | None) -> None:
    sizes: list[int] = []

    def attempt(size: int) -> None:
        sizes.append(size)
        if size > most:
            raise MemoryError

    assert seen_to_fit(size, attempt) == found
    assert found is None or sizes[-1] == found
    named = f"search.batch_size ({found} was seen to fit)" if found else "not even 2 images fit"
    assert named in str(too_large("it", "search.batch_size", size, "space.channels or space.cells", attempt, "cpu"))


CAPPED = """
import resource
from cleave.free_memory import free_bytes
from cleave.memory import capped

before = resource.getrlimit(resource.RLIMIT_AS)
with capped():
    try:
        block = bytearray(2 * free_bytes())
    except MemoryError:
        print("refused")
    few = bytearray(2**20)
print(resource.getrlimit(resource.RLIMIT_AS) == before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell what a process takes")
def test_sizes_that_do_not_fit_are_refused_before_the_system_kills_the_process() -> None:
    found = subprocess.run([sys.executable, "-c", CAPPED], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["refused", "True"]


def test_the_limits_of_control_groups_count(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("4:memory:/slurm/job\n1:cpu:/slurm\n0::/slice/job\n")
    groups = {
        "memory/slurm/job": ("memory.limit_in_bytes", 900, "memory.usage_in_bytes", 500, "total_inactive_file", 100),
        "memory": ("memory.limit_in_bytes", 2**63 - 4096, "memory.usage_in_bytes", 600, "total_inactive_file", 0),
        "slice/job": ("memory.max", "max", "memory.current", 7, "inactive_file", 7),
        "slice": ("memory.max", 50, "memory.current", 70, "inactive_file", 10),
    }
    for name, (limit, most, used, count, cached, copies) in groups.items():
        folder = tmp_path / "groups" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(limit)).write_text(f"{most}\n")
        (folder / str(used)).write_text(f"{count}\n")
        (folder / "memory.stat").write_text(f"anon 3\n{cached} {copies}\n")
    assert left_by_groups(own, tmp_path / "groups") == [500, 2**63 - 4096 - 600, 0]
    assert left_by_groups(tmp_path / "none", tmp_path / "groups") == []


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")


def fits_only(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on networks have room for so many images; with fewer they work as ever."""
    classify = Network.classify

    def limited(self: Network, history: list[torch.Tensor]) -> torch.Tensor:
        if len(history[-1]) > most and not history[-1].is_meta:
            raise RuntimeError(REFUSED)
        return classify(self, history)

    monkeypatch.setattr(Network, "classify", limited)


@pytest.mark.parametrize(
    "changes", [RSPS, {"split.warmup_epochs": 0}, {"split.warmup_epochs": 0, "split.rule": "race", "split.batches": 8}]
)
def test_a_search_without_enough_memory_names_a_batch_that_fits(
    changes: dict[str, object],
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fits_only(3, monkeypatch)
    ended = Ended(search(images, tmp_path / "run", changes), capsys)
    assert ended.refuses(
        "leaf ", "search.batch_size=8", "search.batch_size (2 was seen to fit)", "space.channels or space.cells"
    )


def test_judging_without_enough_memory_names_a_batch_that_fits(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fits_only(10, monkeypatch)
    ended = Ended(search(images, tmp_path / "run", RSPS), capsys)
    assert ended.refuses("search.eval_batch_size=250", "search.eval_batch_size (15 was seen to fit)")


def test_a_plan_names_a_batch_that_fits(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fits_only(3, monkeypatch)
    words = search(images, tmp_path)
    del words[words.index("--out") : words.index("--json")]
    assert Ended(["plan", *words[1:]], capsys).refuses("search.batch_size=8", "(2 was seen to fit)")


def test_a_study_names_a_mini_batch_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    study = small_study({"tune.epochs": [1]})
    training = trained(study)
    tuning, training = Tuning(study, 0, 0, training.snapshot()), Training(study, 0, 0)
    fits_only(5, monkeypatch)
    for learner in (training, tuning):
        with pytest.raises(OutOfMemory, match=r"training\.batch_size=16; .*training\.batch_size \(4 was seen to fit\)"):
            learner.advance()


@pytest.mark.parametrize(("accumulate", "fit"), [(1, 2), (2, 4)])
def test_a_training_from_scratch_names_a_batch_that_fits(
    accumulate: int, fit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a batch that goes through in two parts each has only half the images."""
    learner = trainer(accumulate=accumulate)
    fits_only(3, monkeypatch)
    wanted = (
        rf"training\.batch_size=8; .*training\.batch_size \({fit} was seen to fit\), .*a larger training\.accumulate$"
    )
    with pytest.raises(OutOfMemory, match=wanted):
        learner.advance()
    with pytest.raises(OutOfMemory, match=r"training\.eval_batch_size=\d+; .*\([23] was seen to fit\), network$"):
        learner.judge(retrained_images(10))


class Greedy:
    """A job for which there is never enough memory."""

    run, threads, sizes, images = Path("run"), 1, "this.key or that.key", ()

    def perform(self, part: Task, stop: Stop, callback: Callback) -> TaskResult:
        raise MemoryError


def test_elsewhere_in_a_part_the_keys_are_named_and_in_a_worker_also_the_number_of_them() -> None:
    executor, part = (
        SerialExecutor(Greedy(), NEVER, Overview(Callback())),
        StandaloneTask(Standalone("control 3", {}), 1),
    )
    executor.begin(part)
    with pytest.raises(OutOfMemory) as told:
        executor.finished()
    assert str(told.value) == "control 3: there is not enough memory; lower this.key or that.key"
    answer = answered(lambda: performed(Greedy(), part, NEVER, Callback()))
    for workers, more in ((2, "; or go on with fewer --workers"), (1, "")):
        pool = ProcessExecutor(workers, Greedy(), NEVER, Overview(Callback()))
        pool.workers = [cast("Any", None)] * workers
        assert str(pool._advised(cast("Exception", answer))) == f"{told.value}{more}"


def test_images_that_do_not_fit_are_named(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError(REFUSED)

    monkeypatch.setattr("cleave.opening.cut", refuse)
    assert Ended(search(images, tmp_path / "run"), capsys).refuses("images", "data.image_size or data.limit")


def test_the_keys_that_are_named_are_those_of_the_space() -> None:
    assert NetworkSettings().smaller_by == "space.channels or space.cells"
    assert SpaceSettings(name="chain").smaller_by == "another space"
