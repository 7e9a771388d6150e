"""The command `cleave front`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import DataRoot, Device, Json, Run, tell


def front(
    run: Run,
    cost: Annotated[str, typer.Option(metavar="macs|params|latency", help="What is traded for accuracy.")] = "macs",
    points: Annotated[int, typer.Option(metavar="N", min=2, help="Limits that architectures are derived under.")] = 10,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Where to; default: front.json in the run folder.")
    ] = None,
    data_root: DataRoot = None,
    device: Device = None,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="Of the CPU; default: the run's.")] = None,
    as_json: Json = False,
) -> None:
    """Trade accuracy for cost: the architectures of a finished run that no other beats in both.

    Derived by the run's own weights under ever tighter limits. Nothing is trained, and the run is not changed.
    """
    from cleave import api
    from cleave.engine.stop import SignalStop
    from cleave.pareto.text import print_front
    from cleave.terminal import Terminal

    with Terminal() as terminal:
        found = api.front(
            run,
            cost=cost,
            points=points,
            out=out,
            data_root=data_root,
            device=device,
            threads=threads,
            callbacks=[terminal],
            stop=SignalStop(),
        )
    tell(found, as_json, lambda: print_front(found))
