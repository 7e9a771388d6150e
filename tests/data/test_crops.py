"""Pieces of random place and size, against torchvision's, one by one; and what of large images networks see."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch

from cleave.data.augment import Augment, Normalise
from cleave.data.chance import Chance
from cleave.data.crops import KERNELS, Crops, draw, draw_boxes, shares_of
from cleave.data.images import Images, central
from cleave.data.stream import BatchStream, InOrder
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.opening import open_images, search_augment
from cleave.settings import DataSettings
from tests.data.made_folders import plain
from tests.reference import crops as slow


def random_pixels(count: int, size: int) -> torch.Tensor:
    return torch.randint(256, (count, 3, size, size), dtype=torch.uint8)


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "side"), [(40, 32), (20, 33), (31, 7)])
def test_pieces_are_those_of_torchvision(resample: Literal["bilinear", "bicubic"], size: int, side: int) -> None:
    pixels, seed = random_pixels(70, size), int(torch.randint(10**6, ()))
    found = Crops(side, 0.08, True, resample)(pixels, torch.Generator().manual_seed(seed))
    again = torch.Generator().manual_seed(seed)
    boxes = draw_boxes(70, size, size, (0.08, 1.0), 4 / 3, again)
    wanted = slow.resized(pixels, boxes, draw((70,), again) < 0.5, side, resample).clamp(0, 255)
    assert found.dtype == torch.uint8
    assert float((found.double() - wanted).abs().max()) <= 0.5 + 1e-3  # of rounding


def test_shares_of_a_line_are_one() -> None:
    start, length = torch.tensor([0, 3, 9]), torch.tensor([10, 4, 1])
    for kernel in KERNELS.values():
        shares = shares_of(start, length, 6, 10, kernel)
        torch.testing.assert_close(shares.sum(dim=2), torch.ones(3, 6))
        assert not shares[1, :, :3].any()
        assert not shares[1, :, 7:].any()


def test_boxes_lie_in_the_image_and_have_the_areas_and_shapes_asked_for() -> None:
    side = 200
    boxes = draw_boxes(3000, side, side, (0.08, 1.0), 4 / 3, torch.Generator().manual_seed(int(torch.randint(99, ()))))
    assert bool((boxes.top >= 0).all() and (boxes.top + boxes.height <= side).all())
    assert bool((boxes.left >= 0).all() and (boxes.left + boxes.width <= side).all())
    areas, shapes = (boxes.height * boxes.width) / side**2, boxes.width / boxes.height
    assert float(areas.min()) > 0.07
    assert float(shapes.min()) > 0.7
    assert float(shapes.max()) < 1.43
    assert 0.35 < float(areas.mean()) < 0.6  # .54, less for what does not fit
    assert float((boxes.top * 2 + boxes.height).double().mean()) == pytest.approx(side, rel=0.05)


def test_where_nothing_fits_the_whole_image_is_taken() -> None:
    pixels = random_pixels(5, 16)
    boxes = draw_boxes(5, 16, 16, (2.0, 3.0), 4 / 3, torch.Generator())
    assert not boxes.found.any()
    assert torch.equal(Crops(16, 1.0, flip=False)(pixels, torch.Generator()), pixels)


def seen(view: int | None, crop: float | None = None) -> BatchStream:
    data = DataSettings(view=view, crop=crop, padding=None if crop else 0, flip=False, brightness=0.2, saturation=0.5)
    images = Images(random_pixels(12, 20), torch.arange(12) % 3, ("a", "b", "c"), True, view)
    augment = search_augment(data, images.side)
    return BatchStream(images, 4, augment, Normalise.of(images), Chance(0, "root"), "train")


def test_networks_see_the_middle_or_pieces() -> None:
    for view, crop in ((None, None), (16, None), (16, 0.3), (None, 0.3)):
        stream = seen(view, crop)
        images, side = stream.images, view or 20
        assert stream.batch(1)[0].shape == (4, 3, side, side)
        assert torch.equal(stream.batch(1)[0], stream.batch(1)[0])
        judged = InOrder(images, 12, stream.normalise)[0][0]
        edge = (20 - side) // 2
        middle = images.pixels[..., edge : edge + side, edge : edge + side]
        torch.testing.assert_close(judged, stream.normalise(middle))
    pixels = random_pixels(3, 20)
    assert torch.equal(Augment(0, flip=False, view=16)(pixels, torch.Generator()), central(pixels, 16))


def test_images_are_kept_larger_than_they_are_seen(tmp_path: Path) -> None:
    folder = plain(tmp_path / "images", ("a", "b", "c"), count=10)
    data = DataSettings(name=str(folder), image_size=20, view=16, held_out=6, resample="bicubic")
    train, valid, report = open_images(data, Callback(), None)
    assert (train.side, train.pixels.shape[-1], report["size"]) == (16, 20, 16)
    assert valid.labels.bincount().tolist() == [2, 2, 2]
    other = open_images(data.model_copy(update={"resample": "bilinear"}), Callback(), None)[0]
    assert not torch.equal(train.pixels[:], other.pixels[:])
    assert torch.equal(open_images(data, Callback(), None)[0].pixels[:], train.pixels[:]), (
        "kept apart from bilinear ones"
    )
    with pytest.raises(UserError, match=r"data\.view=21: is more than the images have, 20 pixels"):
        open_images(data.model_copy(update={"view": 21}), Callback(), None)
