"""The command `cleave opponents`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cleave.common import ExtensionFiles, Json, Run, Seed, tell


def opponents(
    run: Run,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="One more network of timm's, as in efficientnet_b0; repeatable."),
    ] = None,
    seed: Seed = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """List networks to compare a search's with: of its images and within its limits, each with what trains it.

    Published ones, one that is scaled to the limits, and a random architecture of the search's space (by --seed).
    """
    from cleave import api
    from cleave.extensions import load_all

    load_all(extensions or ())
    found = api.opponents(run, against=against or (), seed=seed or 0)
    tell(found, as_json, lambda: print(*opponent_lines(found), sep="\n"))


def opponent_lines(found: dict[str, Any]) -> list[str]:
    """Each network with its costs; then the commands for those within the limits, and in the end what comes next."""
    listed = found["opponents"]
    width = max(len(each["name"]) for each in listed)
    rows = [
        f"{each['name']:{width}}  {each['multiply_adds']:15,} multiply-adds  {each['parameters']:12,} parameters"
        f"{'' if each['within'] else '  above the limits'}{'  pretrained weights at hand' if each['weights'] else ''}"
        for each in listed
    ]
    within = [each["command"] for each in listed if each["within"]]
    return [*rows, "to train those within the limits, and then compare by cleave verdict:", *within]
