"""What guards look for, the slow obvious way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from cleave.guards.training import FAR, SHARE


def first_explosion(losses: Sequence[float], classes: int) -> int | None:
    """The first loss, counted from 1, that is too far above the running level of those before it, summed up anew."""
    for number, loss in enumerate(losses):
        before = losses[:number] or [loss]
        ages = range(len(before) - 1, -1, -1)
        shares = [(1 - SHARE) ** age * (SHARE if place else 1.0) for place, age in enumerate(ages)]
        level = sum(share * each for share, each in zip(shares, before, strict=True))
        if loss > FAR * max(level, losses[0], math.log(classes)):
            return number + 1
    return None


def same_files(root: Path, one: str, other: str) -> list[Path]:
    """The files of one part that are, byte by byte, in another one."""
    known = [file.read_bytes() for file in (root / other).rglob("*") if file.is_file()]
    return [file for file in (root / one).rglob("*") if file.is_file() and file.read_bytes() in known]
