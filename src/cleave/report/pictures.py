"""Small pictures side by side, in the page itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cleave.report.elements import joined

SIDE = 96
"""Pixels on a side from which pictures are made smaller."""
LOSSLESS = 48
"""Pixels on a side up to which no pixel is changed."""
JPEG_QUALITY = 85


@dataclass(frozen=True)
class Picture:
    """A picture, as a data URI, and what is said below it and read out in its place."""

    uri: str
    said: str

    def html(self) -> str:
        words = escape(self.said)
        return f'<figure><img src="{self.uri}" alt="{words}"><figcaption>{words}</figcaption></figure>'


@dataclass(frozen=True)
class Pictures:
    """Several."""

    pictures: Sequence[Picture]

    def html(self) -> str:
        return f'<div class="pictures">{joined(each.html() for each in self.pictures)}</div>'


@dataclass(frozen=True)
class WholePicture:
    """One as wide as the page, from the bytes of a PNG file."""

    png: bytes
    caption: str

    def html(self) -> str:
        words = escape(self.caption)
        image = f'<img src="{uri("png", self.png)}" alt="{words}">'
        return f'<figure class="whole">{image}<figcaption>{words}</figcaption></figure>'


def picture(pixels: NDArray[np.uint8], said: str) -> Picture:
    """A picture of an image [channels, size, size] of one channel or three; of others the first is shown, grey."""
    shown = np.moveaxis(pixels, 0, -1) if len(pixels) == 3 else pixels[0]
    image = Image.fromarray(np.ascontiguousarray(shown))
    image.thumbnail((SIDE, SIDE))
    kind = "png" if image.width <= LOSSLESS else "jpeg"
    with BytesIO() as file:
        image.save(file, kind, **({"quality": JPEG_QUALITY} if kind == "jpeg" else {"optimize": True}))
        return Picture(uri(kind, file.getvalue()), said)


def uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
