from __future__ import annotations

import pytest
import torch

from cleave.data import images as images_module
from cleave.data.augment import Normalise
from cleave.data.images import Images


@pytest.mark.parametrize("chunk", [1, 7, 50, 1000])
def test_statistics_do_not_depend_on_how_many_images_are_counted_at_once(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = torch.randint(256, (50, 3, 6, 6), dtype=torch.uint8)
    images = Images(pixels, torch.zeros(50, dtype=torch.int64), ("a",), shuffled=False)
    monkeypatch.setattr(images_module, "CHUNK", 3 * 6 * 6 * chunk)
    seen = Normalise.of(images)
    values = pixels.double().div(255).transpose(0, 1).flatten(1)
    torch.testing.assert_close(seen.mean, values.mean(1).float())
    torch.testing.assert_close(seen.std, values.std(1, unbiased=False).float())
    monkeypatch.setattr(images_module, "CHUNK", 3 * 6 * 6 * 50)
    whole = Normalise.of(images)
    assert torch.equal(seen.mean, whole.mean)
    assert torch.equal(seen.std, whole.std)
