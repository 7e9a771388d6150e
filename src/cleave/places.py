"""Where things are kept for a user, and what "~" means; not every user has a home folder."""

from __future__ import annotations

import os
from pathlib import Path

from cleave.errors import UserError, shown


def cache_folder() -> Path:
    """What is kept between runs: $XDG_CACHE_HOME/cleave, else ~/.cache/cleave; UserError where there is no home."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "cleave"
    try:
        return Path.home() / ".cache" / "cleave"
    except RuntimeError as error:
        problem = "the user has no home folder, so nothing can be kept in its cache"
        raise UserError(f"HOME: {problem}; set HOME, or XDG_CACHE_HOME to a folder") from error


def absolute(path: str) -> str:
    """The same wherever one is; UserError as of `expanded`."""
    return str(expanded(path).absolute())


def expanded(path: str) -> Path:
    """A path in which "~" stands for a home folder; UserError where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{shown(path)}: the folder that ~ stands for is not known; write the whole path") from error
