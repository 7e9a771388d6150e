"""What every format is written from, and what an opened one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from cleave.deploy.runtimes import folded
from cleave.errors import UserError, brief
from cleave.export.deployed import Deployed, in_torchs_layers, some_images
from cleave.memory import lacks_memory

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
        sizes = {0: Dim("n"), 2: Dim("height"), 3: Dim("width")}
        return traced(folded(in_torchs_layers(self.deployed)), some_images(self.deployed.pixels), sizes)


def traced(module: nn.Module, example: Tensor, sizes: Mapping[int, Dim]) -> ExportedProgram:
    """The program of a module of one input, of which these dimensions may be any; UserError where torch sees none."""
    try:
        with torch.no_grad():
            return torch.export.export(module, (example,), dynamic_shapes=(dict(sizes),), strict=False)
    except RuntimeError as error:
        if lacks_memory(error):
            raise
        raise UserError(
            f"torch.export cannot take this network for any number of images (len(x) in it would be x.shape[0]): "
            f"{brief(str(error), 200)}"
        ) from error
