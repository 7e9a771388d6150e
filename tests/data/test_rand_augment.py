"""RandAugment for a whole batch: each operation against timm's on Pillow's images, the notation, chances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from cleave.data.rand_augment import RandAugment, operations, parsed
from cleave.errors import UserError

FILL = (120.0, 110.0, 100.0)
INCREASING = {"Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness"}


def smooth(count: int, size: int) -> torch.Tensor:
    """Images without hard edges, where Pillow and torch resample alike."""
    coarse = torch.randint(256, (count, 3, 5, 5), dtype=torch.uint8)
    return functional.resize(coarse, [size, size])


@pytest.mark.parametrize("increasing", [False, True])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("name", operations(FILL, False))
def test_an_operation_does_what_timms_does(
    name: str, sign: float, increasing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    augment: Any = pytest.importorskip("timm.data.auto_augment", reason="timm is not installed")
    chance = {-1.0: 0.9, 1.0: 0.1}[sign]  # timm negates where it draws above .5
    monkeypatch.setattr(augment.random, "random", lambda: chance)
    levels = torch.tensor(
        [2.6, 3.3, 5.1, 7.4] if name == "Posterize" else [0.0, 3.3, 9.0, 10.0]
    )  # Pillow: 1 bit is left
    pixels = smooth(4, 32)
    found = operations(FILL, increasing)[name](pixels, levels / 10, torch.full((4,), sign))
    timms = f"{name}Increasing" if increasing and name in INCREASING else name
    for image, level, seen in zip(pixels, levels.tolist(), found, strict=True):
        hparams = {"img_mean": tuple(map(int, FILL)), "interpolation": Image.Resampling.BILINEAR}
        operation = augment.AugmentOp(timms, prob=1.0, magnitude=level, hparams=hparams)
        wanted = np.asarray(operation(Image.fromarray(image.permute(1, 2, 0).numpy()))).astype(int)
        gap = (seen.permute(1, 2, 0).int() - torch.from_numpy(wanted)).abs()
        assert float((gap > 3).double().mean()) < 0.06, (name, level, "but for a line where the image ends")


def test_everything_follows_from_the_generator_and_shares_are_held() -> None:
    pixels = smooth(60, 16)
    augment = parsed("rand-m9-mstd0.5", FILL)
    one, other = (augment(pixels, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, other)
    assert (one.shape, one.dtype) == (pixels.shape, pixels.dtype)
    changed = float((one != pixels).flatten(1).any(dim=1).double().mean())
    assert 0.5 < changed < 0.95  # 3 of 4 have an operation
    assert torch.equal(parsed("rand-p0", FILL)(pixels, torch.Generator()), pixels)


def test_timms_notation_is_read() -> None:
    assert parsed("rand-m9-mstd0.5", FILL) == RandAugment(9.0, 0.5, FILL)
    assert parsed("rand-mstd1-n3-m7-p0.25-inc1", FILL) == RandAugment(7.0, 1.0, FILL, 3, 0.25, True)
    for text in ("m9", "rand-m", "rand-x3", "rand-m9-mstd", "augmix-m3", "rand-m1.2.3"):
        with pytest.raises(UserError, match=r"training\.auto_augment: '.*rand-m9-mstd0\.5"):
            parsed(text)
