"""Successive halving written as a person would do it with a list on paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def halved(competitors: Sequence[str], rungs: int, accuracy: Callable[[str, int], float]) -> list[list[str]]:
    """Who is trained in each rung: the worst is struck off until no more than half, rounded up, are left."""
    present, every = list(competitors), []
    for rung in range(rungs):
        every.append(list(present))
        wanted = (len(present) + 1) // 2
        while len(present) > wanted:
            worst = min(accuracy(each, rung) for each in present)
            present.remove([each for each in present if accuracy(each, rung) == worst][-1])
    return every
