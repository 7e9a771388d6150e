"""The commands `cleave train` and `cleave evaluate`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cleave.common import (
    Address,
    Data,
    DataRoot,
    Device,
    EngineName,
    ExtensionFiles,
    Json,
    Out,
    Processes,
    ResourceWords,
    Seed,
    SkipDamaged,
    SlurmWords,
    SpaceName,
    Trackers,
    flags_of,
    tell,
)

Changed = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Change keys of the recipe.", show_default=False)
]
ArchText = Annotated[
    str | None, typer.Option(metavar="ARCH|timm:NAME", help="Another architecture than the one that the search chose.")
]
LeafText = Annotated[
    str | None, typer.Option(metavar="L", help="Whose supernet, as in 0.1; default: of the leaf that was chosen.")
]
Epochs = Annotated[int | None, typer.Option(metavar="N", min=1, help="Default: as the recipe says.")]


def train(
    source: Annotated[
        str,
        typer.Argument(
            metavar="ARCH|timm:NAME|RUN|FILE.json",
            help="An architecture as its space writes it, a network of timm's as in timm:resnet18, a finished search, "
            "or what cleave evolve found in one.",
        ),
    ],
    changes: Changed = None,
    weights: Annotated[
        str | None,
        typer.Option("--from", metavar="new|supernet", help="Begin with the weights of the search's supernet."),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(metavar="FILE|cache", help="Begin with weights of the network of timm's: a file, or its cache."),
    ] = None,
    epochs: Epochs = None,
    arch: ArchText = None,
    leaf: LeafText = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="short (the default), finetune (that of weights that are good already), darts-cifar, darts-imagenet, "
            "gm-imagenet, proxyless-imagenet, a file.",
        ),
    ] = None,
    data: Data = None,
    data_root: DataRoot = None,
    skip_damaged: SkipDamaged = False,
    seed: Seed = None,
    out: Out = None,
    device: Device = None,
    space: SpaceName = None,
    extensions: ExtensionFiles = None,
    engine: EngineName = "process",
    address: Address = None,
    resources: ResourceWords = None,
    slurm: SlurmWords = None,
    processes: Processes = None,
    trackers: Trackers = None,
    as_json: Json = False,
) -> None:
    """Train one architecture: what a search chose, or one that you write down, or a network of timm's.

    From scratch, or from the weights that it has in the search (--from supernet), or from weights of timm's
    (--pretrained). Of a search its space and images are taken.
    Several GPUs: --processes N, or torchrun --nproc-per-node N -m cleave train ... Another machine: --engine.
    Interrupted, it goes on with `cleave resume`.
    """
    from cleave import api
    from cleave.config import parse_change
    from cleave.engine.stop import SignalStop
    from cleave.given import without
    from cleave.terminal import Terminal
    from cleave.tracking.tracking import Tracking

    keys = dict(parse_change(change, "", "training.epochs=5") for change in changes or ())
    flags = without(flags_of(data, data_root, None, seed, device, skip_damaged, space, extensions))
    with Terminal() as terminal:
        result = api.train(
            source,
            weights=weights,
            pretrained=pretrained,
            arch=arch,
            leaf=leaf,
            epochs=epochs,
            recipe=recipe,
            settings={**keys, **flags},
            out=out,
            engine=engine,
            address=address,
            resources=resources,
            slurm=slurm,
            processes=processes or 1,
            callbacks=[terminal, Tracking(trackers, terminal.say)],
            stop=SignalStop(),
        )
    tell_training(result.to_json(), as_json)


def resume_training(run: Path, how: Mapping[str, Any], trackers: list[str] | None, as_json: bool) -> None:
    """What `cleave resume` does with a training; `how` as of `cleave.resume_training`."""
    from cleave import api
    from cleave.engine.stop import SignalStop
    from cleave.terminal import Terminal
    from cleave.tracking.tracking import Tracking

    with Terminal() as terminal:
        result = api.resume_training(
            run,
            **how,
            callbacks=[terminal, Tracking(trackers, terminal.say, usual=False)],
            stop=SignalStop(),
        )
    tell_training(result.to_json(), as_json)


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The run folder of a finished training.")],
    data: Data = None,
    data_root: DataRoot = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Tell the accuracy of a trained network on test images, which nothing else opens.

    Those of the images that it was trained on, unless --data names others of the same classes.
    """
    from cleave import api
    from cleave.engine.stop import SignalStop
    from cleave.retrain.text import print_evaluation
    from cleave.terminal import Terminal

    with Terminal() as terminal:
        found = api.evaluate(
            model, data=data, data_root=data_root, device=device, callbacks=[terminal], stop=SignalStop()
        )
    tell(found, as_json, lambda: print_evaluation(found))


def tell_training(result: dict[str, Any], as_json: bool) -> None:
    """Its outcome, once: of the processes that torchrun started the first one tells it."""
    from cleave.retrain.text import print_training

    if os.environ.get("RANK", "0") == "0":
        tell(result, as_json, lambda: print_training(result))
