"""`cleave draw` and `cleave report`: an architecture as a picture, and a search as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import ExtensionFiles, Json, Run, SpaceName, tell


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


def report(
    run: Run,
    space: SpaceName = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Where to; default: report.html in the run folder.")
    ] = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Write what a search found, with a picture, as one page of HTML that needs no network."""
    from cleave.extensions import load_all
    from cleave.run.durable import write_bytes
    from cleave.run.view import view
    from cleave.search.drawn import of_run
    from cleave.search.page import page

    load_all(extensions or ())
    drawn = of_run(run, space)
    path = out or run / "report.html"
    write_bytes(path, page(view(run), drawn).html().encode())
    tell({"page": str(path), "run": str(run)}, as_json, lambda: print(path))
