"""Memory that is kept: asked for in a process of its own, since it cannot be taken back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from cleave import memory

COUNT = """
import resource, sys
from cleave.memory import keep_memory
kept = keep_memory() if sys.argv[1] == "keep" else None
import torch
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    return torch.ones(10 * 2**20).sum().item()
for _ in range(4):
    total = work()
before = faults()
for _ in range(8):
    assert work() == total
print(kept, faults() - before, total)
"""
GLIBC = sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc"


def told(how: str) -> list[str]:
    found = subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True)
    return found.stdout.split()


@pytest.mark.skipif(not GLIBC, reason="memory is kept with glibc only")
def test_tensors_that_come_and_go_fault_their_pages_in_once_only_and_hold_the_same() -> None:
    kept, faults, total = told("keep")
    _, usual, expected = told("leave")
    assert kept == "True"
    assert int(faults) * 4 < int(usual), "tensors of 40 MiB, each mapped anew by default"
    assert total == expected


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory.keep_memory() is False


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_memory() is False
