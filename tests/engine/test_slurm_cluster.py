"""What becomes of jobs, as SLURM tells it: gone on with, begun again, or one line that names the job and its log.

The jobs are the tests' own; test_slurm.py has real ones.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cleave.engine import slurm_cluster, slurm_executor, slurm_submitted
from cleave.engine.engine import Engine
from cleave.engine.losses import LOSSES
from cleave.engine.overview import Overview
from cleave.engine.progress import Progress
from cleave.engine.slurm_cluster import check_cluster, end_earlier
from cleave.engine.slurm_executor import SlurmExecutor
from cleave.engine.slurm_files import write_job
from cleave.engine.slurm_job import BARREN, SlurmTask
from cleave.engine.slurm_notes import BEAT, STOP, Notes, notes_of
from cleave.engine.slurm_submitted import ENDS
from cleave.engine.stop import Stop
from cleave.engine.told import Done
from cleave.errors import Interrupted, UserError
from tests.engine.test_pool import Errand, Idle, Listener

pytestmark = pytest.mark.skipif(find_spec("submitit") is None, reason="needs submitit: pip install '.[slurm]'")
GO_ON = "cleave resume 'a run' --engine slurm --slurm time=60"
ERROR = """Job (task=0) failed during processing with trace:
----------------------
{}
----------------------
You can check full logs with 'job.stderr(0)'"""


class Job:
    """One of SLURM's, as submitit shows it. At each look the next of its `plan` happens; asked to stop, it saves."""

    def __init__(self, number: int, order: SlurmTask, parameters: dict[str, Any], plan: list[Plan]) -> None:
        self.job_id, self.order, self.parameters, self.plan = str(number), order, parameters, list(plan)
        self.label: str = pickle.loads(order.task).label
        self.paths = SimpleNamespace(
            result_pickle=order.folder / f"{number}_0_result.pkl", stderr=order.folder / f"{number}_0_log.err"
        )
        self.paths.stderr.touch()
        self.paths.stderr.with_suffix(".out").touch()
        self.state, self.trace = "RUNNING", ""
        self.over = self.cancelled = self.stopped = False

    def done(self, force_check: bool = False) -> bool:
        self.stopped = (self.order.folder / BEAT).read_text() == STOP
        if self.plan:
            self.plan.pop(0)(self)
        elif self.stopped and self.state == "RUNNING":
            self.answer(Interrupted())
        self.over = self.paths.result_pickle.exists() or self.state.split()[0] in {*ENDS, "FAILED", "NODE_FAIL"}
        return self.over

    def tell(self, *told: Progress | str) -> None:
        for each in told:
            Notes(notes_of(self.order.folder, self.order.number)).write(each)

    def answer(self, answer: object) -> None:
        self.paths.result_pickle.write_bytes(pickle.dumps(answer))

    def become(self, state: str) -> None:
        self.state = state

    def fail(self, trace: str) -> None:
        self.trace = trace
        self.paths.result_pickle.touch()

    def result(self) -> bytes:
        from submitit.core.utils import FailedJobError

        if self.trace:
            raise FailedJobError(ERROR.format(self.trace))
        return self.paths.result_pickle.read_bytes()  # type: ignore[no-any-return]

    def cancel(self, check: bool = True) -> None:
        self.cancelled, self.state = True, "CANCELLED by 0"


Plan = Callable[[Job], object]


def tells(*told: Progress | str) -> Plan:
    return lambda job: job.tell(*told)


def answers(answer: object) -> Plan:
    return lambda job: job.answer(answer)


def becomes(state: str) -> Plan:
    return lambda job: job.become(state)


def steps(label: str) -> Plan:
    return tells(Progress(1, 9, label, "search"))


