"""What a written `model.py` has beside its network: the source of these functions is copied there.

They need torch and Python's own library alone.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional


def middle(images: Tensor) -> Tensor:
    """The middle of images [n, channels, height, width] of any size: a square, or one row or column more, so that as
    many are left out on both sides."""
    height, width = images.shape[2:]
    side = torch.sym_min(height, width)
    left_out = [(length - side) // 2 for length in (height, width)]
    rows, columns = (
        edge + torch.arange(length - 2 * edge, device=images.device)
        for edge, length in zip(left_out, (height, width), strict=True)
    )
    return images[:, :, rows][:, :, :, columns]


def prepared(images: Tensor, size: int, view: int, resample: str) -> Tensor:
    """Pixels as in training, floats from 0 to 255: the middle at `size` pixels on a side, and of that `view` of them.

    Images of `size` x `size` pixels stay as they are.
    """
    floats = middle(images).float()
    sized = functional.interpolate(floats, (size, size), mode=resample, align_corners=False, antialias=True)
    edge = (size - view) // 2
    return sized.round().clamp(0, 255)[:, :, edge : edge + view, edge : edge + view]


def tensors_in(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name: 8 bytes for the length of a JSON header, the header, the numbers."""
    data = file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    kinds = {"F32": torch.float32, "I64": torch.int64}
    found = {}
    for name, each in json.loads(data[8:start]).items():
        if name != "__metadata__":
            first, last = each["data_offsets"]
            numbers = bytearray(data[start + first : start + last])
            found[name] = torch.frombuffer(numbers, dtype=kinds[each["dtype"]]).reshape(each["shape"])
    return found
