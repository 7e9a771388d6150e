"""What the work is done on: sizes of networks, and images of random pixels in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from cleave.config import load_recipe
from cleave.data.augment import Normalise
from cleave.data.images import Images
from cleave.resolve import resolve
from cleave.search.problem import Problem
from cleave.settings import Recipe
from cleave.space import find_space

CLASSES = 10


@dataclass(frozen=True)
class Scale:
    """`size` are keys of the space. `images` are cut in two halves, to train and held out; `probes` is the M of a
    similarity."""

    size: Mapping[str, float | str]
    pixels: int
    batch: int
    images: int
    probes: int
    samples: int = 200  # architectures that RSPS chooses from
    epochs: int = 4  # of a leaf's search
    space: str = "nasbench201"

    @property
    def held(self) -> int:
        """Held-out images."""
        return self.images // 2

    def __str__(self) -> str:
        size = ", ".join(f"{LETTERS.get(key, key)}={value}" for key, value in self.size.items())
        return f"{self.space}, {size}, {self.pixels}x{self.pixels}, batch {self.batch}"


LETTERS = {"channels": "C", "cells": "N"}
PAPER = Scale({"channels": 16, "cells": 5}, pixels=32, batch=64, images=4000, probes=2)
SMALL = Scale({"channels": 8, "cells": 1}, pixels=16, batch=64, images=4000, probes=100)
MANY = Scale({"channels": 8, "cells": 1}, pixels=16, batch=64, images=12_000, probes=2)
EDGES = {"nasbench201": "2<-0", "darts": "normal/2<-0"}
"""Those whose similarities are measured, by space."""
DARTS = Scale({"channels": 16, "cells": 8}, pixels=32, batch=32, images=2000, probes=2, space="darts")
MOBILE = Scale({"width": 1.0, "stem": "cifar"}, pixels=32, batch=32, images=2000, probes=2, space="mobilenet-proxyless")
MOBILE64 = Scale(
    {"width": 0.5, "stem": "imagenet"}, pixels=64, batch=32, images=2000, probes=2, space="mobilenet-proxyless"
)
SUBNETS = Scale(
    {"width": 0.25, "stem": "cifar"}, pixels=32, batch=64, images=2000, probes=2, samples=1000,
    space="mobilenet-proxyless",
)  # fmt: skip
ELASTIC = Scale({"width": 1.0, "stem": "cifar"}, pixels=32, batch=32, images=2000, probes=2, space="mobilenet-ofa")
SHORT = {
    "nasbench201": Scale({"channels": 4, "cells": 1}, pixels=16, batch=16, images=200, probes=1, samples=5, epochs=1),
    "darts": Scale({"channels": 4, "cells": 3}, pixels=16, batch=16, images=200, probes=1, space="darts"),
    "mobilenet-proxyless": Scale(
        {"width": 0.25, "stem": "cifar"},
        pixels=16,
        batch=16,
        images=200,
        probes=1,
        samples=3,
        space="mobilenet-proxyless",
    ),
    "mobilenet-ofa": Scale(
        {"width": 0.25, "stem": "cifar"}, pixels=16, batch=16, images=200, probes=1, space="mobilenet-ofa"
    ),
}
"""Of seconds, by space."""


def recipe_of(scale: Scale, *changes: str) -> Recipe:
    """Everything said, for as many threads as this process has."""
    given = [
        f"space.name={scale.space}",
        *(f"space.{key}={value}" for key, value in scale.size.items()),
        f"search.batch_size={scale.batch}",
        f"split.batches={scale.probes}",
        f"data.image_size={scale.pixels}",
        f"data.limit={scale.images}",
        f"threads={torch.get_num_threads()}",
        "trust.panel=0",
        "trust.control=0",
        "device=cpu",
    ]
    recipe = load_recipe(None, [*given, *changes], {})
    return resolve(recipe, find_space(recipe.space))[0]


def problem_of(scale: Scale, *changes: str) -> Problem:
    """Random images, the same ones every time."""
    generator = torch.Generator().manual_seed(0)
    train, valid = (random_images(scale.held, scale.pixels, generator) for _ in range(2))
    recipe = recipe_of(scale, *changes)
    return Problem(recipe, find_space(recipe.space), train, valid, Normalise.of(train), None)


def random_images(count: int, pixels: int, generator: torch.Generator) -> Images:
    noise = torch.randint(256, (count, 3, pixels, pixels), dtype=torch.uint8, generator=generator)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    return Images(noise, labels, tuple(map(str, range(CLASSES))), shuffled=True)
