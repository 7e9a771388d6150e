"""timm's MobileNetV3-Large (Howard et al., 2019) as an architecture of a supernet of `mobilenet-ofa`, with its weights.

At a width of 1 the space has the channels, activations and squeeze-and-excitations of timm's `mobilenetv3_large_100`,
whose blocks are smaller than the largest ones. What is larger is added so that it changes nothing: kernels are padded
with zeros; added channels have no weight in what follows them; added blocks end in a normalisation of weight 0. Of
each product one side is random, so that all of it can learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from math import sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cleave.errors import UserError
from cleave.net import Network, places
from cleave.ops.mobile import squeezed
from cleave.space import Arch, Layout, Space
from cleave.space.elastic import Elastic, numbers, size_of
from cleave.space.ofa import FIRST, LAST, PENULTIMATE, UNITS, OfaSettings

NAME = "mobilenetv3_large_100"
"""As timm calls it."""


class Part(NamedTuple):
    """What it has of an elastic block: channels in the middle, a kernel's side."""

    middle: int
    kernel: int


BLOCKS = (
    (Part(64, 3), Part(72, 3)),
    (Part(72, 5), Part(120, 5), Part(120, 5)),
    (Part(240, 3), Part(200, 3), Part(184, 3), Part(184, 3)),
    (Part(480, 3), Part(672, 3)),
    (Part(672, 5), Part(960, 5), Part(960, 5)),
)
"""Of each unit (Howard et al., 2019, Table 1)."""
ENDS = {
    "blocks.stem.op.0": "conv_stem",
    "blocks.stem.op.1": "bn1",
    "blocks.block0.op.body.0": "blocks.0.0.conv_dw",
    "blocks.block0.op.body.1": "blocks.0.0.bn1",
    "blocks.block0.op.body.3": "blocks.0.0.conv_pw",
    "blocks.block0.op.body.4": "blocks.0.0.bn2",
    "blocks.last.op.0": "blocks.6.0.conv",
    "blocks.last.op.1": "blocks.6.0.bn1",
    "head.0.0": "conv_head",
}
"""Layers that are not searched: our names and timm's."""
LAYERS = {
    "expand": "conv_pw",
    "expand_norm": "bn1",
    "depthwise_norm": "bn2",
    "project": "conv_pwl",
    "project_norm": "bn3",
    "squeeze.reduce": "se.conv_reduce",
    "squeeze.expand": "se.conv_expand",
}
"""The same of a block, but for its depthwise convolution, which goes into the middle of a larger one."""
TENSORS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
LEAST = {"kernels": 5, "expansions": 6, "depths": 4}
"""What one of a space's numbers has to reach, so that it has the network."""


def fitted(settings: OfaSettings) -> tuple[OfaSettings, list[str]]:
    """Settings of a space that has the network, and a note for each size that was set.

    UserError names a key that was given another value.
    """
    for key, least in LEAST.items():
        if max(given := getattr(settings, key)) < least:
            raise UserError(f"space.{key}={list(given)}: {NAME} needs {least} among them; add it, or leave the key out")
    needed: dict[str, Any] = {"width": 1.0, "head_bias": True}
    other = {key: value for key, value in needed.items() if getattr(settings, key) != value}
    for key in other.keys() & settings.model_fields_set:
        raise UserError(f"space.{key}={getattr(settings, key)}: {NAME} has {needed[key]}; give that, or leave it out")
    notes = [f"space.{key}={value}, as {NAME} has it" for key, value in other.items()]
    return settings.model_copy(update=other), notes


