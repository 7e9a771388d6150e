"""Whether a written network answers as the run's own does, on images of the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from cleave.data.images import Images, central
from cleave.engine.stop import Stop
from cleave.errors import UserError
from cleave.export.alone import prepared
from cleave.export.deployed import Deployed
from cleave.export.handed import Classifier

IMAGES = 500
"""By which an export is checked, if there are so many."""
BATCHES = (1, 8)
RESIZED = 16
"""Images of another size."""
AGREEMENT, CLOSE, RESIZED_CLOSE = 99.8, 1e-4, 1e-2
"""Percent of images with the same first class, and how far logits may lie apart; of resized images, where pixels may be
rounded to the next level, farther: as far as that, or as what the network itself makes of such pixels."""
ROUNDED = 0.1
"""Share of pixels that are rounded to the next level to see what the network makes of that."""


@dataclass(frozen=True)
class Agreement:
    """Percent of images for which both name the same class first, and the largest distance of logits.

    A distance is relative to the largest absolute logit of the image, or to 1 where that is smaller.
    """

    top1: float
    distance: float

    @staticmethod
    def of(found: Tensor, expected: Tensor) -> Agreement:
        """Of logits [n, classes]."""
        scale = expected.abs().amax(dim=1, keepdim=True).clamp(min=1)
        same = found.argmax(dim=1) == expected.argmax(dim=1)
        return Agreement(100 * same.double().mean().item(), ((found - expected).abs() / scale).max().item())

    def within(self, close: float, top1: float = 0.0) -> bool:
        return self.top1 >= top1 and self.distance <= close  # neither is so where there is a NaN


class Examples:
    """The images of a check with the answers of the run's own network, in float32 on the CPU."""

    def __init__(self, deployed: Deployed, images: Images) -> None:
        pixels = images.at(torch.arange(len(images)))[0]
        self.pixels, self.labels = pixels, images.labels
        self.resized = stretched(pixels[:RESIZED])
        with torch.inference_mode():
            own = [deployed.network(central(each, images.side)) for each in torch.split(pixels, BATCHES[-1])]
            self.expected = torch.cat(own)
            self.expected_resized = deployed(self.resized)[1]
            rounded = Agreement.of(deployed.network(otherwise_rounded(deployed, self.resized)), self.expected_resized)
        self.resized_close = max(RESIZED_CLOSE, rounded.distance)

    def check(self, name: str, classify: Classifier, stop: Stop) -> dict[str, Any]:
        """{"top1", "distance", "resized": {...}} of a format; UserError where that is not enough."""
        found = [Agreement.of(logits_of(classify, self.pixels, batch, stop), self.expected) for batch in BATCHES]
        worst = Agreement(min(each.top1 for each in found), max(each.distance for each in found))
        if not all(each.within(CLOSE, AGREEMENT) for each in found):
            what = f"{len(self.pixels)} images in batches of {' and '.join(map(str, BATCHES))}"
            raise refused(name, worst, what, f"{AGREEMENT} % and {CLOSE:.0e} are needed")
        resized = Agreement.of(logits_of(classify, self.resized, RESIZED, stop), self.expected_resized)
        if not resized.within(self.resized_close):
            what = f"{len(self.resized)} images of another size"
            raise refused(name, resized, what, f"{self.resized_close:.1e} is needed")
        return {**asdict(worst), "resized": asdict(resized)}


def stretched(pixels: Tensor) -> Tensor:
    """The same images, larger and not square."""
    height, width = (side * factor // 4 + 1 for side, factor in zip(pixels.shape[2:], (5, 7), strict=True))
    return interpolate(pixels.float(), (height, width), mode="bilinear").round().clamp(0, 255).to(torch.uint8)


def otherwise_rounded(deployed: Deployed, images: Tensor) -> Tensor:
    """What the network sees of images, in 0 to 1, with some pixels a level higher or lower; always the same ones."""
    pixels, generator = deployed.pixels, torch.Generator().manual_seed(0)
    seen = prepared(images, pixels.size, pixels.view, pixels.resample)
    drawn = torch.rand(seen.shape, generator=generator)
    change = (drawn < ROUNDED / 2).float() - (drawn > 1 - ROUNDED / 2).float()
    return (seen + change).clamp(0, 255) / 255


def logits_of(classify: Classifier, pixels: Tensor, batch: int, stop: Stop) -> Tensor:
    """Those of all images, so many at a time."""
    found = []
    for piece in torch.split(pixels, batch):
        stop.check()
        with torch.inference_mode():
            found.append(classify(piece)[1])
    return torch.cat(found)


def refused(name: str, found: Agreement, what: str, needed: str) -> UserError:
    return UserError(
        f"--format {name}: answers otherwise than the run's network: the same class for {found.top1:.2f} % of {what}, "
        f"logits to {found.distance:.1e} ({needed}); nothing was exported"
    )
