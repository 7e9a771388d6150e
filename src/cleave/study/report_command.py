"""The command `cleave study report`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cleave.common import ExtensionFiles, Json, tell
from cleave.extras import need_extra


def report(
    source: Annotated[Path, typer.Argument(metavar="STUDY|LOG|CSV", help="A study, a log, or the published table.")],
    truth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Accuracies of children trained alone: a CSV file, or a study's log."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Where to; default: report.html in the study, or by LOG.")
    ] = None,
    order: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For the published table: the order of training.")
    ] = None,
    beside: Annotated[
        list[Path] | None, typer.Option(metavar="STUDY", help="Draw its S-Tau beside this one's; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Seed of intervals, simulations, random row.")] = 0,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Write a study's figures and tables as one page of HTML that needs no network."""
    need_extra("study")
    from cleave.errors import refuse_repeats
    from cleave.extensions import load_all
    from cleave.study.analysis.metrics_report import report as measure
    from cleave.study.record.log import read_log
    from cleave.study.record.truth import log_file, read_truth
    from cleave.study.telling.figures import Subject
    from cleave.study.telling.page import read_made, write_page

    refuse_repeats("--beside", [each.resolve() for each in beside or ()])
    load_all(extensions or ())
    log = read_log(log_file(source), order)
    true = read_truth(truth, log) if truth else None
    others = {str(each): read_log(log_file(each)) for each in beside or ()}
    path = out or (source / "report.html" if os.path.isdir(source) else source.with_suffix(".html"))
    found = measure(log, true, seed=seed)
    write_page(path, Subject(log, true, others, seed), found, read_made(source))
    tell({"page": str(path), "log": log.name}, as_json, lambda: print(path))
