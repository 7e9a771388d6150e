"""Memory that is kept: asked for in a process of its own, since it cannot be taken back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from cleave import memory

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
