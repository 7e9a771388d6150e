"""What every test gets: one thread, random inputs that can be drawn again; and the data it may ask for."""

from __future__ import annotations

import fcntl
import os
import random
import secrets
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import torch

from tests.slow import slow, survival

hypothesis.settings.register_profile("no_clock", deadline=None)  # a loaded machine is no bug
hypothesis.settings.load_profile("no_clock")

SEED = "CLEAVE_TEST_SEED"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """One seed for the whole run, drawn unless it is given; workers inherit it."""
    seed = os.environ.setdefault(SEED, str(secrets.randbelow(2**32)))
    os.environ["CLEAVE_TRACKER"] = "none"  # each would be a process beside every run
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = seed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(f"{SEED}={os.environ[SEED]} draws the same random inputs again")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Each test draws its own, whatever ran before it; numpy's by `tests/fresh.py`."""
    seed = zlib.crc32(f"{os.environ[SEED]} {item.nodeid}".encode())
    random.seed(seed)
    torch.manual_seed(seed)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Sums come out the same whatever the machine, and tests run side by side do not fight for its cores."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_the_disk() -> Iterator[None]:
    """The power does not fail within a test, and what is not written yet is read all the same.

    Tests of what is synced when put a function of their own in its place; other processes sync as ever.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def _nothing_of_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither an imported table nor images of whoever runs the tests change what they see."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "no-cache"))
    monkeypatch.delenv("CLEAVE_BENCHMARK", raising=False)
    monkeypatch.delenv("CLEAVE_DATA", raising=False)


@pytest.fixture
def hangup_heard() -> Iterator[None]:
    """The end of a terminal, also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout; what needs it is skipped where it is absent."""
    folder = Path(__file__).resolve().parents[1].parent / "shared"
    if not folder.is_dir():
        pytest.skip("the reference data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def cifar_root(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root that holds CIFAR-10 in its official binary layout."""
    script = shared / "tools" / "unpack_cifar.py"
    if not script.is_file():
        pytest.skip("the reference data has no CIFAR-10")
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # common to all workers of this run
    root = base / "cifar"
    with (base / "cifar.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            unpacked = base / "cifar-unpacking"
            subprocess.run([sys.executable, script, "cifar10", unpacked], check=True, stdout=subprocess.DEVNULL)
            unpacked.rename(root)
    return root


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what `make test` leaves out, and what `make test-all` does too; see `tests/slow.py`."""
    ids = [item.nodeid for item in items]
    left_out, apart = slow(ids), survival(ids)
    for item in items:
        if item.nodeid in apart:
            item.add_marker(pytest.mark.survival)
        if item.nodeid in left_out | apart:
            item.add_marker(pytest.mark.slow)