def arch_in(space: Space, size: OfaSettings) -> Arch:
    """The smallest architecture of the space that computes what the network computes; `size` as `fitted`."""
    allowed, found = space.region.allowed, dict[str, str]()
    for blocks, parts in zip(units(space.layout(size, 3)), BLOCKS, strict=True):
        depth = next(iter(blocks.values())).depth
        found[depth] = min((each for each in allowed[depth] if numbers(each)["d"] >= len(parts)), key=size_of)
        running = list(blocks.values())[: numbers(found[depth])["d"]]
        for spec, part in zip(running, chain(parts, repeat(Part(0, 0))), strict=False):
            for choice in dict.fromkeys((spec.kernel, spec.expand)):
                found[choice] = min((each for each in allowed[choice] if holds(spec, each, part)), key=size_of)
    return found


def holds(spec: Elastic, candidate: str, part: Part) -> bool:
    """Whether a candidate of a block, of its kernel or its expansion or both, is as large as that."""
    size = numbers(candidate)
    return size.get("k", part.kernel) >= part.kernel and ("e" not in size or spec.middle(size["e"]) >= part.middle)


def units(layout: Layout) -> list[dict[str, Elastic]]:
    """The elastic blocks by name, unit by unit."""
    found: dict[str, dict[str, Elastic]] = {}
    for name, block in layout.blocks:
        if isinstance(block, Elastic):
            found.setdefault(block.depth, {})[name] = block
    return list(found.values())


def check(weights: Mapping[str, Tensor]) -> None:
    """ValueError, which names the first thing that is wrong, for weights of another network."""
    known = dict(shapes())
    for name, shape in known.items():
        if name not in weights:
            raise ValueError(f"has no {name}")
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"has {name} of {list(weights[name].shape)}, not {list(shape)}")
    for name, tensor in weights.items():
        if name not in known and not name.endswith("num_batches_tracked") and not name.startswith("classifier."):
            raise ValueError(f"has {name}, which is of another network")
        if not torch.isfinite(tensor).all():
            raise ValueError(f"has numbers in {name} that are not finite")


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the network's tensors in order, but for its classifier and counts of batches."""
    yield from layer("conv_stem", "bn1", (FIRST, 3, 3, 3))
    yield from layer("blocks.0.0.conv_dw", "blocks.0.0.bn1", (FIRST, 1, 3, 3))
    yield from layer("blocks.0.0.conv_pw", "blocks.0.0.bn2", (FIRST, FIRST, 1, 1))
    channels = FIRST
    for number, (unit, parts) in enumerate(zip(UNITS, BLOCKS, strict=True), start=1):
        for place, (middle, kernel) in enumerate(parts):
            block = f"blocks.{number}.{place}"
            yield from layer(f"{block}.conv_pw", f"{block}.bn1", (middle, channels, 1, 1))
            yield from layer(f"{block}.conv_dw", f"{block}.bn2", (middle, 1, kernel, kernel))
            if unit.squeeze:
                yield from biased(f"{block}.se.conv_reduce", (squeezed(middle), middle, 1, 1))
                yield from biased(f"{block}.se.conv_expand", (middle, squeezed(middle), 1, 1))
            yield from layer(f"{block}.conv_pwl", f"{block}.bn3", (unit.channels, middle, 1, 1))
            channels = unit.channels
    yield from layer("blocks.6.0.conv", "blocks.6.0.bn1", (LAST, channels, 1, 1))
    yield from biased("conv_head", (PENULTIMATE, LAST, 1, 1))


