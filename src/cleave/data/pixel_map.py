"""Pixels that stay on the disk: one file of rows, an image in each, of which only those of a batch are read.

A row is read, and held against its digest, whenever it is asked for. The file is not mapped by the system: what is
damaged, cut short or on a bad sector is then an error in words instead of a signal that ends the process, and what was
read does not count as the process's memory. The system keeps what it has room for, as of any file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cleave.errors import UserError, cause

PIXELS, DAMAGED = "pixels", "damaged"
"""Files of a map: the rows, and one that is there once a row was found damaged."""
DIGEST = 16
"""Bytes of a digest: enough for what happens by itself."""
PIECE = 1 << 20
"""Bytes that are worth a thread of their own."""
THREADS = min(8, os.cpu_count() or 1)

Bytes: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PixelMap:
    """Images on the disk, indexed like a tensor uint8 [n, 3, size, size]; what is read comes on `device`.

    `rows` (int64 [n]) are the places of the images in `file`, `digests` (uint8 [n, DIGEST]) those of their bytes.
    Whoever reads a damaged image gets a UserError, never other pixels.
    """

    file: Path
    size: int
    rows: Tensor
    digests: Tensor
    device: torch.device = torch.device("cpu")  # noqa: RUF009  it does not change

    dtype: ClassVar[torch.dtype] = torch.uint8
    ndim: ClassVar[int] = 4

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self.rows), 3, self.size, self.size))

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """What of it is in memory."""
        return self.rows, self.digests

    def to(self, device: torch.device) -> PixelMap:
        """The same, whose images come on `device`, batch by batch."""
        return replace(self, device=device)

    def split(self, counts: Sequence[int]) -> list[PixelMap]:
        """The first so many images, the next, and so on."""
        pairs = zip(self.rows.split(counts), self.digests.split(counts), strict=True)  # type: ignore[no-untyped-call]
        return [replace(self, rows=rows, digests=digests) for rows, digests in pairs]

    def __getitem__(self, chosen: Tensor | slice) -> Tensor:
        """uint8 [k, 3, size, size] of the images at these indices (int64 [k], best on the CPU), in their order."""
        here = chosen.cpu() if isinstance(chosen, Tensor) else chosen
        rows, digests = self.rows[here], self.digests[here]
        pinned = self.device.type == "cuda"  # so that the copy to the device does not keep anybody waiting
        pixels = torch.empty((len(rows), *self.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
        self._fill(pixels.flatten(1).numpy(), rows.tolist(), digests.numpy())
        return pixels.to(self.device, non_blocking=True)

    def _fill(self, images: Bytes, rows: list[int], digests: Bytes) -> None:
        """Reads rows into `images` ([k, bytes of an image]), piece by piece in threads."""
        length = images.shape[1]
        every = max(1, PIECE // length)
        try:
            with open(self.file, "rb", buffering=0) as file, ThreadPoolExecutor(THREADS) as pool:

                def read(start: int) -> None:
                    for number in range(start, min(start + every, len(rows))):
                        data = os.pread(file.fileno(), length, rows[number] * length)
                        if digest_of(data) != digests[number].tobytes():
                            raise self._trouble(f"image {rows[number]} in it is damaged")
                        images[number] = np.frombuffer(data, np.uint8)

                list(pool.map(read, range(0, len(rows), every)))
        except OSError as error:
            raise self._trouble(f"cannot be read ({cause(error)})") from error

    def _trouble(self, what: str) -> UserError:
        """What to say; the next start finds a mark, looks at every image and makes the damaged ones again."""
        with suppress(OSError):
            (self.file.parent / DAMAGED).touch()
        return UserError(
            f"{self.file}: {what}; start again or `cleave resume` the run: what is damaged is then made again from the "
            f"image files (or delete {self.file.parent})"
        )


def digest_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:DIGEST]
