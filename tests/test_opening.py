"""What is made of images that were opened."""

from __future__ import annotations

import pytest
import torch

from cleave.data.images import Images
from cleave.errors import UserError
from cleave.opening import viewed
from cleave.settings import ViewSettings


def some(channels: int) -> Images:
    pixels = torch.randint(256, (5, channels, 8, 8), dtype=torch.uint8)
    return Images(pixels, torch.arange(5) % 2, ("a", "b"), shuffled=True)


def test_grey_images_are_given_three_equal_channels_where_that_is_asked_for() -> None:
    grey, colour = some(1), some(3)
    found = viewed(grey, ViewSettings(channels=3))
    assert found.pixels.shape == (5, 3, 8, 8)
    assert all(torch.equal(found.pixels[:, channel], grey.pixels[:, 0]) for channel in range(3))
    assert torch.equal(viewed(colour, ViewSettings(channels=3)).pixels, colour.pixels)
    assert torch.equal(viewed(grey, ViewSettings()).pixels, grey.pixels)


def test_other_images_cannot_be_given_three() -> None:
    with pytest.raises(UserError, match=r"data\.channels=3: images of 2 channels cannot be given three; leave it out"):
        viewed(some(2), ViewSettings(channels=3))