def layer(convolution: str, norm: str, shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A convolution with its normalisation."""
    yield f"{convolution}.weight", shape
    yield from ((f"{norm}.{name}", shape[:1]) for name in TENSORS[:4])


def biased(convolution: str, shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from ((f"{convolution}.weight", shape), (f"{convolution}.bias", shape[:1]))


def has_classifier(weights: Mapping[str, Tensor], classes: int) -> bool:
    """Whether the weights have a classifier for so many classes."""
    wanted = dict(biased("classifier", (classes, PENULTIMATE)))
    return all(name in weights and tuple(weights[name].shape) == shape for name, shape in wanted.items())


def embed(network: Network, weights: Mapping[str, Tensor]) -> None:
    """Puts checked weights into a new supernet, and the channels first in it that matter most.

    `network`: of `fitted` settings. From the kernels, expansions and depths of `arch_in` upwards every architecture
    then computes what timm's network computes, in both modes; but for the classifier, where there are other classes.
    """
    network.load_state_dict(embedded(network.state_dict(), network.layout, weights))
    placed = places(network)
    for blocks, parts in zip(units(network.layout), BLOCKS, strict=True):
        for (name, spec), part in zip(blocks.items(), parts, strict=False):  # added blocks stay as they are
            least = min(each for each in spec.expansions if spec.middle(each) >= part.middle)
            placed[f"blocks.{name}.place"].sort_channels({f"e{least}"})


def embedded(state: Mapping[str, Tensor], layout: Layout, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a new supernet with the weights in it, channels in timm's order.

    Of normalisations that keep no running statistics in the supernet, those of the weights are left out.
    """
    found = {name: tensor.clone() for name, tensor in state.items()}
    for ours, theirs in ENDS.items():
        fill(found, ours, weights, theirs)
    if has_classifier(weights, len(found["classifier.weight"])):
        fill(found, "classifier", weights, "classifier")
    for number, (blocks, parts) in enumerate(zip(units(layout), BLOCKS, strict=True), start=1):
        for place, name in enumerate(blocks):
            if place < len(parts):
                fill_block(found, f"blocks.{name}.place", weights, f"blocks.{number}.{place}", parts[place])
            else:
                add_block(found, f"blocks.{name}.place")
    return found


def fill_block(found: dict[str, Tensor], ours: str, weights: Mapping[str, Tensor], theirs: str, part: Part) -> None:
    """A block that the network has; added channels, behind the others, are worth nothing to what follows them."""
    middle, kernel = part
    for layer, of_timm in LAYERS.items():
        fill(found, f"{ours}.{layer}", weights, f"{theirs}.{of_timm}")
    depthwise = found[f"{ours}.depthwise.weight"]
    edge = (depthwise.shape[-1] - kernel) // 2
    depthwise[:middle] = 0
    depthwise[:middle, :, edge : edge + kernel, edge : edge + kernel] = weights[f"{theirs}.conv_dw.weight"]
    found[f"{ours}.project.weight"][:, middle:] = 0
    if f"{ours}.squeeze.reduce.weight" in found:
        reduced, shares = squeezed(middle), found[f"{ours}.squeeze.expand.weight"]
        found[f"{ours}.squeeze.reduce.weight"][:reduced, middle:] = 0
        shares[:middle, reduced:] = shares[middle:] = 0  # an added channel has a share of about a half, whatever comes
        enliven(found, ours, reduced)


def add_block(found: dict[str, Tensor], ours: str) -> None:
    """A block that the network has not: it adds nothing to what goes past it."""
    for name in ("weight", "bias"):
        found[f"{ours}.project_norm.{name}"].zero_()
    if f"{ours}.squeeze.reduce.weight" in found:
        enliven(found, ours, 0)


def enliven(found: dict[str, Tensor], ours: str, first: int) -> None:
    """Makes positive, and no larger in all, what squeezes into the channels from `first` on.

    Means of channels mostly are positive, so that the ReLU behind lets them through. Of random signs about half would
    never learn, since these means differ little between images.
    """
    weight, bias = (found[f"{ours}.squeeze.reduce.{name}"][first:] for name in ("weight", "bias"))
    weight.abs_().div_(sqrt(weight.shape[1]))
    bias.abs_()


def fill(found: dict[str, Tensor], ours: str, weights: Mapping[str, Tensor], theirs: str) -> None:
    """A layer's tensors as the first channels of a larger one's, as far as both have them."""
    for name in TENSORS:
        target, tensor = found.get(f"{ours}.{name}"), weights.get(f"{theirs}.{name}")
        if target is not None and tensor is not None:
            target[tuple(map(slice, tensor.shape))] = tensor.to(target)
