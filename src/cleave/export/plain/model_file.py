"""`model.py` and `weights.safetensors`: a network that is read, run and trained on with torch alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from inspect import getsource
from pathlib import Path
from textwrap import indent

from safetensors.torch import save
from torch import Tensor

from cleave.export import alone
from cleave.export.deployed import in_torchs_layers
from cleave.export.handed import Classifier, Handed
from cleave.export.plain.graph import program_of
from cleave.export.plain.layers import WIDTH
from cleave.export.plain.text import NetworkText, text_of
from cleave.net.units import Gated

FILE, WEIGHTS = "model.py", "weights.safetensors"

MODULE = '''"""{title}

Needs torch alone. `network = load()` has the weights beside this file; `network(images)` gives (probabilities, logits),
each [n, classes], of images uint8 [n, {channels}, height, width] of any size. Written by cleave {cleave}.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = {classes}
SIZE, VIEW, RESAMPLE = {size}, {view}, "{resample}"
"""Images are brought to SIZE pixels on a side, of which the network sees the middle VIEW."""
MEAN, STD = {mean}, {std}
"""Of each channel, from 0 to 1."""


{functions}

class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pixel_mean", torch.tensor(MEAN).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(STD).view(1, -1, 1, 1), persistent=False)
{init}

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pixels = prepared(images, SIZE, VIEW, RESAMPLE) / 255
        logits = self.logits((pixels - self.pixel_mean) / self.pixel_std)
        return logits.softmax(dim=1), logits

    def logits(self, x: Tensor) -> Tensor:
        """Of normalised images [n, {channels}, {view}, {view}]."""
{forward}
        return {output}


def load(weights: Path = Path(__file__).with_name("{weights}")) -> Network:
    """The network with its weights, for use; call `.train()` to train it on."""
    network = Network()
    network.load_state_dict(tensors_in(weights))
    return network.eval()
'''


def write(handed: Handed, folder: Path) -> None:
    """UserError where the network does something that cannot be written."""
    chosen, pixels = handed.deployed.network, handed.deployed.pixels
    network = in_torchs_layers(Gated(chosen.network, chosen.gates))
    text = text_of(program_of(network, (pixels.channels, pixels.view, pixels.view)), network)
    (folder / FILE).write_text(module_text(handed, text), encoding="utf-8")
    weights = save({name: tensor.clone().contiguous() for name, tensor in text.weights.items()})
    (folder / WEIGHTS).write_bytes(weights)


def module_text(handed: Handed, text: NetworkText) -> str:
    chosen, pixels = handed.deployed.network, handed.deployed.pixels
    functions = (alone.middle, alone.prepared, alone.tensors_in)
    return MODULE.format(
        title=handed.told["title"],
        cleave=handed.told["cleave"],
        classes=literal(handed.classes),
        **vars(pixels),
        mean=numbers(chosen.mean),
        std=numbers(chosen.std),
        functions="\n\n".join(getsource(each) for each in functions),
        init=indent("\n".join(text.init), " " * 8),
        forward=indent("\n".join(text.forward), " " * 8),
        output=text.output,
        weights=WEIGHTS,
    )


def literal(classes: Sequence[str]) -> str:
    """A list of strings, in one line if that is short."""
    line = json.dumps(classes, ensure_ascii=False)
    return line if len(line) < WIDTH - 20 else json.dumps(classes, ensure_ascii=False, indent=4)


def numbers(tensor: Tensor) -> list[float]:
    """Of each channel; written out they are the same numbers."""
    found: list[float] = tensor.flatten().tolist()
    return found


def opened(folder: Path) -> Classifier:
    """Runs `model.py`."""
    spec = spec_from_file_location("cleave_exported", folder / FILE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    network: Classifier = module.load()
    return network
