"""What Python code does to the outside while it is watched."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod")
RUNS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Watcher:
    """Notes what is written, changed or removed outside of a folder, and what is started or called up."""

    def __init__(self) -> None:
        self.inside: Path | None = None
        self.done: list[str] = []

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.inside is None:
            return
        if event == "open":
            flags = arguments[2]
            if isinstance(flags, int) and flags & WRITES:
                self._note(event, arguments[0], self.inside)
        elif event in CHANGES:
            self._note(event, arguments[0], self.inside, arguments[-1])
        elif event in RUNS:
            self.done.append(f"{event} {arguments[0]!r}")

    def _note(self, event: str, file: object, inside: Path, place: object = -1) -> None:
        """`place`: the open folder that a name is relative to, a descriptor; -1: none."""
        if isinstance(file, str | bytes | os.PathLike):
            base = Path(os.readlink(f"/proc/self/fd/{place}")) if isinstance(place, int) and place >= 0 else Path()
            path = (base / os.fsdecode(file)).resolve()
            if not path.is_relative_to(inside) and str(path) != os.devnull:
                self.done.append(f"{event} {path}")


_watcher: list[Watcher] = []


@contextmanager
def watched(inside: Path) -> Iterator[list[str]]:
    """Meanwhile what is done outside of a folder is noted; it is a list that is filled."""
    if not _watcher:
        _watcher.append(Watcher())
        sys.addaudithook(_watcher[0])  # stays for as long as the interpreter does
    watcher = _watcher[0]
    watcher.inside, watcher.done = inside.resolve(), []
    try:
        yield watcher.done
    finally:
        watcher.inside = None
