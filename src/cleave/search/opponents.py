"""Which networks to train beside ours: published ones, one that is scaled to the limits, a random one of our space."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from cleave.data.report import IMAGES
from cleave.net.cost import Cost, cost_alone, costs
from cleave.net.sized import Sized
from cleave.ops.timm_body import config_of
from cleave.pretrained.reading import cached
from cleave.run.reading import read_json
from cleave.search.finished import read_recipe
from cleave.search.problem import limited_size
from cleave.search.runner import ImagesFile
from cleave.space import Limited, find_space
from cleave.space.timm_networks import PREFIX, TimmNetworks, TimmSettings

USUAL = ("mobilenetv3_small_100", "mobilenetv3_large_100", "resnet18")
SCALED = "mobilenetv3_large_100"
STEPS = range(5, 201)
"""Hundredths of its channels that the scaled network may have."""


@dataclass(frozen=True)
class Opponent:
    """A network to train. `arch`: as `cleave train RUN --arch` takes it; `width`: a factor of its channels.

    `within`: whether it keeps the limits. `weights`: the file of its pretrained weights in timm's cache, where it is in
    there.
    """

    name: str
    arch: str
    cost: Cost
    within: bool
    width: float = 1.0
    weights: Path | None = None

    def command(self, run: str) -> str:
        """What trains it on the images of a search."""
        scaled = "" if self.width == 1 else f" space.width={self.width:g}"
        pretrained = "" if self.weights is None else " --pretrained cache"
        return f"{training_of(run, self.arch)}{scaled}{pretrained}"

    def to_json(self, run: str) -> dict[str, Any]:
        """{"name", "arch", "width", "parameters", "multiply_adds", "within", "weights", "command"}."""
        weights = None if self.weights is None else str(self.weights)
        told = {"name": self.name, "arch": self.arch, "width": self.width, **self.cost.counts, "within": self.within}
        return {**told, "weights": weights, "command": self.command(run)}


def training_of(run: str, arch: str) -> str:
    """The command that trains an architecture on the images of a search."""
    return f"cleave train {quote(run)} --arch {quote(arch)}"


def find_opponents(run: Path, against: Sequence[str] = (), seed: int = 0) -> dict[str, Any]:
    """{"run", "limits", "opponents"} of a finished search: of its images, classes and limits (multiply-adds and
    parameters, by their names in `Cost`; a latency is known of no network of timm's).

    against: more of timm's names. seed: of the random one. UserError for a search that is not finished, and a name that
    timm has not.
    """
    recipe, images = read_recipe(run, {}), read_json(run / IMAGES, ImagesFile)
    image = (images["channels"], images["size"], images["size"])
    ours = limited_size(recipe, find_space(recipe.space), image, len(images["classes"]))
    most = {key: limit for key, limit in recipe.limits.most.items() if key != "milliseconds"}
    found = opponents(ours, most, against, seed)
    return {"run": str(run), "limits": most, "opponents": [each.to_json(str(run)) for each in found]}


def opponents(ours: Sized, most: Mapping[str, float], against: Sequence[str] = (), seed: int = 0) -> list[Opponent]:
    """Those of our networks: published ones, where there are limits the widest within them, a random one of ours."""
    named = [published(name, ours, most) for name in dict.fromkeys([*USUAL, *against])]
    scaled = widest(ours, most) if most else None
    return [*named, *([] if scaled is None else [scaled]), random_one(ours, most, seed)]


def published(name: str, ours: Sized, most: Mapping[str, float], width: float = 1.0) -> Opponent:
    """One of timm's, for our images and classes."""
    config = config_of(name)
    size = TimmSettings(network=name, width=width)
    cost = cost_alone(TimmNetworks(size).layout(size, ours.image[0]), {}, ours.image, ours.classes)
    within = all(getattr(cost, key) <= limit for key, limit in most.items())
    if width == 1:
        return Opponent(name, PREFIX + name, cost, within, weights=cached(config))
    return Opponent(f"{name} x {width:g}", PREFIX + name, cost, within, width)


def widest(ours: Sized, most: Mapping[str, float]) -> Opponent | None:
    """The scaled network with the most channels within the limits, of `STEPS`; None where the narrowest is not.

    As the factor rises, neither its channels nor its costs fall.
    """

    def at(step: int) -> Opponent:
        return published(SCALED, ours, most, step / 100)

    within = bisect_left(STEPS, True, key=lambda step: not at(step).within)
    return at(STEPS[within - 1]) if within else None


def random_one(ours: Sized, most: Mapping[str, float], seed: int) -> Opponent:
    """An architecture of our space within the limits, uniformly."""
    prices = costs(ours.space, ours.size, ours.image, ours.classes)
    space = Limited(ours.space, prices, most) if most else ours.space
    arch = space.sample(space.region, torch.Generator().manual_seed(seed))
    return Opponent(f"random of {ours.space.name}", space.format(arch), prices.of(arch), within=True)
