"""The space of "Deeper Insights into Weight Sharing in NAS" (arXiv 2001.01431): 3 edges of 4 operations, 64 networks.

As in the released code, which made the published ground truth: the two nodes are concatenated (the paper adds them up),
there are two convolutions in the stem, and the dilated convolution is 5x5 (the paper calls it 3x3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cleave.errors import UserError, shown, unknown
from cleave.ops import Norm
from cleave.settings import NetworkSettings, NetworkSize
from cleave.space.choice import Arch, Choice
from cleave.space.layout import Block, Cell, Fixed, Layout, Link
from cleave.space.space import Space, offered

OPERATIONS = ("max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_5x5")
"""In the order of their digits, from 1."""

LINKS = (Link("O01", 0, 1), Link("O02", 0, 2), Link("O12", 1, 2))

STEM = 3
"""The stem's channels, as a multiple of the cells'."""


class Cells64(Space):
    """One cell, repeated without reduction; an architecture is written as its operations' digits, as in 434."""

    name = "cells64"
    paper_size = NetworkSize(channels=16, cells=4)

    def __init__(self, operations: int | Sequence[str] | None = None) -> None:
        candidates = offered(operations, OPERATIONS, fewer={})
        self.choices = tuple(Choice(link.choice, candidates) for link in LINKS)

    @classmethod
    def from_settings(cls, settings: NetworkSettings) -> Cells64:
        return cls(settings.ops)

    def asked(self) -> Mapping[str, Any]:
        return {"ops": list(self.choices[0].candidates)}

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        """Two convolutions, then `size.cells` cells, all at the image's own resolution."""
        width, wide = size.channels, STEM * size.channels
        blocks: list[tuple[str, Block]] = [
            ("stem0", Fixed("conv_3x3_bn", image_channels, wide)),
            ("stem1", Fixed("conv_3x3_bn", wide, wide)),
        ]
        for number in range(size.cells):
            entry = wide if number == 0 else 2 * width
            cell = Cell(width, LINKS, outputs=(1, 2), preprocess=("nor_conv_1x1",), channels_in=(entry,))
            blocks.append((f"cell{number}", cell))
        ends, norm = ("stem0", "stem1", "classifier"), Norm(affine=False)
        return Layout(tuple(blocks), features=2 * width, ends=ends, norm=norm)

    def format(self, arch: Arch) -> str:
        """The digits of O01, O02 and O12."""
        return "".join(str(OPERATIONS.index(arch[choice.name]) + 1) for choice in self.choices)

    def parse(self, text: str) -> Arch:
        """The architecture of three digits; UserError where they are no such or mean an operation left out."""
        digits = {str(number + 1): name for number, name in enumerate(OPERATIONS)}
        if len(text) != len(self.choices) or any(digit not in digits for digit in text):
            raise UserError(
                f"architecture {shown(text)}: write {len(self.choices)} digits from 1 to {len(digits)}, as in 434"
            )
        for choice, digit in zip(self.choices, text, strict=True):
            if digits[digit] not in choice.candidates:
                raise unknown(f"architecture {shown(text)}, edge {choice.name}", digits[digit], choice.candidates)
        return {choice.name: digits[digit] for choice, digit in zip(self.choices, text, strict=True)}
