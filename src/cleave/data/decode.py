"""One image file to pixels of a fixed size, or the true cause why not. Needs Pillow and numpy alone."""

from __future__ import annotations

import os
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Literal, TextIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

FORM = 1
"""The version of what is below: another one gives other pixels."""

Pixels: TypeAlias = NDArray[np.uint8]
"""One image, [3, size, size]."""

Resample = Literal["bilinear", "bicubic"]
"""How images are resized, with antialiasing."""
FILTERS: dict[Resample, Image.Resampling] = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}

BACKGROUND = (255, 255, 255, 255)  # what lies behind transparent pixels: white, as on most pages
WITH_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
DRAFT = 2  # a JPEG is decoded at a reduced size of at least so many times the one that is wanted
MEGA = 1_000_000

# What Pillow raises where a file is not what it seems: its decoders, its metadata. NotImplementedError is a
# RuntimeError: kinds of images that it knows but does not read.
_FAILURES = (
    OSError,
    SyntaxError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)


class Unusable(Exception):
    """A file that gives no image; the message says why, and what to do."""


def decode(file: BinaryIO, name: str, size: int, resample: Resample = "bilinear") -> Pixels:
    """The image in an open file, the way its camera was held: shorter side resized to `size`, centre kept.

    Of an animation it is the first picture. Raises Unusable; an OSError of the system itself is passed on.
    """
    with upright(file, name, DRAFT * size) as image:
        square = ImageOps.fit(image, (size, size), FILTERS[resample])
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def whole(file: BinaryIO, name: str, channels: int) -> Pixels:
    """The image in an open file at its own size, [channels, height, width]; one channel is grey. Raises as `decode`."""
    with upright(file, name) as image:
        pixels = np.array(image if channels == 3 else image.convert("L"))
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))


@contextmanager
def upright(file: BinaryIO, name: str, enough: int | None = None) -> Iterator[Image.Image]:
    """The image in red, green and blue, the way its camera was held; what is then done to it may fail as reading may.

    `enough`: pixels on a side that do; a JPEG may come smaller than it is.
    """
    with opened(file, name) as image:
        if image.mode.startswith(("I", "F")):  # Pillow would clip these to 255, mostly to plain white
            raise Unusable(f"has pixels of more than 8 bits (mode {image.mode}): convert it to an 8-bit image")
        if enough is not None:
            image.draft("RGB", (enough, enough))  # of a JPEG it spares most of the work, of others nothing
        with telling("is damaged or truncated", "copy it again"):
            image.load()
        with telling("has colours or metadata that cannot be converted", "convert it to a plain PNG or JPEG"):
            ImageOps.exif_transpose(image, in_place=True)
            yield opaque(image)


def form(size: int, resample: Resample) -> str:
    """What tells apart, in the name of a file, images that were decoded in different ways."""
    return f"{size}" if resample == "bilinear" else f"{size}-{resample}"


def opened(file: BinaryIO, name: str) -> Image.Image:
    """The image with only its head read."""
    with telling("is damaged", "copy it again"):
        try:
            return Image.open(file)
        except UnidentifiedImageError as error:
            raise Unusable(unidentified(file, name)) from error


def opaque(image: Image.Image) -> Image.Image:
    """In red, green and blue; transparent pixels over `BACKGROUND`, whatever colour was left under them."""
    if image.mode not in WITH_ALPHA and "transparency" not in image.info:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, BACKGROUND), layer).convert("RGB")


@contextmanager
def telling(what: str, remedy: str) -> Iterator[None]:
    """Turns what Pillow raises into Unusable, with its own words in brackets."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise Unusable(too_large(str(error))) from error
    except _FAILURES as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the system refused, so that the file may be whole
        words = " ".join(str(error).split()) or type(error).__name__
        raise Unusable(f"{what} ({words}): {remedy}") from error


def unidentified(file: BinaryIO, name: str) -> str:
    """Why Pillow sees no image in it, as far as its size and name tell."""
    if file.seek(0, os.SEEK_END) == 0:
        return "is empty (0 bytes): copy it again"
    suffix = os.path.splitext(name)[1].lower()
    if suffix in Image.registered_extensions():
        return f"does not begin as a {suffix} file does: truncated, damaged or another kind of file: copy it again"
    return "is not an image, or of a format that Pillow cannot read: convert it to PNG or JPEG, or move it elsewhere"


def too_large(words: str) -> str:
    """Pillow's own words give the pixels and the limit."""
    numbers = [int(number) for number in re.findall(r"\d+", words)]
    if len(numbers) != 2:
        return f"is too large ({words}): make it smaller"
    pixels, limit = (number / MEGA for number in numbers)
    return f"has {pixels:.0f} megapixels, above the limit of {limit:.0f}: make it smaller"


_here = threading.local()


@contextmanager
def warnings_caught() -> Iterator[None]:
    """Until the end what `caught` collects is no longer printed by the library; other warnings go where they went.

    Filters belong to the whole process, so that this is entered once, not in each thread.
    """
    with warnings.catch_warnings():
        printed = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            words: list[str] | None = getattr(_here, "words", None)
            if words is None:
                printed(message, category, filename, lineno, file, line)
            else:
                words.append(" ".join(str(message).split()))

        warnings.showwarning = show
        warnings.filterwarnings("always", module=r"PIL\.")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # the limit is the error's
        yield


@contextmanager
def caught() -> Iterator[list[str]]:
    """The warnings that this thread causes within `warnings_caught`."""
    _here.words = words = list[str]()
    try:
        yield words
    finally:
        _here.words = None
