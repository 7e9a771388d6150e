"""What an interruption of a run says: how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from cleave.errors import Interrupted
from cleave.run.generations import last_number
from cleave.run.origin import CHECKPOINTS


@contextmanager
def resumable(path: Path) -> Iterator[None]:
    """Has an interruption say how to go on with the run in a folder, as soon as one is begun there."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        if last_number(path / CHECKPOINTS) == 0:
            raise
        raise Interrupted(f"interrupted and saved; go on with: cleave resume {quote(str(path))}") from error
