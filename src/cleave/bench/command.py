"""`cleave query` and `cleave benchmark`: the table of trained accuracies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cleave.common import Json, TableFile, tell

app = typer.Typer(help="The table of trained accuracies.", no_args_is_help=True)


def query(
    arch: Annotated[
        str,
        typer.Argument(
            metavar="ARCH|INDEX|LIST",
            help="Official string, official index, or operations of the edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2 as in "
            "'(4, 0, 3, 1, 4, 3)': 0 none, 1 skip_connect, 2 nor_conv_1x1, 3 nor_conv_3x3, 4 avg_pool_3x3.",
        ),
    ],
    naslib: Annotated[
        bool,
        typer.Option(
            "--naslib", help="The list is NASLib's: its numbers and order of edges, as in NAS-Bench-Suite-Zero, differ."
        ),
    ] = False,
    benchmark: TableFile = None,
    as_json: Json = False,
) -> None:
    """Look up an architecture of NAS-Bench-201: accuracy (percent) after training alone."""
    from cleave.bench.asked import architecture
    from cleave.bench.table import DATASETS, need

    found = need(benchmark).query(architecture(arch, naslib))
    lines = [f"{name}: valid {found[name]['valid']:.2f} %, test {found[name]['test']:.2f} %" for name in DATASETS]
    tell(found, as_json, lambda: print(f"{found['index']}: {found['arch']}", *lines, sep="\n"))


@app.command("import")
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
