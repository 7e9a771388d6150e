"""A training by other hands: a worker of Ray's, several processes here; the same network, whoever trains it."""

from __future__ import annotations

import json
import os
import signal
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest

import cleave
from cleave.engine import slurm_cluster, slurm_executor
from cleave.errors import UserError
from cleave.retrain.runner import Hands
from tests.process import PATIENCE, at_work, until
from tests.retrain.killing import outcome
from tests.tiny import Ended, found, write_images

Capture = pytest.CaptureFixture[str]
KEYS = ["training.batch_size=12", "training.ema=.9", "threads=1", "checkpoint_seconds=0.05"]
RESNET = ["timm:test_resnet", "data.image_size=32", *KEYS]
RAY = ["--engine", "ray"]
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def training(images: Path, out: Path, *more: str) -> list[str]:
    return ["train", *RESNET, "training.epochs=3", "--data", str(images), "--out", str(out), "--json", *more]


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    keys = {"training.epochs": 3, "training.batch_size": 12, "training.ema": 0.9, "threads": 1, "data.image_size": 32}
    keys["checkpoint_seconds"] = 0.05
    cleave.train("timm:test_resnet", data=images, settings=keys, out=out)
    return out


@needs_ray
def test_a_worker_of_rays_leaves_the_same_bytes(images: Path, whole: Path, tmp_path: Path, capfd: Capture) -> None:
    ended = Ended(training(images, tmp_path / "run", *RAY), capfd)
    assert ended.status == 0, ended.err
    assert outcome(tmp_path / "run") == outcome(whole)
    assert json.loads(ended.out)["run"] == str(tmp_path / "run")


@pytest.mark.skipif(find_spec("submitit") is None, reason="needs submitit: pip install '.[slurm]'")
def test_a_job_of_slurm_that_is_preempted_leaves_the_same_bytes(
    images: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    import submitit

    monkeypatch.setattr(slurm_executor, "check_cluster", lambda: None)
    local = lambda folder, python: submitit.LocalExecutor(folder, python=python)  # noqa: E731
    monkeypatch.setattr(slurm_cluster, "submitit_executor", local)
    out, preempted = tmp_path / "run", list[int]()

    def preempt() -> None:
        until(lambda: losses(out))
        preempted.extend(at_it(out))
        os.kill(preempted[0], signal.SIGUSR1)

    thread = threading.Thread(target=preempt, daemon=True)
    thread.start()
    words = training(images, out, "--engine", "slurm", "--slurm", "time=60", "training.epochs=40")
    ended = Ended(words, capsys)
    assert ended.status == 0, ended.err
    thread.join()
    assert preempted
    assert Ended(training(images, tmp_path / "one", "training.epochs=40"), capsys).status == 0
    assert outcome(out) == outcome(tmp_path / "one")
    assert not (out / "slurm").exists()


def at_it(run: Path) -> list[int]:
    """The processes that do the jobs of a run."""
    return [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if b"submitit" in (line := command_of(folder)) and str(run).encode() in line
    ]


def command_of(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def losses(run: Path) -> list[float]:
    if not (run / "events.jsonl").exists():
        return []
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [event["loss"] for event in events if event["kind"] == "epoch"]


def test_two_processes_are_asked_to_stop_and_go_on_to_the_same_bytes(
    images: Path, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    words = training(images, out, "--processes", "2")
    with at_work(words, lambda: len(found(out, "checkpoints/*")) > 1 and losses(out), new_session=True) as process:
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode in (0, 130), told
    if process.returncode == 130:
        assert told.splitlines()[-1] == f"cleave: interrupted and saved; go on with: cleave resume {out}"
        ended = Ended(["resume", str(out), "--processes", "2", "--json"], capsys)
        assert ended.status == 0, ended.err
    assert Ended(training(images, tmp_path / "together", "--processes", "2"), capsys).status == 0
    assert outcome(out) == outcome(tmp_path / "together")
    assert losses(out)[0] == pytest.approx(losses(whole)[0], rel=1e-3), "of one process, which rounds otherwise"


def test_what_is_wrong_in_one_of_them_is_one_line(images: Path, tmp_path: Path, capsys: Capture) -> None:
    words = training(images, tmp_path / "run", "--processes", "5")
    assert Ended(words, capsys).refuses("training.batch_size=12: cannot be divided among 5 processes")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "timm:test_resnet", "--processes", "0"], "--processes"),
        (["train", "timm:test_resnet", "--address", "a:1"], "--engine ray"),
    ],
)
def test_hands_that_cannot_be_are_refused(words: list[str], told: str, capsys: Capture) -> None:
    assert Ended(words, capsys).refuses(told)


def test_processes_open_their_images_themselves() -> None:
    with pytest.raises(UserError, match="--processes: each opens the images by itself"):
        Hands(processes=2).check([])  # type: ignore[arg-type]


def test_torchruns_own_processes_start_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "WORLD_SIZE", "2")
    with pytest.raises(UserError, match="torchrun has started the processes already"):
        Hands(processes=2)
