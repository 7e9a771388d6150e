"""What every format is written from, and what an opened one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from cleave.deploy.runtimes import folded
from cleave.export.deployed import INPUT, Deployed, in_torchs_layers, some_images

Answers = tuple[Tensor, Tensor]
"""(probabilities, logits), each [n, classes]"""
Classifier = Callable[[Tensor], Answers]
"""Of images uint8 [n, channels, height, width]."""


@dataclass(frozen=True)
class Handed:
    """A network that is handed over. `told`: what files say of it beside its classes, as text by name."""

    deployed: Deployed
    classes: tuple[str, ...]
    told: Mapping[str, str]
    opset: int

    @cached_property
    def program(self) -> ExportedProgram:
        """For any number of images of any size; normalisations are in the weights of the convolutions before them."""
        sizes = {INPUT: {0: Dim("n"), 2: Dim("height"), 3: Dim("width")}}
        example = some_images(self.deployed.pixels)
        with torch.no_grad():
            whole = folded(in_torchs_layers(self.deployed))
            return torch.export.export(whole, (example,), dynamic_shapes=sizes, strict=False)