class Submitit:
    """Its executor. `plans`: by label, of the first job for it, the second, ..."""

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}
        self.jobs: list[Job] = []
        self.plans: dict[str, list[list[Plan]]] = {}
        self.refusal: Exception | None = None

    def update_parameters(self, **parameters: Any) -> None:  # noqa: ANN401
        self.parameters.update(parameters)

    def submit(self, order: SlurmTask) -> Job:
        if self.refusal is not None:
            print("sbatch: error: as submitit repeats it", file=sys.stderr)
            raise self.refusal
        plan = self.plans[pickle.loads(order.task).label].pop(0)
        self.jobs.append(Job(100 + len(self.jobs), order, dict(self.parameters), plan))
        return self.jobs[-1]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Submitit]:
    """Where nothing takes time. No job is left at the end."""
    monkeypatch.chdir(tmp_path)
    found = Submitit()
    monkeypatch.setattr(slurm_cluster, "submitit_executor", lambda folder, python: found)
    monkeypatch.setattr(slurm_executor, "check_cluster", lambda: None)
    monkeypatch.setattr(slurm_cluster, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(slurm_cluster, "LOOKS", 1e9)
    for name in ("ANSWER_SECONDS", "AGAIN_SECONDS"):
        monkeypatch.setattr(slurm_submitted, name, 0.0)
    monkeypatch.setattr(slurm_executor, "LOOK_SECONDS", 0.001)
    yield found
    assert all(job.cancelled or job.over for job in found.jobs), "a job is left"


def executor(count: int = 1, stop_soon: bool = False) -> tuple[SlurmExecutor[Errand, str], Listener]:
    """`stop_soon`: it is asked to stop once it has shown something."""
    listener = Listener()
    engine, stop = Engine(count, "slurm", None, {"time": 60}), listener.stop if stop_soon else Stop()
    return SlurmExecutor(engine, count, Idle(), stop, Overview(listener)), listener


def found(jobs: SlurmExecutor[Errand, str], *labels: str) -> list[tuple[Errand, str]]:
    """What all these tasks come to."""
    with jobs:
        for label in labels:
            jobs.begin(Errand(label))
        assert jobs.has_room == (len(labels) < jobs.count)
        return sorted((jobs.finished() for _ in labels), key=str)


def left() -> set[str]:
    """The files that the jobs of a run have left."""
    return {file.name for file in Path("a run").rglob("*") if file.is_file()}


def test_each_task_is_a_job_and_nothing_is_left_of_it(cluster: Submitit) -> None:
    jobs, listener = executor(2)
    cluster.plans = {label: [[steps(label), tells(f"a line of {label}"), answers(Done("found"))]] for label in "ab"}
    assert found(jobs, "a", "b") == [(Errand("a"), "found"), (Errand("b"), "found")]
    assert [job.label for job in cluster.jobs] == ["a", "b"]
    for job in cluster.jobs:
        asked = {"job_name": f"cleave-{job.order.folder.name}", "time": 60, "cpus_per_task": 1}
        assert job.parameters == {**asked, "additional_parameters": {"signal": "USR1@90", "requeue": True}}
    assert sorted(listener.seen) == ["a", "a, b"]
    assert sorted(listener.lines) == ["a line of a", "a line of b"]
    assert left() == set()


def test_a_machine_that_goes_costs_its_task_only_and_its_job_is_ended(cluster: Submitit) -> None:
    jobs, listener = executor()
    states = ["NODE_FAIL", "PREEMPTED"]
    cluster.plans["a"] = [*([becomes(state)] for state in states), [answers(Done("found"))]]
    assert found(jobs, "a") == [(Errand("a"), "found")]
    assert [job.cancelled for job in cluster.jobs] == [True, True, False]
    assert listener.lines == [
        f"a job of SLURM ended at a (job {100 + number}: {state}); another one goes on with it"
        for number, state in enumerate(states)
    ]


def test_one_that_is_preempted_and_put_back_into_the_queue_is_waited_for(
    cluster: Submitit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_submitted, "AGAIN_SECONDS", 90.0)
    jobs, listener = executor()
    cluster.plans["a"] = [[becomes("PREEMPTED"), becomes("PREEMPTED"), becomes("PENDING"), answers(Done("found"))]]
    assert found(jobs, "a") == [(Errand("a"), "found")]
    assert listener.lines == []


def test_a_task_is_not_begun_again_for_ever(cluster: Submitit) -> None:
    jobs, _ = executor()
    cluster.plans["a"] = [[answers(Interrupted())] for _ in range(LOSSES)]  # they took their run for gone
    with pytest.raises(UserError, match=rf"at a for the 3rd time \(was asked to stop\).*{GO_ON}$"):
        found(jobs, "a")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("TIMEOUT", "ran out of its time before it had saved; give it more by --slurm time"),
        ("OUT_OF_MEMORY", "ran out of memory; give it more by --slurm mem"),
        ("CANCELLED by 1000", "was cancelled"),
        ("FAILED", "ended without an answer (FAILED)"),
    ],
)
def test_a_job_that_ends_without_an_answer_is_one_line_with_its_log_and_the_others_are_saved(
    state: str, said: str, cluster: Submitit
) -> None:
    jobs, _ = executor(2)
    cluster.plans = {"a": [[becomes("RUNNING"), becomes(state)]], "b": [[steps("b")]]}
    with pytest.raises(UserError) as caught:
        found(jobs, "b", "a")
    line, failed = str(caught.value), cluster.jobs[1]
    assert line.startswith(f"SLURM job 101 at a {said}")
    assert line.endswith(f"(log: {failed.paths.stderr}); what was saved is intact: go on with: {GO_ON}")
    assert "\n" not in line
    assert (cluster.jobs[0].stopped, cluster.jobs[0].cancelled) == (True, False)
    assert failed.paths.stderr.is_file()
    assert left() == {f"{number}_0_log.{name}" for number in (100, 101) for name in ("err", "out")}


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ("Traceback:\n  File x\nModuleNotFoundError: none", r"failed \(ModuleNotFoundError: none\) \(log: .*err\)"),
        ("Error: Job not requeued because: checkpoint function returned None.", rf"ended {BARREN} times before it"),
    ],
)
def test_what_fails_beside_its_task_is_told_in_one_line(trace: str, said: str, cluster: Submitit) -> None:
    jobs, _ = executor()
    cluster.plans["a"] = [[partial(Job.fail, trace=trace)]]
    with pytest.raises(UserError, match=f"^SLURM job 100 at a .*{said}.*{GO_ON}$"):
        found(jobs, "a")


