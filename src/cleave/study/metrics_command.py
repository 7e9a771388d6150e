"""The command `cleave study metrics`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import ExtensionFiles, Json, tell
from cleave.extras import need_extra


def metrics(
    source: Annotated[Path, typer.Argument(metavar="LOG|CSV|STUDY", help="A log, the published table, or a study.")],
    truth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Accuracies of children trained alone: a CSV file, or a study's log."),
    ] = None,
    order: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For the published table: the order of training.")
    ] = None,
    statistics: Annotated[
        str | None, typer.Option(metavar="KIND", help="running, child, batch or recalibrated; default: the first.")
    ] = None,
    last: Annotated[int | None, typer.Option(metavar="K", min=1, help="Only the last K dense looks.")] = None,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Seed of intervals, simulations, random row.")] = 0,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Measure how well and how stably a study's supernets rank their children.

    Held against children trained alone, trivial baselines and the noise of the truth itself.
    """
    need_extra("study")
    from cleave.extensions import load_all
    from cleave.study.analysis.metrics_report import report
    from cleave.study.record.log import read_log
    from cleave.study.record.truth import log_file, read_truth
    from cleave.study.telling.metrics_text import print_metrics

    load_all(extensions or ())
    log = read_log(log_file(source), order)
    found = report(log, read_truth(truth, log) if truth else None, statistics, last, seed)
    tell(found, as_json, lambda: print_metrics(found))
