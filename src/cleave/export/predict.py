"""`cleave predict`: the classes of image files by an exported network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from cleave.data.decode import Unusable, caught, warnings_caught, whole
from cleave.errors import UserError, brief, cause
from cleave.export.card import CARD
from cleave.export.formats import FORMATS, found_in
from cleave.export.handed import Classifier
from cleave.run.outcome import altered
from cleave.run.reading import Shape, is_there, read_json


class InputShape(Shape):
    channels: int


class CardShape(Shape):
    """What of a card is needed."""

    classes: list[str]
    input: InputShape
    files: dict[str, str]
    run: str
    next: str


def predict(export: Path, images: Sequence[Path]) -> dict[str, Any]:
    """{"export", "format", "images": [{"file", "class", "probability", "probabilities"}], "next"} of image files.

    "probabilities": by class. A file that cannot be used has {"file", "error"} instead. "next": the command that tells
    more, None where the run is not on this machine. The first format is taken that runs here; of plain PyTorch the
    folder's `model.py` is run. UserError where the folder is no export, or not as it was written, and where none of the
    files can be used.
    """
    card, name = read_card(export), found_in(export)
    channels = card["input"]["channels"]
    with warnings_caught(), torch.inference_mode(), running(export / FORMATS[name].file):
        classify = FORMATS[name].opened(export)
        found = [answer(file, card["classes"], channels, classify) for file in images]
    if found and all("error" in each for each in found):
        raise UserError("; ".join(f"{each['file']}: {each['error']}" for each in found))
    after = card["next"] if is_there(Path(card["run"])) else None
    return {"export": str(export), "format": name, "images": found, "next": after}


@contextmanager
def running(file: Path) -> Iterator[None]:
    """Turns whatever a runtime raises on a network that is not ours into one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        words = f"{type(error).__name__}: {brief(str(error), 200)}"
        raise UserError(f"{file}: cannot be run here ({words}); export again into a new folder") from error


def read_card(export: Path) -> dict[str, Any]:
    """What is told of an export; UserError where there is none, or its files are others now."""
    if not is_there(export / CARD):
        raise UserError(f"{export}: is no export (no {CARD}); give the folder that `cleave export` named")
    card = read_json(export / CARD, CardShape)
    for file in altered(export, card["files"], list(card["files"])):
        raise UserError(f"{export / file}: is not as it was exported; export again into a new folder")
    return card


def answer(file: Path, classes: Sequence[str], channels: int, classify: Classifier) -> dict[str, Any]:
    """What a network says of a file, or why it cannot be asked."""
    try:
        with open(file, "rb") as opened, caught():
            pixels = torch.from_numpy(whole(opened, str(file), channels))
    except Unusable as error:
        return {"file": str(file), "error": str(error)}
    except OSError as error:
        return {"file": str(file), "error": f"cannot be read ({cause(error)})"}
    (shares,), _ = classify(pixels[None])
    told = dict(zip(classes, shares.tolist(), strict=True))
    best = max(told, key=told.__getitem__)
    return {"file": str(file), "class": best, "probability": told[best], "probabilities": told}


def lines(found: dict[str, Any], most: int = 3) -> list[str]:
    """The same for people: of each file the classes that are likeliest."""
    width = max(len(each["file"]) for each in found["images"])
    after = [] if found["next"] is None else [f"next: {found['next']}"]
    return [*(f"{each['file']:{width}}  {said(each, most)}" for each in found["images"]), *after]


def said(each: dict[str, Any], most: int) -> str:
    if "error" in each:
        return str(each["error"])
    likeliest = sorted(each["probabilities"].items(), key=lambda pair: -pair[1])[:most]
    return ", ".join(f"{name} {share:.1%}" for name, share in likeliest)
