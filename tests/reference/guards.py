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


def same_files(root: Path, held: Sequence[str], tests: Sequence[str]) -> list[str]:
    """The held-out files that are, byte by byte, also files of the test part."""
    known = [(root / file).read_bytes() for file in tests]
    return [file for file in held if (root / file).read_bytes() in known]
