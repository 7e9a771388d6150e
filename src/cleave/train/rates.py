"""Learning rates as functions of the epoch."""

from __future__ import annotations

from math import cos, pi


def cosine(place: float, total: int, highest: float, lowest: float, rise: int = 0) -> float:
    """From `highest` to `lowest` over `total` epochs (Loshchilov & Hutter, 2017), constant within epoch `place`.

    In the first `rise` epochs the rate rises in equal steps, and the cosine begins after them.
    """
    if place < rise:
        return highest * (place + 1) / (rise + 1)
    return lowest + (highest - lowest) * (1 + cos(pi * (place - rise) / (total - rise))) / 2
