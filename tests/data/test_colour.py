"""Brightness and saturation of each image by itself, against torchvision's."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional

from cleave.data.colour import Colour, blended, enhancements


@pytest.mark.parametrize("name", ["brightness", "saturation", "contrast", "sharpness"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_has_a_strength_of_its_own(name: str, channels: int) -> None:
    pixels = torch.randint(256, (6, channels, 9, 9), dtype=torch.uint8)
    factors = 2 * torch.rand(6)
    found = blended(pixels, enhancements()[name](pixels), factors)
    for image, factor, seen in zip(pixels, factors.tolist(), found, strict=True):
        wanted = getattr(functional, f"adjust_{name}")(image, factor)
        assert int((seen.int() - wanted.int()).abs().max()) <= 2  # torchvision cuts off where this rounds


def test_colours_change_within_their_bounds_and_not_at_all_at_zero() -> None:
    pixels = torch.randint(100, 130, (200, 3, 4, 4), dtype=torch.uint8)
    generator = torch.Generator().manual_seed(3)
    assert torch.equal(Colour(0.0, 0.0)(pixels, generator), pixels)
    found = Colour(0.2, 0.0)(pixels, generator).double() / pixels
    assert float(found.min()) > 0.79
    assert float(found.max()) < 1.21
    assert float(found.std()) > 0.05
