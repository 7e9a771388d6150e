"""Choosing the best of many architectures without looking at every image for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cleave.method.base import Evaluate
from cleave.space import Arch

SHARE = 40
"""The first round sees one batch in `SHARE`."""


def survivor(candidates: Sequence[Arch], evaluate: Evaluate) -> Arch:
    """The last one after successive rejects (Audibert et al. 2010; as halving, Karnin et al. 2013).

    In each round every architecture left is judged on the same images, and the worse half goes; the next round has
    twice the images. The last round sees them all. Of equals the first stays.
    """
    left = list(candidates)
    for batches in rounds(len(left), evaluate.batches):
        left.sort(key=lambda arch: evaluate(arch, batches), reverse=True)  # stable, so that the order settles ties
        left = left[: -(-len(left) // 2)]
    return max(left, key=evaluate)


def rounds(candidates: int, batches: int) -> Iterator[int]:
    """The batches seen in each round before the last."""
    seen = max(1, batches // SHARE)
    while seen < batches and candidates > 1:
        yield seen
        seen, candidates = 2 * seen, -(-candidates // 2)


def batches_seen(candidates: int, batches: int) -> int:
    """How many batches are evaluated in all, one for each architecture that sees it."""
    total, before = 0, 0
    for seen in rounds(candidates, batches):
        total += candidates * (seen - before)
        before, candidates = seen, -(-candidates // 2)
    return total + candidates * (batches - before)
