"""Who is in which rung of successive halving (Karnin et al., 2013; Jamieson & Talwalkar, 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def half(count: int) -> int:
    """How many of so many go on: the better half, and of an odd number the one in the middle too."""
    return -(-count // 2)


def rungs_filled(competitors: int) -> int:
    """How many rungs have two or more of so many competitors: 3 of 8 or 5, 2 of 4 or 3."""
    return (competitors - 1).bit_length()


def in_rung(competitors: Sequence[str], accuracies: Mapping[str, Sequence[float]], number: int) -> list[str] | None:
    """Those that are in a rung, counted from 0, in their own order; None while the one before is not finished.

    `accuracies`: of each competitor at the ends of the rungs that it has finished. The first wins ties.
    """
    if number == 0:
        return list(competitors)
    before = in_rung(competitors, accuracies, number - 1)
    if before is None or any(len(accuracies.get(each, ())) < number for each in before):
        return None
    ranked = sorted(before, key=lambda each: -accuracies[each][number - 1])
    going_on = ranked[: half(len(before))]
    return [each for each in before if each in going_on]
