"""The command `cleave report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import Data, DataRoot, ExtensionFiles, Json, SpaceName, tell


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folders of finished runs of any kind, or JSON files of cleave verdict."),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Where to; default: report.html in the first run's folder.")
    ] = None,
    data: Data = None,
    data_root: DataRoot = None,
    space: SpaceName = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Write what runs found, with pictures, as one page of HTML that needs no network.

    Designs, searches, trainings, studies, reproductions; several stand side by side. Of test images it tells what
    trainings said when cleave evaluate or cleave verdict asked them.
    """
    from cleave import api
    from cleave.terminal import Terminal

    with Terminal() as terminal:
        found = api.report(
            runs, out, data=data, data_root=data_root, space=space, extensions=extensions or (), callbacks=[terminal]
        )
    tell(found, as_json, lambda: print(found["page"]))
