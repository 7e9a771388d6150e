"""Standard output and standard error that take any text, and whose end is no traceback.

Nobody loses a search because its progress cannot be written: the disk under a log may be full, the terminal closed.
"""

from __future__ import annotations

import codecs
import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TextIO, cast

READABLE = "cleave.readable"
PLAIN = {
    "─": "-", "━": "-", "│": "|", "┃": "|", "├": "|", "└": "`", "▶": ">",
    "±": "+-", "…": "...", "×": "x", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip
"""What stands for a character where the encoding of the output lacks it; others are written as \\u and a number."""


class Unwritten(Exception):
    """Standard output took no more; its cause is the OSError."""

    def __init__(self, error: OSError) -> None:
        super().__init__(os.strerror(error.errno).lower() if error.errno else str(error))
        self.closed = error.errno == errno.EPIPE
        """Whether its reader has gone, as `head` does: nothing to complain of."""


class OutputStream:
    """A text stream that fails at most once: from then on it takes everything and writes nothing.

    vital: whether the failure raises Unwritten; else it is only kept as `lost`.
    """

    def __init__(self, stream: TextIO, vital: bool) -> None:
        self.stream, self.vital = stream, vital
        self.lost: Unwritten | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  all else is the stream's
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        if self.lost is None:
            try:
                self.stream.write(text)
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        if self.lost is None:
            try:
                self.stream.flush()
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.lost = Unwritten(error)
        if self.vital:
            raise self.lost from error

    def release(self) -> None:
        """What was not written is thrown away: Python would try again when it ends, and fail aloud."""
        if self.lost is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


def prepare() -> tuple[OutputStream | None, OutputStream | None]:
    """Makes both streams of this process such; None for one that was closed when it started, as Python has it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # where one of these is closed, a file of ours would get its
        pass  # number, and what is meant for a terminal
    os.close(number)
    prepare_errors()
    out, err = (
        None if stream is None else OutputStream(stream, vital)
        for stream, vital in ((tolerant(sys.stdout), True), (tolerant(sys.stderr), False))
    )
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    return out, err


def prepare_errors() -> None:
    """Makes `READABLE` an error handler of any codec."""
    codecs.register_error(READABLE, readable)


def tolerant(stream: TextIO | None) -> TextIO | None:
    """The same, able to take any character: paths may hold what is not even Unicode."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors=READABLE)
    return stream


def readable(error: UnicodeError) -> tuple[str, int]:
    """An error handler for codecs: the nearest that ASCII has."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode() for each in lacking), error.end


@contextmanager
def quiet() -> Iterator[None]:
    """Without what libraries log for those who develop with them."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
