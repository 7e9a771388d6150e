"""All figures by name, and all of a study at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cleave.run.durable import saving, write_bytes
from cleave.study.telling.figures.cell import cell
from cleave.study.telling.figures.drawing import Drawn, Lacking, Subject, styled, svg
from cleave.study.telling.figures.jumps import all_curves, heat_map, interference_bars, some_curves, tau_by_look
from cleave.study.telling.figures.stability import accuracy_by_epoch, rank_boxes, s_tau_by_epoch, tnr_by_epoch
from cleave.study.telling.figures.tuning import tuning

FIGURES: dict[str, Callable[[Subject], Drawn]] = {
    "cell": cell,
    "s-tau": s_tau_by_epoch,
    "ranks": rank_boxes,
    "tnr": tnr_by_epoch,
    "epochs": accuracy_by_epoch,
    "tuning": tuning,
    "gt-tau": tau_by_look,
    "curves": all_curves,
    "some-curves": some_curves,
    "interference": interference_bars,
    "correlation": heat_map,
}
"""Each raises `Lacking` where the log does not have what it needs."""


@dataclass(frozen=True)
class Drawings:
    """Figures as SVG and their captions, by name; and why others could not be drawn."""

    images: dict[str, bytes]
    captions: dict[str, str]
    lacking: dict[str, str]


def draw(subject: Subject) -> Drawings:
    """Every figure that the log offers; equal logs give equal bytes."""
    found = Drawings({}, {}, {})
    with styled():
        for name, function in FIGURES.items():
            try:
                drawn = function(subject)
            except Lacking as reason:
                found.lacking[name] = str(reason)
            else:
                found.images[name], found.captions[name] = svg(drawn.figure), drawn.caption
    return found


def save(drawings: Drawings, folder: Path) -> dict[str, Path]:
    """Writes the figures as files; returns their paths by name. UserError where they cannot be written."""
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.svg" for name in drawings.images}
    for name, path in paths.items():
        write_bytes(path, drawings.images[name])
    return paths