@pytest.mark.parametrize("error", [UserError("a key: is wrong"), RuntimeError("Traceback ...")])
def test_mistakes_in_a_job_are_told_as_in_one_process(error: Exception, cluster: Submitit) -> None:
    jobs, _ = executor()
    cluster.plans["a"] = [[answers(error)]]
    with pytest.raises(type(error), match=f"^{error}$"):
        found(jobs, "a")


def test_a_job_that_is_refused_is_one_line(cluster: Submitit, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.refusal = RuntimeError("sbatch: error: one\nsbatch: error: Invalid account")
    jobs, _ = executor()
    words = rf"^--engine slurm: sbatch refuses the job at a \(sbatch: error: Invalid account\); correct .*{GO_ON}$"
    with pytest.raises(UserError, match=words):
        found(jobs, "a")
    assert capsys.readouterr() == ("", "")
    assert left() == set()


def test_who_waits_is_told_once(cluster: Submitit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_submitted, "PATIENCE", 0.0)
    jobs, listener = executor()
    cluster.plans["a"] = [[*[becomes("PENDING")] * 3, answers(Done("found"))]]
    assert found(jobs, "a") == [(Errand("a"), "found")]
    assert listener.lines == ["SLURM has not started job 100 at a yet (PENDING); waiting for it"]


def test_who_is_asked_to_stop_ends_what_is_queued_and_waits_for_what_is_saved(cluster: Submitit) -> None:
    jobs, _ = executor(3, stop_soon=True)
    cluster.plans = {"a": [[becomes("PENDING")]], "b": [[]], "c": [[steps("c")]]}
    with pytest.raises(Interrupted):
        found(jobs, "a", "b", "c")
    assert [job.cancelled for job in cluster.jobs] == [True, False, False]
    assert [job.stopped for job in cluster.jobs] == [True, True, True]
    assert left() == set()


def test_one_that_does_not_save_in_time_is_cancelled(cluster: Submitit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_submitted, "SAVE_SECONDS", 0.01)
    jobs, _ = executor(stop_soon=True)
    cluster.plans["a"] = [[steps("a"), *[becomes("RUNNING")] * 10_000]]
    with pytest.raises(Interrupted):
        found(jobs, "a")
    assert cluster.jobs[0].cancelled


def commands(folder: Path, **scripts: str) -> None:
    """Commands that are found before all others."""
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)


def test_where_there_is_no_slurm_or_none_that_tells_of_ends_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"^--engine slurm: there is no sbatch, srun, .* here; run cleave where jobs"):
        check_cluster()
    commands(tmp_path, sbatch="", srun="", scancel="", scontrol="", sacct="")
    check_cluster()
    commands(tmp_path, sacct="echo Slurm accounting storage is disabled >&2; exit 1")
    with pytest.raises(UserError, match=r"sacct does not tell how jobs end \(Slurm accounting storage is disabled\)"):
        check_cluster()


def test_the_jobs_of_a_run_that_was_killed_are_ended_by_whoever_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands(tmp_path / "bin", scancel=f'echo "$@" >> {tmp_path / "asked"}')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    folders = [write_job(tmp_path / "run", Idle()) for _ in range(2)]
    (tmp_path / "run" / "slurm" / "logs").mkdir()
    end_earlier(tmp_path / "run")
    asked = {f"--quiet --name=cleave-{folder.name}" for folder in folders}
    assert set((tmp_path / "asked").read_text().splitlines()) == asked
    assert list((tmp_path / "run").iterdir()) == []
    end_earlier(tmp_path / "run")
