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
        left = ranked(left, evaluate, batches)[: -(-len(left) // 2)]
    return ranked(left, evaluate)[0]


def ranked(archs: Sequence[Arch], evaluate: Evaluate, batches: int | None = None) -> list[Arch]:
    """The best first, by all held-out images or so many batches of them; of equals the first stays in front."""
    accuracies = evaluate.many(archs, batches)
    return [archs[i] for i in sorted(range(len(archs)), key=lambda i: accuracies[i], reverse=True)]


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


def questions(candidates: int, batches: int) -> int:
    """How many times an architecture is asked for in all."""
    total = 0
    for _ in rounds(candidates, batches):
        total += candidates
        candidates = -(-candidates // 2)
    return total + candidates
