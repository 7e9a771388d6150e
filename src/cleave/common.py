"""What the commands have in common: options, and one way to answer. Nothing here needs torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from shlex import join
from typing import Annotated, Any

import typer

from cleave.errors import UserError, brief

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe; repeatable."),
]
TableFile = Annotated[
    Path | None,
    typer.Option("--benchmark", metavar="FILE", help="Table of trained accuracies; default: the imported one."),
]


def here(place: Path | None) -> Path | None:
    """The folder on this machine of what may be a store."""
    from cleave.run.mirror import at_hand  # not before a command needs it

    return None if place is None else at_hand(place)


def run_here(place: Path) -> Path:
    """The same of a run that is there."""
    from cleave.run.mirror import run_at_hand  # not before a command needs it

    return run_at_hand(place)


Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run folder, or its store.", callback=run_here)]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR|URL",
        help="Folder, or a store as in s3://bucket/run; default: a new one in runs/.",
        callback=here,
    ),
]
RecipeFile = Annotated[Path | None, typer.Argument(metavar="RECIPE.yaml", help="What to run.", show_default=False)]
Data = Annotated[str | None, typer.Option(metavar="NAME|DIR", help="bundled, cifar10, ... or a folder of images.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where named image sets are; default: $CLEAVE_DATA, else the cache folder."),
]
SkipDamaged = Annotated[
    bool, typer.Option("--skip-damaged", help="Leave out image files that cannot be used; they are counted and listed.")
]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Seed of all that is random.")]
SpaceName = Annotated[
    str | None,
    typer.Option(
        "--space", metavar="NAME|FILE.py:CLASS", help="The search space; of a file, which is run.", show_default=False
    ),
]
ExtensionFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--extension",
        metavar="FILE.py",
        help="Python file with methods, splitters, operations, spaces or images of your own; it is run, so trust it. "
        "Repeatable.",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Processes that share a search's work; they change no result. Default: as many as there are CPU cores "
        "for, on a GPU 1.",
        show_default=False,
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="process|ray|slurm",
        help="What the workers are: processes of this machine, Ray's (pip install 'cleave-nas\\[ray]'), or jobs of "
        "SLURM (pip install 'cleave-nas\\[slurm]'). Anybody who reaches a Ray can run code on its machines: see "
        "docs/workers.md.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="A Ray that runs already; otherwise one is started for this run, at 127.0.0.1 alone.",
        show_default=False,
    ),
]
ResourceWords = Annotated[
    list[str] | None,
    typer.Option(
        "--resources",
        metavar="NAME=AMOUNT",
        help="What each worker takes of the Ray at --address: CPU=2, GPU=0.5, or what the Ray has of its own; "
        "repeatable. Default: a CPU for each thread, and a GPU on --device cuda.",
        show_default=False,
    ),
]
SlurmWords = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        metavar="NAME=VALUE",
        help="What each job asks of SLURM: partition=gpu, time=60 (minutes), mem=16G, account, qos, constraint, gres, "
        "gpus_per_node, cpus_per_task, setup='module load cuda', ...; repeatable.",
        show_default=False,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="That train the network together on one machine; on GPUs each has one."),
]
Device = Annotated[str | None, typer.Option(metavar="D", help="auto, cpu, cuda or cuda:N.")]


Trackers = Annotated[
    list[str] | None,
    typer.Option(
        "--tracker",
        metavar="NAME",
        envvar="CLEAVE_TRACKER",
        help="Where to show the run too: tensorboard (the default where it is installed), wandb, trackio, mlflow; or "
        "none. Repeatable.",
        show_default=False,
    ),
]


MaxMacs = Annotated[
    str | None,
    typer.Option(
        metavar="N", help="Multiply-adds of an image at most, as in 300M; nothing above is derived.", show_default=False
    ),
]
MaxParams = Annotated[
    str | None,
    typer.Option(metavar="N", help="Parameters at most, as in 5M; nothing above is derived.", show_default=False),
]


MaxLatency = Annotated[
    str | None,
    typer.Option(metavar="T", help="Milliseconds at most, as in 8ms, by the table of --latency.", show_default=False),
]
Latency = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Table of cleave measure; foreign:FILE of another device.", show_default=False),
]


LONGEST_SEED = 18
"""Digits of what is surely below 2**63."""


def tell(value: dict[str, Any], as_json: bool, otherwise: Callable[[], None]) -> None:
    """One JSON object on stdout, or whatever a person reads more easily."""
    if as_json:
        print(json.dumps(value, allow_nan=False))
    else:
        otherwise()


def words_of(context: typer.Context, but: Container[str] = ("as_json",)) -> str:
    """What was given to a command, by the names of its parameters, as another command takes it: " --seed 3"."""
    given = [(each, context.params.get(each.name)) for each in context.command.params if each.name not in but]
    words = [word for each, value in given for word in words_of_one(each.opts, value)]
    return f" {join(words)}" if words else ""


def given_in(context: typer.Context) -> dict[str, str]:
    """What was given to a command, and does not stand at its default: parameters, and how people write them."""
    sources = {each.name or "": context.get_parameter_source(each.name or "") for each in context.command.params}
    given = {name for name, source in sources.items() if source is not None and source.name != "DEFAULT"}
    return {each.name: each.opts[0] for each in context.command.params if each.name in given}


def words_of_one(names: Sequence[str], value: object) -> list[str]:
    """An argument is its value, an option has its name before each of its values, a flag is its name alone; what was
    not given is nothing."""
    if value is None or value is False:
        return []
    values = list(value) if isinstance(value, list | tuple) else [value]
    name = [name for name in names if name.startswith("--")]
    return name if value is True else [word for each in values for word in [*name, str(each)]]


def flags_of(
    data: str | None,
    data_root: Path | None,
    benchmark: Path | None,
    seed: int | None,
    device: str | None,
    skip_damaged: bool = False,
    space: str | None = None,
    extensions: list[str] | None = None,
    max_macs: str | None = None,
    max_params: str | None = None,
    max_latency: str | None = None,
    latency: str | None = None,
) -> dict[str, Any]:
    """The recipe's keys that have flags of their own; None where a flag was not given."""
    paths = {"data.root": data_root, "benchmark": benchmark}
    given = {key: None if path is None else str(path) for key, path in paths.items()}
    own = {"space.name": space, "extensions": extensions or None}
    images = {"data.name": data, "data.skip_damaged": skip_damaged or None}
    limits = {
        "limits.macs": whole(max_macs),
        "limits.params": whole(max_params),
        "limits.latency": max_latency,
        "latency": latency,
    }
    return {**given, **own, **images, **limits, "seed": seed, "device": device}


def whole(text: str | None) -> int | str | None:
    """A number in digits as such; anything else is for the recipe to read."""
    return int(text) if text is not None and text.isdecimal() else text


def numbers(flag: str, text: str) -> list[int]:
    """Whole numbers from 0, separated by commas."""
    words = text.split(",") if text else []
    if not all(word.isdecimal() and len(word) <= LONGEST_SEED for word in words):
        raise UserError(f"{flag} {brief(text)}: write whole numbers with commas, as in {flag} 0,1,2")
    return [int(word) for word in words]
