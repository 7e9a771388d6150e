"""`cleave` in a process of its own, and how far it is by what it leaves on the disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

PATIENCE = 120.0
"""Seconds; on a loaded machine torch alone may take twenty to import."""


@contextmanager
def at_work(
    arguments: Sequence[str],
    far_enough: Callable[[], object],
    new_session: bool = False,
    environment: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Iterator[subprocess.Popen[str]]:
    """The process of a command once it is far enough; whatever goes wrong, it does not outlive this.

    `before`: the words of a command that runs it, and becomes it.
    """
    command = [*before, sys.executable, "-m", "cleave", *arguments]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=new_session,
        env={**os.environ, **(environment or {})},
    ) as process:

        def there() -> object:
            assert process.poll() is None, process.communicate()
            return far_enough()

        try:
            until(there)
            yield process
        finally:
            process.kill()


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
