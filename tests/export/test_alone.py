"""What is done to pixels, against what training does to them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from cleave.data.decode import Resample, decode, whole
from cleave.data.images import central, resized
from cleave.export.alone import middle, prepared, tensors_in

SHAPES = [(24, 24), (24, 41), (63, 30), (9, 13)]


def pixels(height: int, width: int, count: int = 2) -> torch.Tensor:
    """Smooth random images, as photos are."""
    coarse = torch.rand(count, 3, 4, 4)
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return (255 * fine).round().clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
def test_images_of_the_training_size_stay_as_they_are(resample: Resample) -> None:
    images = torch.randint(256, (3, 3, 20, 20), dtype=torch.uint8)
    assert torch.equal(prepared(images, 20, 20, resample), images.float())
    assert torch.equal(prepared(images, 20, 14, resample), central(images, 14).float())


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", SHAPES)
def test_square_images_come_to_their_size_as_those_of_named_sets(shape: tuple[int, int], resample: Resample) -> None:
    images = middle(torch.randint(256, (2, 3, *shape), dtype=torch.uint8))
    odd = (max(shape) - min(shape)) % 2
    assert sorted(images.shape[2:]) == [min(shape), min(shape) + odd]
    assert torch.equal(prepared(images, 12, 12, resample), resized(images, 12, resample).float())


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [(96, 96), (97, 131), (200, 90)])
def test_image_files_come_out_nearly_as_pillow_makes_them(shape: tuple[int, int], resample: Resample) -> None:
    """Which rounds in between, and cuts the middle out to half a pixel."""
    (image,) = pixels(*shape, count=1)
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "PNG")
    read = whole(file, "x.png", 3)
    assert np.array_equal(read, image.numpy())
    assert whole(file, "x.png", 1).shape == (1, *shape)
    expected = torch.from_numpy(decode(file, "x.png", 32, resample)).float()
    off = (prepared(image[None], 32, 32, resample)[0] - expected).abs()
    assert off.max() <= 6
    assert off.mean() < 0.75


def test_tensors_are_read_as_they_were_saved(tmp_path: Path) -> None:
    tensors = {"a.b": torch.randn(3, 4), "count": torch.tensor(7), "c": torch.randn(2, 1, 3, 3)}
    save_file(tensors, tmp_path / "w.safetensors", {"format": "pt"})
    found = tensors_in(tmp_path / "w.safetensors")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
