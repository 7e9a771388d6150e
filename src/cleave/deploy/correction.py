"""How far sums of blocks are from whole networks, and what makes up for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from cleave.run.reading import Shape
from cleave.stats.ranking import defined, spearman

LEAST = 5
"""Networks from which a correction is fitted."""


class Correction(Shape):
    """What a sum of blocks becomes: `slope` times the sum, and `constant` milliseconds."""

    kind: str = "none"
    constant: float = 0.0
    slope: float = 1.0

    def of(self, milliseconds: float) -> float:
        return self.constant + self.slope * milliseconds


@dataclass(frozen=True)
class Accuracy:
    """How predictions (milliseconds) agree with what was measured; Spearman's rho is None where it is undefined."""

    median_relative_error: float
    spearman: float | None


Times = Sequence[float]
Fit = Callable[[Times, Times], Correction]
"""Of sums and measured times."""


def without(sums: Times, measured: Times) -> Correction:
    return Correction()


def constant(sums: Times, measured: Times) -> Correction:
    """The median of the differences."""
    return Correction(kind="constant", constant=median(b - a for a, b in zip(sums, measured, strict=True)))


def slope(sums: Times, measured: Times) -> Correction:
    """The median of the ratios."""
    return Correction(kind="slope", slope=median(b / a for a, b in zip(sums, measured, strict=True)))


FITS: tuple[Fit, ...] = (without, constant, slope)


def accuracy(predicted: Times, measured: Times) -> Accuracy:
    errors = [abs(a - b) / b for a, b in zip(predicted, measured, strict=True)]
    return Accuracy(median(errors), defined(spearman(np.array(predicted), np.array(measured))))


def by_the_others(fit: Fit, sums: Times, measured: Times) -> list[float]:
    """Each network's time, predicted by a fit to all others."""
    places = range(len(sums))
    rest = [[place for place in places if place != one] for one in places]
    fits = [fit([sums[place] for place in each], [measured[place] for place in each]) for each in rest]
    return [correction.of(total) for correction, total in zip(fits, sums, strict=True)]


def corrected(sums: Times, measured: Times) -> tuple[Correction, Accuracy]:
    """The correction by which networks are predicted best that it was not fitted to, and how well; none wins ties.

    It is then fitted to all of them. With fewer than `LEAST` networks there is none.
    """
    tried = [
        (accuracy(by_the_others(fit, sums, measured), measured), fit)
        for fit in (FITS if len(sums) >= LEAST else FITS[:1])
    ]
    found, fit = min(tried, key=lambda each: each[0].median_relative_error)
    return fit(sums, measured), found
