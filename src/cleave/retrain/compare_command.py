"""The command `cleave compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import Data, DataRoot, Device, ExtensionFiles, Json, flags_of, numbers, tell
from cleave.retrain.command import ArchText, Changed, Epochs, LeafText


def compare(
    source: Annotated[
        Path, typer.Argument(metavar="RUN|FILE.json", help="A finished search, or what cleave evolve found in one.")
    ],
    changes: Changed = None,
    epochs: Epochs = None,
    seeds: Annotated[
        str, typer.Option(metavar="0,1,...", help="Of the trainings; of several there are intervals.")
    ] = "0",
    arch: ArchText = None,
    leaf: LeafText = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Of fine-tuning; default: finetune.", show_default=False)
    ] = None,
    scratch: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Of training from scratch; default: short.", show_default=False),
    ] = None,
    data: Data = None,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder; default: runs/compare- and the name of the search's.")
    ] = None,
    device: Device = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Compare the weights of a search's supernet, as they are and fine-tuned, with training from scratch.

    Of one architecture, on held-out images, for as many epochs. Interrupted, the same command goes on.
    """
    from cleave import api
    from cleave.config import parse_change
    from cleave.engine.stop import SignalStop
    from cleave.given import without
    from cleave.retrain.text import print_comparison
    from cleave.terminal import Terminal

    keys = dict(parse_change(change, "", "training.batch_size=32") for change in changes or ())
    flags = without(flags_of(data, data_root, None, None, device, extensions=extensions))
    with Terminal() as terminal:
        found = api.compare(
            source,
            arch=arch,
            leaf=leaf,
            epochs=epochs,
            seeds=numbers("--seeds", seeds),
            recipe=recipe,
            scratch=scratch,
            settings={**keys, **flags},
            out=out,
            callbacks=[terminal],
            stop=SignalStop(),
        )
    tell(found, as_json, lambda: print_comparison(found))
