"""Which files are opened, for tests of what must not be."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


class Opened:
    """The names of the files that the interpreter opens while `watching`."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.watching = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.watching and event == "open":
            self.names.append(str(arguments[0]))


@pytest.fixture(scope="session")
def hook() -> Opened:
    opened = Opened()
    sys.addaudithook(opened)  # stays for as long as the interpreter does
    return opened


@pytest.fixture
def opened(hook: Opened) -> Iterator[list[str]]:
    hook.names = []
    hook.watching = True
    yield hook.names
    hook.watching = False
