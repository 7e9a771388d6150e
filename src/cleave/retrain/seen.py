"""Which images a training has seen, by hashes of their pixels: so that test images that are copies of them are told."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from cleave.data.copies import Files, Marks, copies_of
from cleave.data.images import Images
from cleave.run.folder import RunFiles
from cleave.run.generations import Record
from cleave.run.origin import TRAIN, read_origin
from cleave.run.reading import Damaged

SEEN = "seen"
"""Of the hashes, beside the weights that a run keeps."""


def keep_seen(files: RunFiles, train: Images, held_out: Images) -> None:
    """Keeps them in the run folder, if they are not there."""
    if seen_by(files) is None:
        marks = Marks.of(train, held_out)
        files.keep_leaf(SEEN, Record({"hashes": marks.hashes, "labels": marks.labels}, {}, {}))


def seen_by(files: RunFiles) -> Marks | None:
    """None where nothing was kept, by an earlier version, or it is not as it was written."""
    try:
        kept = files.own(SEEN).weights
    except Damaged:
        return None
    return Marks(kept["hashes"], kept["labels"])


def copies_in(images: Images, files: Files, runs: Sequence[Path]) -> dict[str, Any] | None:
    """Test images that any of the runs has seen, as of `copies_of`; None where one of them has kept no hashes."""
    found = [seen_by(RunFiles(run, read_origin(run, TRAIN).identity)) for run in runs]
    seen = [each for each in found if each is not None]
    return copies_of(reduce(add, seen), images, files) if len(seen) == len(runs) else None
