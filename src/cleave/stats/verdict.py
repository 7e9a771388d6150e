"""Whether a network is better than others on the same test images, in figures and in one plain sentence.

The sentence goes by McNemar's exact test, corrected for the number of comparisons (Holm): if all are equally
good, at most one verdict in twenty calls any of them better or worse. Intervals are of each figure by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cleave.stats.accuracy import Accuracy
from cleave.stats.bootstrap import interval
from cleave.stats.intervals import wilson
from cleave.stats.paired import detectable, holm, mcnemar
from cleave.stats.ties import Numbers

Labels = NDArray[np.int64]
Right = NDArray[np.bool_]
Outcome = Literal["better", "worse", "no difference"]
BETTER: Outcome = "better"
WORSE: Outcome = "worse"
NONE: Outcome = "no difference"
OUTCOMES = (BETTER, WORSE, NONE)
Ends = tuple[float, float]

ALPHA = 0.05
"""How often a verdict may call equals better or worse."""
DRAWS = 2000
"""Of a paired bootstrap."""


@dataclass(frozen=True)
class Answers:
    """The classes [images] that a network says test images are of."""

    name: str
    predicted: Labels


@dataclass(frozen=True)
class Standing:
    """A network on the test images, in percent. interval: 95 % (Wilson). hits: images that are right."""

    name: str
    hits: int
    accuracy: float
    interval: Ends
    balanced_accuracy: float


@dataclass(frozen=True)
class Comparison:
    """Ours against another network: by how many percentage points ours is above.

    Intervals: 95 %, by a paired bootstrap; the balanced one None where all classes have as many images. p: of McNemar's
    exact test; p_corrected: for the number of comparisons. detectable: the difference that would have been seen in 4 of
    5 such tests, in points; None: none is large enough.
    """

    name: str
    difference: float
    interval: Ends
    balanced_difference: float
    balanced_interval: Ends | None
    only_ours: int
    only_theirs: int
    p: float
    p_corrected: float
    detectable: float | None
    outcome: Outcome

    @property
    def contradicted(self) -> bool:
        """Whether the mean over the classes lies clearly on the other side."""
        low, high = self.balanced_interval or (0.0, 0.0)
        return (self.outcome == BETTER and high < 0) or (self.outcome == WORSE and low > 0)


@dataclass(frozen=True)
class Verdict:
    """Of `images` test images, of which some classes have more than others if they are `unequal`.

    `networks`: ours, then the others as they were given; `comparisons` with each of these.
    """

    images: int
    unequal: bool
    networks: tuple[Standing, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def sentence(self) -> str:
        """What there is to say, in plain words."""
        ours = self.networks[0].name
        found = {outcome: [each for each in self.comparisons if each.outcome == outcome] for outcome in OUTCOMES}
        told = [f"{word} than {listed(map(said, found[word]))}" for word in (BETTER, WORSE) if found[word]]
        decided = [f"{ours} is {' and '.join(told)}"] if told else []
        but = [opposite(each) for each in self.comparisons if each.contradicted]
        return "; ".join([*decided, *but, *self._undecided(found[NONE])])

    def _undecided(self, found: Sequence[Comparison]) -> list[str]:
        """What is said where there is no difference to be told."""
        if not found:
            return []
        ours, others = self.networks[0].name, listed(each.name for each in found)
        sizes = [each.detectable for each in found if each.detectable is not None]
        seen = f"one of {max(sizes, default=0):.1f} points or more would have been seen in 4 of 5 such tests"
        size = seen if len(sizes) == len(found) else "they are too few for any"
        return [f"no difference between {ours} and {others} can be told with {self.images} test images; {size}"]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "alpha": ALPHA, "correction": "Holm", "sentence": self.sentence}


def judge(ours: Answers, others: Sequence[Answers], labels: Labels, seed: int = 0) -> Verdict:
    """Compares ours with each of the others (one or more) on images with these labels [images].

    `seed`: of the bootstrap. Needs scipy.
    """
    counts = np.bincount(labels)
    right = [each.predicted == labels for each in (ours, *others)]
    p_values = [mcnemar(*discordant(right[0], each)) for each in right[1:]]
    compared = zip(others, right[1:], p_values, holm(p_values), strict=True)
    return Verdict(
        len(labels),
        unequal(labels),
        tuple(standing(each.name, hits, labels, counts) for each, hits in zip((ours, *others), right, strict=True)),
        tuple(
            compare(other.name, (right[0], theirs), labels, (p, corrected), ALPHA / len(others), seed)
            for other, theirs, p, corrected in compared
        ),
    )


def standing(name: str, right: Right, labels: Labels, counts: Labels) -> Standing:
    """`right`: which images [images] it gets right; `counts`: those of each class."""
    hits = int(right.sum())
    found = Accuracy.of(np.bincount(labels[right], minlength=len(counts)).tolist(), counts.tolist())
    low, high = wilson(hits, len(labels))
    return Standing(name, hits, found.overall, (100 * low, 100 * high), found.balanced)


def compare(
    name: str,
    right: tuple[Right, Right],
    labels: Labels,
    p_values: tuple[float, float],
    level: float,
    seed: int,
) -> Comparison:
    """Ours with the network of this name; `right`: of ours and of it. `level`: of each comparison, where there are
    several."""
    ours, theirs = (each.astype(np.float64) for each in right)
    classes, gain = labels.astype(np.float64), ours - theirs
    only_ours, only_theirs = discordant(*right)
    difference = only_ours - only_theirs
    return Comparison(
        name,
        100 * difference / len(labels),
        interval(mean_gain, classes, gain, seed, count=DRAWS),
        balanced_gain(classes, gain),
        interval(balanced_gain, classes, gain, seed, count=DRAWS) if unequal(labels) else None,
        only_ours,
        only_theirs,
        *p_values,
        detectable(len(labels), only_ours + only_theirs, level),
        NONE if p_values[1] > ALPHA else BETTER if difference > 0 else WORSE,
    )


def unequal(labels: Labels) -> bool:
    """Whether some classes have more images than others; those without any do not count."""
    return len(set(np.unique(labels, return_counts=True)[1].tolist())) > 1


def discordant(ours: Right, theirs: Right) -> tuple[int, int]:
    """How many images the one alone, and the other alone, gets right."""
    return int((ours & ~theirs).sum()), int((theirs & ~ours).sum())


def mean_gain(classes: Numbers, gain: Numbers) -> float:
    """The difference of two accuracies, in points, from that of each image [images]: 1, 0 or -1."""
    return 100 * float(gain.mean())


def balanced_gain(classes: Numbers, gain: Numbers) -> float:
    """The same of the means over the classes; one without images is left out."""
    labels = classes.astype(np.int64)
    counts = np.bincount(labels)
    there = counts > 0
    return 100 * float((np.bincount(labels, gain)[there] / counts[there]).mean())


def said(found: Comparison) -> str:
    """A network, and by how much ours is above it."""
    return "{} ({:+.1f} points, 95 % interval {:+.1f} to {:+.1f})".format(found.name, found.difference, *found.interval)


def opposite(found: Comparison) -> str:
    """What there is to add of a comparison that the mean over the classes contradicts."""
    word = WORSE if found.outcome == BETTER else BETTER
    return f"but {word} than {found.name} ({found.balanced_difference:+.1f} points) where every class counts alike"


def listed(names: Iterable[str]) -> str:
    """As in: A, B and C."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
