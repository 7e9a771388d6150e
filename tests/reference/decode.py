"""A folder's images read the slow way: one by one, every JPEG whole, nothing kept."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps


def files_of(folder: Path) -> list[str]:
    """Relative names of the files of every class folder, links followed, as `os.walk` finds them."""
    found = []
    for name in sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        below = []
        for top, folders, files in os.walk(folder / name, followlinks=True):
            folders[:] = [each for each in folders if not each.startswith(".")]
            below += [os.path.relpath(os.path.join(top, each), folder) for each in files if not each.startswith(".")]
        found += sorted(below)
    return found


def pixels_of(path: Path, size: int) -> np.ndarray:
    """uint8 [3, size, size], over white."""
    with Image.open(path) as image:
        turned = ImageOps.exif_transpose(image).convert("RGBA")
    over = Image.new("RGBA", turned.size, "white")
    over.paste(turned, mask=turned.getchannel("A"))
    fitted = ImageOps.fit(over.convert("RGB"), (size, size), Image.Resampling.BILINEAR)
    return np.array(fitted).transpose(2, 0, 1)
