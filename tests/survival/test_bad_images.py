"""Images as they lie on people's disks: each is read, or named in one line that says how to go on without it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.fuzz.test_bombs import png
from tests.survival.conftest import Wholes
from tests.survival.living import Life
from tests.survival.runs import ONE, searching, told_in_one_line


def saved(kind: str, mode: str = "RGB", size: tuple[int, int] = (8, 8), **options: Any) -> bytes:  # noqa: ANN401
    pixels = np.random.default_rng(5).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(file := BytesIO(), kind, **options)
    return file.getvalue()


def deep() -> bytes:
    """Of 16 bits a pixel."""
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(file := BytesIO(), "PNG")
    return file.getvalue()


def moving() -> bytes:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green")]
    frames[0].save(file := BytesIO(), "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def turned() -> bytes:
    """By its EXIF data."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved("JPEG", size=(8, 16), exif=exif)


def flipped(data: bytes, place: float) -> bytes:
    spoilt = bytearray(data)
    spoilt[int(place * (len(data) - 1))] ^= 0xFF
    return bytes(spoilt)


def link(target: str) -> Callable[[Path], None]:
    return lambda path: os.symlink(target, path)


JPEG, PNG = saved("JPEG", size=(40, 40)), saved("PNG", size=(40, 40))
BYTES: dict[str, bytes] = {
    "empty.png": b"", "one byte.png": b"\x89", "text.png": b"see the other folder\n",
    "page.jpg": b"<!DOCTYPE html><title>404</title>", "zeros.jpg": bytes(3000),
    "half.jpg": JPEG[: len(JPEG) // 2], "half.png": PNG[: len(PNG) // 2], "without its end.png": PNG[:-12],
    "spoilt header.jpg": flipped(JPEG, 0.01), "spoilt middle.png": flipped(PNG, 0.5),
    "spoilt size.png": flipped(PNG[:40], 0.5),
    "3600 megapixels.png": png(60_000, 60_000), "no height.png": png(8, 0),
    "named png.png": JPEG, "in capitals.JPG": JPEG, "moving.gif": moving(), "small.webp": saved("WEBP"),
    "16 bits.png": deep(), "cmyk.jpg": saved("JPEG", "CMYK"), "transparent.png": saved("PNG", "RGBA"),
    "one pixel.png": saved("PNG", size=(1, 1)), "a line.png": saved("PNG", size=(4000, 1)), "turned.jpg": turned(),
}  # fmt: skip
OTHERS: dict[str, Callable[[Path], None]] = {
    "leads nowhere.png": link("nowhere.png"), "leads to itself.png": link("leads to itself.png"),
    "a pipe.png": os.mkfifo,
}  # fmt: skip


READ = {
    "spoilt header.jpg", "without its end.png", "named png.png", "in capitals.JPG", "moving.gif", "small.webp",
    "cmyk.jpg", "transparent.png", "one pixel.png", "a line.png", "turned.jpg",
}  # fmt: skip
"""Images in spite of all; the others are refused by name."""


def used(run: Path) -> int:
    """The images of the class that a run trains on or holds out."""
    first, _ = json.loads((run / "images.json").read_text())["classes"]
    return int(first["train"] + first["held_out"])


@pytest.mark.parametrize("name", [*BYTES, *OTHERS])
def test_it_is_read_or_named_and_left_out_on_request(name: str, wholes: Wholes, tmp_path: Path) -> None:
    images = shutil.copytree(wholes.images, tmp_path / "images")
    place = images / "class0" / name
    place.write_bytes(BYTES[name]) if name in BYTES else OTHERS[name](place)
    first = Life(searching(images, tmp_path / "first", *ONE), tmp_path).ended()
    assert (first.status == 0) == (name in READ), first.err
    if first.status == 0:
        assert used(tmp_path / "first") > used(wholes.run())
        return
    line = told_in_one_line(first)
    assert name in line
    assert "--skip-damaged" in line
    assert not (tmp_path / "first").exists(), "nothing was begun"
    second = Life(searching(images, tmp_path / "second", *ONE, "--skip-damaged"), tmp_path).ended()
    assert second.status == 0, second.err
    assert name in (tmp_path / "second" / "images.json").read_text()
