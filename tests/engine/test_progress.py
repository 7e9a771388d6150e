"""Being asked to stop."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from cleave.engine import stop as stop_module
from cleave.engine.stop import SignalStop, Stop
from cleave.errors import Interrupted
from cleave.signals import ASKING

pytestmark = pytest.mark.usefixtures("hangup_heard")


@pytest.mark.parametrize("number", ASKING)
def test_a_signal_is_heard_at_the_next_check(number: signal.Signals) -> None:
    with SignalStop() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted):
            stop.check()


def test_a_second_ctrl_c_is_not_held_back() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have its children ignore it
    try:
        with SignalStop() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.requested
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_what_is_sent_twice_by_a_shell_or_by_timeout_still_saves(number: signal.Signals) -> None:
    with SignalStop() as stop:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        assert stop.requested


def test_a_second_sigterm_that_somebody_sends_later_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(Exception):
        pass

    def end(number: int, frame: object) -> None:
        raise Ended

    monkeypatch.setattr(stop_module, "PATIENCE", -1.0)
    before = signal.signal(signal.SIGTERM, end)
    try:
        with SignalStop():
            os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(Ended):
                os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_the_main_thread_nothing_is_heard_and_nothing_goes_wrong() -> None:
    before, found = [signal.getsignal(number) for number in ASKING], list[object]()

    def work() -> None:
        with SignalStop() as stop:
            found.extend([stop.requested, *(signal.getsignal(number) for number in ASKING)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False, *before]


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with SignalStop():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_nothing_is_raised_unasked() -> None:
    Stop().check()
