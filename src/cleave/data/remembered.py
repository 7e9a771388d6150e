"""What was found by a look at all images of a map is kept beside it: to look at a million again takes minutes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleave.data.pixel_map import PixelMap

if TYPE_CHECKING:
    from cleave.data.images import Images


def remembered(question: str, parts: Sequence[Images], look: Callable[[], Any]) -> Any:  # noqa: ANN401
    """What `look` finds in these images, as JSON has it; looked up where the same was asked of them before, in a map.

    That they still are as they were is seen when they are drawn.
    """
    if not all(isinstance(images.pixels, PixelMap) for images in parts):
        return look()
    key = key_of(question, parts)
    file = place_of(parts[0], key)
    found = read(file, key)
    if found is None:
        found = look()
        with suppress(OSError):  # then it is looked at again
            write(file, json.dumps({"found": found, "seal": seal(key, found)}))
    return found


def key_of(question: str, parts: Sequence[Images]) -> str:
    """What tells a question about some images of a map in some order from any other."""
    digest = hashlib.sha256(question.encode())
    for images in parts:
        assert isinstance(images.pixels, PixelMap)
        for tensor in (images.pixels.digests, images.labels):
            digest.update(f"{list(tensor.shape)}".encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def place_of(images: Images, key: str) -> Path:
    assert isinstance(images.pixels, PixelMap)
    return images.pixels.file.with_name(f"found-{key[:16]}.json")


def read(file: Path, key: str) -> Any:  # noqa: ANN401
    """None where it was not asked before, or is not as it was written."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(file.read_bytes())
        if told["seal"] == seal(key, told["found"]):
            return told["found"]
    return None


def seal(key: str, found: Any) -> str:  # noqa: ANN401
    return hashlib.sha256(f"{key} {json.dumps(found)}".encode()).hexdigest()


def write(file: Path, text: str) -> None:
    """In one step, whoever else writes the same."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)
