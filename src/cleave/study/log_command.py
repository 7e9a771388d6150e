"""The commands on a study's log: `cleave study metrics` and `cleave study report`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cleave.common import ExtensionFiles, Json, tell
from cleave.errors import UserError, refuse_repeats
from cleave.extras import need_extra

Source = Annotated[
    Path, typer.Argument(metavar="STUDY|LOG|CSV", help="A study's folder, a log, or the published table.")
]
Truth = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Accuracies of children trained alone: a CSV file, a study's log, or a table of NAS-Bench-201 (.npz). "
        "Default: the study's own, if it has one.",
        show_default=False,
    ),
]
Order = Annotated[Path | None, typer.Option(metavar="FILE", help="For the published table: the order of training.")]
IntervalSeed = Annotated[
    int | None,
    typer.Option(metavar="S", min=0, help="Seed of intervals, simulations, random row; default: the study's, or 0."),
]


def metrics(
    source: Source,
    truth: Truth = None,
    order: Order = None,
    statistics: Annotated[
        str | None, typer.Option(metavar="KIND", help="running, child, batch or recalibrated; default: the first.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(metavar="K", min=1, help="GT-Tau over the last K dense looks alone.")
    ] = None,
    seed: IntervalSeed = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Measure how well and how stably a study's supernets rank their children.

    Compared with children trained alone, trivial baselines and the noise of the truth itself.
    """
    need_extra("study")
    from cleave.extensions import load_all
    from cleave.study.analysis.metrics_report import report as measure
    from cleave.study.record.log import read_log
    from cleave.study.record.truth import log_file, read_truth
    from cleave.study.telling.metrics_text import print_metrics

    load_all(extensions or ())
    truth, seed = as_run(source, truth, seed)
    if last is not None and truth is None:
        raise UserError("--last: is of GT-Tau, which needs a truth; give --truth FILE too")
    log = read_log(log_file(source), order)
    found = measure(log, read_truth(truth, log) if truth else None, statistics, last, seed)
    tell(found, as_json, lambda: print_metrics(found))


def report(
    source: Source,
    truth: Truth = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Where to; default: report.html in the study, or by LOG.")
    ] = None,
    order: Order = None,
    beside: Annotated[
        list[Path] | None, typer.Option(metavar="STUDY", help="Draw its S-Tau next to this one's; repeatable.")
    ] = None,
    seed: IntervalSeed = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Write a study's figures and tables as one page of HTML that needs no network."""
    need_extra("study")
    from cleave.extensions import load_all
    from cleave.study.analysis.metrics_report import report as measure
    from cleave.study.record.log import read_log
    from cleave.study.record.truth import log_file, read_truth
    from cleave.study.telling.figures import Subject
    from cleave.study.telling.page import read_made, write_page

    refuse_repeats("--beside", [each.resolve() for each in beside or ()])
    load_all(extensions or ())
    truth, seed = as_run(source, truth, seed)
    log = read_log(log_file(source), order)
    true = read_truth(truth, log) if truth else None
    others = {legend(each): read_log(log_file(each)) for each in beside or ()}
    path = out or (source / "report.html" if os.path.isdir(source) else source.with_suffix(".html"))
    write_page(path, Subject(log, true, others, seed), measure(log, true, seed=seed), read_made(source))
    tell({"page": str(path), "log": log.name}, as_json, lambda: print(path))


def as_run(source: Path, truth: Path | None, seed: int | None) -> tuple[Path | None, int]:
    """The truth and the seed that are given, else those of the study in a folder."""
    from cleave.run.origin import STUDY, holds, read_origin  # not before a command needs it

    recipe: Mapping[str, Any] = read_origin(source, STUDY).recipe if holds(source, STUDY) else {}
    own: str | None = recipe.get("truth")
    return truth or (Path(own) if own else None), recipe.get("seed", 0) if seed is None else seed


def legend(study: Path) -> str:
    """What a line is called; one that began with a low line would be left out."""
    name = str(study)
    return f"./{name}" if name.startswith("_") else name
