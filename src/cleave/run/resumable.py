"""What an interruption of a run says: how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cleave.errors import Interrupted, UserError
from cleave.run.generations import last_number
from cleave.run.mirror import known_as, resume_command
from cleave.run.origin import CHECKPOINTS


@contextmanager
def resumable(path: Path) -> Iterator[None]:
    """Has an interruption say how to go on with the run in a folder, as soon as one is begun there."""
    command = resume_command(path)
    try:
        yield
    except Interrupted as error:
        raise Interrupted(f"interrupted and saved; go on with: {command}") from error
    except KeyboardInterrupt as error:  # in the middle of a step
        if last_number(path / CHECKPOINTS) == 0:
            raise
        raise Interrupted(f"interrupted; go on from what was saved last with: {command}") from error


def unfinished(path: Path) -> UserError:
    """That something needs a finished run."""
    return UserError(f"{known_as(path)}: is not finished; go on with: {resume_command(path)}")
