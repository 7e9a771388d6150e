"""The command `cleave design`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cleave.common import (
    Address,
    Data,
    DataRoot,
    Device,
    EngineName,
    Json,
    Out,
    ResourceWords,
    Seed,
    SkipDamaged,
    SlurmWords,
    Trackers,
    tell,
    whole,
)


def design(
    data: Data = None,
    time: Annotated[
        str | None, typer.Option(metavar="T", help="By the clock, as in 15m or 1h; default: 1h.", show_default=False)
    ] = None,
    max_macs: Annotated[
        str | None, typer.Option(metavar="N", help="Multiply-adds of an image at most, as in 100M.", show_default=False)
    ] = None,
    max_params: Annotated[
        str | None, typer.Option(metavar="N", help="Parameters at most, as in 5M.", show_default=False)
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(metavar="T", help="Of an image on this machine at most, as in 8ms.", show_default=False),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|timm:NAME|auto|new",
            help="Pretrained weights to begin with; auto, the default: timm's mobilenetv3_large_100 if it is in the "
            "cache of this machine.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="One more network of timm's to train beside ours; repeatable."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="As in data.image_size=96 or width=0.5; repeatable."),
    ] = None,
    data_root: DataRoot = None,
    skip_damaged: SkipDamaged = False,
    seed: Seed = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of the CPU; default: one per core, 8 at most.")
    ] = None,
    device: Device = None,
    out: Out = None,
    engine: EngineName = "process",
    address: Address = None,
    resources: ResourceWords = None,
    slurm: SlurmWords = None,
    trackers: Trackers = None,
    as_json: Json = False,
) -> None:
    """From a folder of images to the best network that this machine, the time and the limits allow, exported.

    A supernet is trained, an evolution finds the best in it under the limits, and these are fine-tuned; published
    networks are trained beside them for as long. Held-out images choose, test images are asked once, in the end.
    Interrupted, it goes on with `cleave resume`, and `cleave export` writes the best so far.
    """
    from cleave import api
    from cleave.config import load
    from cleave.design.settings import DesignRecipe
    from cleave.engine.stop import SignalStop
    from cleave.terminal import Terminal
    from cleave.tracking.tracking import Tracking

    flags = {
        "data.name": data,
        "data.root": None if data_root is None else str(data_root),
        "data.skip_damaged": skip_damaged or None,
        "time": time,
        "limits.macs": whole(max_macs),
        "limits.params": whole(max_params),
        "limits.latency": max_latency,
        "init": init,
        "against": against or None,
        "seed": seed,
        "threads": threads,
        "device": device,
    }
    recipe = load(DesignRecipe, {}, changes or (), flags)
    with Terminal() as terminal:
        found = api.design(
            recipe=recipe,
            out=out,
            engine=engine,
            address=address,
            resources=resources,
            slurm=slurm,
            callbacks=[terminal, Tracking(trackers, terminal.say)],
            stop=SignalStop(),
        )
    tell_design(found, as_json)


def tell_design(found: dict[str, Any], as_json: bool) -> None:
    """Its outcome."""
    from cleave.design.text import lines

    tell(found, as_json, lambda: print(*lines(found), sep="\n"))
