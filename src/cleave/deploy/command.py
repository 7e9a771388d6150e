"""`cleave measure`: how long networks run on this machine."""

from __future__ import annotations

from pathlib import Path
from shlex import join
from typing import Annotated, Any

import typer

from cleave.common import Changes, Device, ExtensionFiles, Json, tell, words_of


def measure(
    context: typer.Context,
    space: Annotated[
        str, typer.Argument(metavar="SPACE", help="As in nasbench201, or FILE.py:CLASS of a file, which is run.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the table is written; nothing is overwritten.")],
    device: Device = "cpu",
    runtime: Annotated[
        str, typer.Option(metavar="torch|onnx", help="What runs the networks: torch, or onnxruntime on the CPU.")
    ] = "torch",
    resolution: Annotated[
        int | None, typer.Option(metavar="R", help="Pixels on a side; default: the published ones.")
    ] = None,
    threads: Annotated[int, typer.Option(metavar="N", min=1, max=1024, help="Threads of the CPU.")] = 1,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Images at once.")] = 1,
    changes: Changes = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Measure the latency of a space's blocks on this machine, and how far sums of them are from whole networks.

    --set changes the size of the networks (space.width), classes or image_channels. An interrupted measurement goes on
    with the same command.
    """
    from cleave import api
    from cleave.deploy.text import text
    from cleave.engine.stop import SignalStop
    from cleave.terminal import Terminal

    with Terminal() as terminal:
        found = api.measure(
            space,
            out,
            device=device or "cpu",
            runtime=runtime,
            resolution=resolution,
            threads=threads,
            batch=batch,
            changes=changes or (),
            extensions=extensions or (),
            callbacks=[terminal],
            stop=SignalStop(),
        )
    tell(found, as_json, lambda: print(text(found, str(out)), f"next: {looked_up(context, found)}", sep="\n"))


def looked_up(context: typer.Context, table: dict[str, Any]) -> str:
    """The command that tells by the table what one of the measured networks takes."""
    of_table = words_of(context, but=("space", "out", "device", "runtime", "threads", "batch", "as_json"))
    asked = [table["networks"][0]["arch"], "--space", context.params["space"], "--latency", str(context.params["out"])]
    return f"cleave cost {join(asked)}{of_table}"
