"""Copies of weights, written out: which one an architecture uses, and what it then computes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import Tensor, nn

from cleave.net import Network, one_hot
from cleave.space import Arch, Cell, Layout
from tests.reference.nonlinearity import deepest


def copy_at(
    layout: Layout, arch: Arch, thresholds: Sequence[int], zeros: Collection[str], convolutions: Collection[str]
) -> dict[str, int]:
    """By the name of each cell, the copy that an architecture uses there."""
    depth, found = 0, {}
    for name, block in layout.blocks:
        if isinstance(block, Cell):
            depth += deepest(block, arch, zeros, convolutions)
            found[name] = sum(threshold < depth for threshold in thresholds)
    return found


def outputs(networks: Sequence[Network], copies: dict[str, int], arch: Arch, images: Tensor) -> Tensor:
    """Logits where every cell is taken from the network of its copy, and all else from the first one."""
    gates = one_hot(arch)
    history = [images]
    for name, block in networks[0].blocks.items():
        own: nn.Module = networks[copies[name]].blocks[name] if name in copies else block
        history = own(history, gates)
    return networks[0].classify(history)
