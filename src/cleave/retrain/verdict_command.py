"""The command `cleave verdict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import Data, DataRoot, Device, Json, tell


def verdict(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders of finished trainings, ours first.")
    ],
    data: Data = None,
    data_root: DataRoot = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Tell whether a trained network is better than others, on test images that nothing else has opened.

    Each is asked about every image once; what it answered is kept in its run folder. Which one to use is decided by
    held-out images, and said beside.
    """
    from cleave import api
    from cleave.engine.stop import SignalStop
    from cleave.retrain.verdict_text import print_verdict
    from cleave.terminal import Terminal

    with Terminal() as terminal:
        found = api.verdict(
            runs, data=data, data_root=data_root, device=device, callbacks=[terminal], stop=SignalStop()
        )
    tell(found, as_json, lambda: print_verdict(found))
