"""What goes wrong while a search runs: a loss that is not finite, a full disk, checkpoints that are none."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from cleave.run.generations import read_record
from tests.tiny import EVERY_STEP, HERE, RSPS, Ended, generations, part_generations, same, search, write_images

Capture = pytest.CaptureFixture[str]
WILD = {**EVERY_STEP, "method.learning_rate": 1e30, "method.clip": 1e30}
"""Goes well for one step."""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")


def saved(run_folder: Path) -> dict[Path, bytes]:
    """Every file of its checkpoints."""
    found = [*generations(run_folder), *part_generations(run_folder)]
    return {file: file.read_bytes() for generation in found for file in generation.iterdir()}


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(
    images: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    words = ["leaf root", "step", "nan", "method.learning_rate"]
    assert Ended(search(images, out, WILD), capsys).refuses(*words)
    kept = part_generations(out)
    assert kept
    for generation in kept:
        assert all(tensor.isfinite().all() for tensor in read_record(generation).weights.values())
    assert Ended(["resume", *HERE, str(out), "--json"], capsys).refuses(*words)
    assert not (out / "result.json").exists()


class FullDisk:
    """A disk that takes `room` more files and then no other."""

    def __init__(self, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room, self.fsync = room, os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor: int) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.fsync(descriptor)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_full_disk_leaves_the_last_checkpoint_and_once_there_is_room_the_run_goes_on(
    share: float, images: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        endless = FullDisk(1_000_000, patched)
        assert Ended(search(images, tmp_path / "whole", {**RSPS, **EVERY_STEP}), capsys).status == 0
        needed = 1_000_000 - endless.room
    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        FullDisk(int(needed * share) + int(torch.randint(8, ())), patched)
        ended = Ended(search(images, out, {**RSPS, **EVERY_STEP}), capsys)
        assert ended.refuses(str(out), "no space left", "cleave resume")
        before = saved(out)
        assert before
        assert Ended(["resume", *HERE, str(out), "--json"], capsys).refuses("no space left")
        assert saved(out).items() <= before.items()  # what is merged may be gone
        assert saved(out)
    assert Ended(["resume", *HERE, str(out), "--json"], capsys).status == 0
    assert same(out, tmp_path / "whole")


def test_a_checkpoint_of_something_else_is_named_and_not_loaded(images: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "run"
    assert Ended(search(images, out, WILD), capsys).status == 2
    for generation in part_generations(out):
        weights = generation / "weights.safetensors"
        weights.write_bytes((torch.rand(100) * 255).byte().numpy().tobytes())
    ended = Ended(["resume", *HERE, str(out), "--json"], capsys)
    assert ended.refuses(str(out / "parts" / "root" / "checkpoints"), "no checkpoint that is whole")
    assert ended.err.count("weights.safetensors") == 2
