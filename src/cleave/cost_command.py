"""`cleave cost`: parameters and multiply-adds of one architecture."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cleave.common import Changes, ExtensionFiles, Json, SpaceName, tell


def cost(
    asked: Annotated[
        str,
        typer.Argument(
            metavar="ARCH|timm:NAME|ARCH.json|RUN",
            help="As its space writes it, a network of timm's, a file with an architecture, or a finished run folder.",
        ),
    ],
    space: SpaceName = None,
    resolution: Annotated[
        int | None, typer.Option(metavar="R", help="Pixels on a side; default: a run's own, else the published ones.")
    ] = None,
    width: Annotated[
        float | None, typer.Option(metavar="W", help="Factor of all channels, in spaces that have one.")
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Table of cleave measure, by which milliseconds are told; foreign:FILE of any device."
        ),
    ] = None,
    changes: Changes = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Tell what an architecture costs alone: parameters, multiply-adds of an image, milliseconds.

    Multiply-adds are those of convolutions and linear layers. --set changes the size of the network (space.channels),
    classes or image_channels. Without --space an architecture is one of NAS-Bench-201.
    """
    from cleave.costing import cost_of
    from cleave.extensions import load_all

    load_all(extensions or ())
    given = {"image_size": resolution, "space.width": width}
    flags = [f"{key}={value}" for key, value in given.items() if value is not None]
    found = cost_of(asked, space, [*(changes or ()), *flags], latency)
    costs = f"{found['params']:,} parameters, {found['macs']:,} multiply-adds of an image"
    of = f"{found['image_size']} pixels, {found['classes']} classes"
    tell(found, as_json, lambda: print(costs, of, *latency_lines(found), sep="\n"))


def latency_lines(found: dict[str, Any]) -> list[str]:
    """Milliseconds, where they are told, and of what."""
    if "latency" not in found:
        return []
    of = found["latency"]
    how = f"{of['runtime']}, threads {of['threads']}, batch {of['batch']}"
    return [f"{found['milliseconds']:.3f} ms on {of['device']} ({how})"]
