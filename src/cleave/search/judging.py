"""By which statistics a leaf's architectures are judged, and how a search says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from cleave.data.stream import Batch, BatchStream
from cleave.search.state import SearchCost
from cleave.settings import SearchSettings
from cleave.train import BATCH, RECALIBRATED, Statistics


@dataclass(frozen=True)
class Judging:
    """`kind`: batch, mean or forgetting. `sizes`: the images of each training batch that statistics are measured on."""

    kind: str
    statistics: Statistics
    sizes: tuple[int, ...] = ()

    @staticmethod
    def of(search: SearchSettings) -> Judging:
        """As a resolved recipe says; one of a run of an earlier version, which knew no others, says nothing."""
        match search.statistics:
            case "batch" | None:
                return BY_BATCH
            case "mean":
                assert search.calibration_images is not None, "resolved"
                return by_mean(equal_sizes(search.calibration_images, search.calibration_batch_size))
            case "forgetting":
                assert search.forgetting is not None, "resolved"
                shares = tuple(chain(*(repeat(share, batches) for batches, share in search.forgetting)))
                return by_forgetting((search.calibration_batch_size,) * len(shares), shares)

    @property
    def images(self) -> int:
        """Training images that go through an architecture before it is judged."""
        return sum(self.sizes)

    def cost(self, asked: int, images: int) -> SearchCost:
        """Of judging on so many images in all, for which architectures were asked for so many times."""
        return SearchCost(eval_images=images, calibration_images=asked * self.images)

    def batches(self, stream: BatchStream) -> list[Batch]:
        """Those of a stream whose batches are as large as the largest one."""
        drawn = ((size, *stream.batch(step)) for step, size in enumerate(self.sizes))
        return [(images[:size], labels[:size]) for size, images, labels in drawn]

    @property
    def told(self) -> dict[str, Any]:
        """Of result.json: {"statistics", "batches", "images"}, the last two those of an architecture's calibration."""
        return {"statistics": self.kind, "batches": len(self.sizes), "images": self.images}


BY_BATCH = Judging("batch", BATCH)


def by_mean(sizes: tuple[int, ...]) -> Judging:
    return Judging("mean", RECALIBRATED, sizes)


def by_forgetting(sizes: tuple[int, ...], shares: tuple[float, ...]) -> Judging:
    """`shares`: of each batch in the moving average; those after the last one have the last."""
    return Judging("forgetting", Statistics(running=True, calibrated=True, shares=shares), sizes)


def equal_sizes(images: int, most: int) -> tuple[int, ...]:
    """Batches of `most` images or fewer, as equal as can be; none has a single image, which has no variance."""
    count = max(1, min(-(-images // most), images // 2))
    whole, more = divmod(images, count)
    return (whole + 1,) * more + (whole,) * (count - more)


def judged_by(told: Mapping[str, Any]) -> str:
    """What `Judging.told` says, for people."""
    if told["statistics"] == "batch":
        return "judged by the statistics of each held-out batch"
    what = {"mean": "the mean", "forgetting": "a moving average"}[told["statistics"]]
    return f"judged by recalibrated statistics: {what} over {told['images']:,} training images"
