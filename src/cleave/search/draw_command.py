"""`cleave draw`: an architecture as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import ExtensionFiles, Json, SpaceName, tell


def draw(
    asked: Annotated[
        str,
        typer.Argument(metavar="ARCH|RUN", help="An architecture as its space writes it, or a finished run folder."),
    ],
    space: SpaceName = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Write a picture there; without it text is printed.")
    ] = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Draw an architecture: its cells as graphs, its layers as a path.

    Without --space an architecture is one of NAS-Bench-201.
    """
    from cleave.extensions import load_all
    from cleave.run.durable import write_bytes
    from cleave.search.drawn import find_drawn

    load_all(extensions or ())
    drawn = find_drawn(asked, space)
    if out is not None:
        write_bytes(out, drawn.svg().encode())
    found = {**drawn.to_json(), "file": None if out is None else str(out)}
    tell(found, as_json, lambda: print(found["drawing"] if out is None else out))
