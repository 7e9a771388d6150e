"""The command line: one thin function per command. torch is only imported once a command needs it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from cleave.errors import Interrupted, UserError

# On a shared or loaded machine OpenMP's threads would otherwise spin while they wait, at up to ten times the cost.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

DONE, WRONG, INTERRUPTED = 0, 2, 130

app = typer.Typer(
    help="Weight-sharing neural architecture search that decides which networks should share weights.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
benchmark_app = typer.Typer(help="The table of trained accuracies.", no_args_is_help=True)
app.add_typer(benchmark_app, name="benchmark")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe; repeatable."),
]
TableFile = Annotated[
    Path | None,
    typer.Option("--benchmark", metavar="FILE", help="Table of trained accuracies; default: the imported one."),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")]


@app.command()
def search(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE.yaml", help="What to run.", show_default=False)
    ] = None,
    changes: Changes = None,
    data: Annotated[
        str | None, typer.Option(metavar="NAME|DIR", help="bundled, cifar10, ... or a folder of images.")
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where named image sets are; default: $CLEAVE_DATA, else the cache folder."),
    ] = None,
    benchmark: TableFile = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Seed of all that is random.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run folder; default: a new one in runs/.")] = None,
    device: Annotated[str | None, typer.Option(metavar="D", help="auto, cpu, cuda or cuda:N.")] = None,
    as_json: Json = False,
) -> None:
    """Search an architecture.

    Without a recipe: NAS-Bench-201, DARTS, gradient matching, the bundled images.
    """
    from cleave.config import load_recipe
    from cleave.search.runner import start
    from cleave.terminal import Terminal

    paths = {"data.root": data_root, "benchmark": benchmark}
    flags: dict[str, Any] = {key: str(path) for key, path in paths.items() if path is not None}
    flags |= {"data.name": data, "seed": seed, "device": device}
    settings = load_recipe(recipe, changes or (), flags)
    with Terminal() as terminal:
        result = start(settings, out, terminal)
    tell_run(result, as_json)


@app.command()
def resume(run: Run, as_json: Json = False) -> None:
    """Go on with an interrupted search; it ends as if nothing had happened."""
    from cleave.search.runner import resume as go_on
    from cleave.terminal import Terminal

    with Terminal() as terminal:
        result = go_on(run, terminal)
    tell_run(result, as_json)


@app.command()
def show(run: Run, as_json: Json = False) -> None:
    """Show what a run found, or how far it is."""
    from cleave.run.view import view

    tell_run(view(run), as_json)


@app.command()
def space(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The space, as in nasbench201.")],
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Describe a search space: choices, size, parameters of its supernet."""
    from cleave.describe import describe, text

    description = describe(name, changes or ())
    tell(description, as_json, lambda: print(text(description)))


@app.command()
def partition(
    matrix: Annotated[Path, typer.Argument(metavar="MATRIX.csv", help="Its header row names the candidates.")],
    parts: Annotated[int, typer.Option(metavar="B", help="How many groups.")],
    distance: Annotated[
        bool,
        typer.Option("--distance", help="Entries are distances: cut as much as possible, in their unit."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Cut a matrix of similarities into balanced groups, exactly."""
    from cleave.split.matrix import partition_file

    found = partition_file(matrix, parts, distance)
    lines = [f"group {i}: {', '.join(group)}" for i, group in enumerate(found["groups"])]
    tell(found, as_json, lambda: print(*lines, f"cut: {found['cut']:g}", sep="\n"))


@app.command()
def query(
    arch: Annotated[str, typer.Argument(metavar="ARCH|INDEX", help="Official string or index.")],
    benchmark: TableFile = None,
    as_json: Json = False,
) -> None:
    """Look up an architecture of NAS-Bench-201: accuracy (percent) after training alone."""
    from cleave.bench.table import DATASETS, need

    found = need(benchmark).query(int(arch) if arch.isdecimal() else arch)
    lines = [f"{name}: valid {found[name]['valid']:.2f} %, test {found[name]['test']:.2f} %" for name in DATASETS]
    tell(found, as_json, lambda: print(f"{found['index']}: {found['arch']}", *lines, sep="\n"))


@benchmark_app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(metavar="PATH", help="NATS-tss folder or file, or NAS-Bench-201 .pth file.")
    ],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; default: the cache folder.")] = None,
    as_json: Json = False,
) -> None:
    """Turn the official benchmark files into a compact table for query and search."""
    from cleave.bench.official import import_official
    from cleave.bench.table import default_path

    table = import_official(source, count_on_stderr)
    path = out or default_path()
    table.save(path)
    found = {"file": str(path), "architectures": len(table)}
    tell(found, as_json, lambda: print(f"{path}: {len(table)} architectures"))


def count_on_stderr(done: int, total: int) -> None:
    """A line for every tenth of a long reading."""
    if done == total or done % max(1, total // 10) == 0:
        print(f"{done} of {total} architectures", file=sys.stderr)


def tell_run(result: dict[str, Any], as_json: bool) -> None:
    """A run's outcome, as JSON or as tree, table and drawing."""
    from cleave.terminal import print_run

    tell(result, as_json, lambda: print_run(result))


def tell(value: dict[str, Any], as_json: bool, otherwise: Callable[[], None]) -> None:
    """One JSON object on stdout, or whatever a person reads more easily."""
    if as_json:
        print(json.dumps(value, allow_nan=False))
    else:
        otherwise()


def main() -> None:
    """Exit 0 done; 2 the user's mistake, said in one line; 130 interrupted."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command and returns its exit status."""
    try:
        status = app(arguments, standalone_mode=False)
    except (UserError, TyperException) as error:
        return complain(error.format_message() if isinstance(error, TyperException) else str(error), WRONG)
    except (Interrupted, KeyboardInterrupt, typer.Abort) as error:
        return complain(str(error) or "interrupted", INTERRUPTED)
    return status if isinstance(status, int) else DONE


def complain(message: str, status: int) -> int:
    """One line on stderr; none where the help was shown instead."""
    if message:
        print(f"cleave: {' '.join(message.split())}", file=sys.stderr)
    return status
