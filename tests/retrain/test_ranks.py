"""Several processes that train one network: two of gloo's on the CPU are one with the same batch."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from cleave.retrain.norms import SharedBatchNorm
from cleave.retrain.ranks import ALONE
from tests.process import PATIENCE, until
from tests.retrain.ranks_main import steps
from tests.retrain.small import GENOTYPE
from tests.tiny import write_images

ROOT = Path(__file__).parents[2]


@contextmanager
def processes(words: Sequence[str], count: int = 2) -> Iterator[list[subprocess.Popen[str]]]:
    """As torchrun starts them; whatever goes wrong, they do not outlive this."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count)}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **where, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(count)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def test_two_processes_train_as_one() -> None:
    """The batch of one, its dropped paths, mixed images and normalisations are divided: the same losses to 1e-5."""
    with processes(["tests.retrain.ranks_main"]) as started:
        ended = [process.communicate(timeout=PATIENCE) for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    found = [json.loads(out) for out, _ in ended]
    assert found[0] == found[1], "they ended with other networks"
    whole = steps(ALONE)
    assert found[0]["losses"] == pytest.approx(whole["losses"], rel=1e-5)
    assert found[0]["accuracy"] == pytest.approx(whole["accuracy"])


def test_a_killed_process_is_an_error_of_the_others(tmp_path: Path) -> None:
    """One line that says how to go on, and the checkpoint is there. Nobody waits for ever."""
    words = ["cleave", "train", GENOTYPE, "--space", "darts", "--data", str(write_images(tmp_path / "images", each=24))]
    small = ["data.image_size=8", "space.channels=2", "training.batch_size=8", "training.epochs=1000000"]
    run = tmp_path / "run"
    with processes([*words, *small, "checkpoint_seconds=0", "--out", str(run)]) as (first, second):
        until(lambda: (run / "checkpoints" / "000004").exists() or first.poll() is not None)
        assert first.poll() is None, first.communicate()
        second.send_signal(signal.SIGKILL)
        _, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == 2, err
    *_, last = err.splitlines()
    assert last.startswith("cleave: another process of this training has ended")
    assert "Traceback" not in err


def test_a_shared_normalisation_alone_is_that_of_torch() -> None:
    """By its running statistics in evaluation mode, where no process is asked."""
    norm = nn.BatchNorm2d(3).double()
    norm(torch.randn(5, 3, 4, 4, dtype=torch.float64))
    shared = SharedBatchNorm(3).double()
    shared.load_state_dict(norm.state_dict())
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(shared.eval()(x), norm.eval()(x))
