"""The commands `cleave export` and `cleave predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import DataRoot, Json, tell
from cleave.retrain.command import ArchText, LeafText


def export(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|FILE.json",
            help="A finished training or search, or what cleave evolve found in a search.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder; nothing is overwritten.")],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="onnx|torch|plain",
            help="Repeatable, or with commas. Default: all that can be written here.",
            show_default=False,
        ),
    ] = None,
    opset: Annotated[
        int | None, typer.Option(metavar="N", help="Of the ONNX file, 18 to 25; default: 18.", show_default=False)
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Also in int8, by onnxruntime, with accuracy and latency of both.")
    ] = False,
    arch: ArchText = None,
    leaf: LeafText = None,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """Write the network of a run into files that run without cleave: ONNX, a torch.export program, plain PyTorch.

    Pixels of any size go in, probabilities come out. Each file is checked against the run's network on held-out
    images; one that answers otherwise is not handed over.
    """
    from cleave import api
    from cleave.engine.stop import SignalStop
    from cleave.export.text import summary
    from cleave.terminal import Terminal

    asked = None if formats is None else [name.strip() for each in formats for name in each.split(",")]
    with Terminal() as terminal:
        found = api.export(
            source,
            out,
            formats=asked,
            opset=opset,
            int8=int8,
            arch=arch,
            leaf=leaf,
            data_root=data_root,
            callbacks=[terminal],
            stop=SignalStop(),
        )
    tell(found, as_json, lambda: print(*summary(found), sep="\n"))


def predict(
    folder: Annotated[Path, typer.Argument(metavar="EXPORT", help="The folder that cleave export wrote.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    as_json: Json = False,
) -> None:
    """Tell the classes of image files by an exported network.

    By the first of its formats that runs here: onnx, torch, plain; of the last one the folder's model.py is run.
    """
    from cleave import api
    from cleave.export.predict import lines

    found = api.predict(folder, images)
    tell(found, as_json, lambda: print(*lines(found), sep="\n"))
