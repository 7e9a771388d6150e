"""Asked to stop before there is anything to save: one line, exit 130, whatever is being loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cleave.signals import ASKING, heard, hearing, interrupting
from tests.process import PATIENCE, at_work

pytestmark = pytest.mark.usefixtures("hangup_heard")
LOADING = """
import pathlib, time

pathlib.Path({mark!r}).touch()
try:
    time.sleep({seconds})
except BaseException as error:  # as code in C makes another error of it
    raise ImportError("broken") from error
"""

IN_A_PROCESS = """
import os, signal, sys
from cleave.signals import hearing, interrupting

with hearing(interrupting("it")):
"""


def loads_for_ever(library: str, folder: Path) -> Path:
    """A library of that name in the folder; returns what is there once it is being loaded."""
    mark = folder / "loading"
    (folder / f"{library}.py").write_text(LOADING.format(mark=str(mark), seconds=2 * PATIENCE))
    return mark


@pytest.mark.parametrize("library", ["typer", "torch", "numpy"])
@pytest.mark.parametrize("number", ASKING)
def test_a_signal_while_libraries_load_is_one_line(library: str, number: signal.Signals, tmp_path: Path) -> None:
    mark = loads_for_ever(library, tmp_path)
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with at_work(["plan"], mark.exists, environment={"PYTHONPATH": paths}) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (130, "", "cleave: interrupted\n")


def run(code: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", IN_A_PROCESS + code]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", ASKING)
def test_elsewhere_a_signal_is_a_keyboard_interrupt_that_closes_what_is_open(number: signal.Signals) -> None:
    ended = run(f"""
    try:
        signal.raise_signal({int(number)})
    except KeyboardInterrupt:
        print("closed")
    """)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "closed\n", "")


def test_another_signal_meanwhile_ends_the_process_at_once() -> None:
    ended = run("""
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.raise_signal(signal.SIGINT)
        print("still here", flush=True)
    """)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "it: interrupted\n")


def test_the_end_of_a_terminal_is_not_heard_where_nohup_has_it_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in heard()
        with hearing(interrupting("it")):
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.SIGHUP in heard()


def test_handlers_are_put_back() -> None:
    before = {number: signal.getsignal(number) for number in heard()}
    with hearing(interrupting("it")):
        assert all(signal.getsignal(number) is not handler for number, handler in before.items())
    assert {number: signal.getsignal(number) for number in before} == before
