"""Networks to hand over that nobody trained, with statistics as training might leave them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from cleave.data.images import Images
from cleave.engine.stop import NEVER
from cleave.export.check import Examples
from cleave.export.deployed import Deployed, Pixels
from cleave.export.formats import FORMATS
from cleave.export.handed import Handed
from cleave.net import build_alone
from cleave.net.chosen import ChosenNetwork
from cleave.space import Space
from tests.deploy.made import small

CLASSES = ("ant", 'b"ee', "cat's")


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(int(torch.randint(2**62, ())))


def chosen(space: Space, side: int = 16) -> ChosenNetwork:
    """A random architecture, its normalisations with random statistics."""
    asked, arch = small(space), space.sample(space.region, generator())
    network = build_alone(replace(asked.layout, auxiliary=None), arch, len(CLASSES), seed=0)
    for each in network.modules():
        if isinstance(each, nn.BatchNorm2d) and each.running_mean is not None and each.running_var is not None:
            nn.init.normal_(each.running_mean, 0, 0.3)
            nn.init.uniform_(each.running_var, 0.5, 1.5)
    return ChosenNetwork(network, arch, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)).eval()


def handed(space: Space, side: int = 16) -> Handed:
    told = {"title": "A test", "cleave": "0", "space": space.name, "arch": "random"}
    return Handed(Deployed(chosen(space), Pixels(3, side, side)).eval(), CLASSES, told, 18)


def images(side: int = 16, count: int = 12) -> Images:
    pixels = torch.randint(256, (count, 3, side, side), dtype=torch.uint8)
    return Images(pixels, torch.arange(count) % len(CLASSES), CLASSES, shuffled=True)


def check(name: str, of: Handed, folder: Path) -> None:
    """Writes a format, opens it and holds it to the network."""
    FORMATS[name].write(of, folder)
    Examples(of.deployed, images(of.deployed.pixels.size)).check(name, FORMATS[name].opened(folder), NEVER)
