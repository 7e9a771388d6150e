"""How well an architecture does on held-out images: its accuracy, and what that is worth where classes are unequal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Accuracy:
    """Percent of images that are right, and the mean over the classes of the percent of theirs that are."""

    overall: float
    balanced: float

    @staticmethod
    def of(hits: Sequence[int], images: Sequence[int]) -> Accuracy:
        """From the images of each class that are right, and all of them; a class without images is left out."""
        shares = [right / count for right, count in zip(hits, images, strict=True) if count]
        return Accuracy(100 * sum(hits) / sum(images), 100 * sum(shares) / len(shares))


@dataclass
class Hits:
    """The images that an architecture got right so far: of each batch, and of each class."""

    batches: list[int] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)

    def add(self, hits: Sequence[int]) -> None:
        """Those of one more batch, by class."""
        self.batches.append(sum(hits))
        self.classes = [one + more for one, more in zip(self.classes or [0] * len(hits), hits, strict=True)]


def majority_share(images: Sequence[int]) -> float:
    """The percent that is right if every answer is the most frequent class."""
    return 100 * max(images) / sum(images)
