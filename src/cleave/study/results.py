"""What follows from the rows of a study: its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cleave.run.durable import write_json
from cleave.search.watch import Watcher
from cleave.study.log import read_log
from cleave.study.metrics_report import report
from cleave.study.truth import read_truth


def write_results(folder: Path, truth: Path | None, seed: int, watcher: Watcher) -> dict[str, Any]:
    """Writes metrics.json into a study's folder; returns it."""
    log = read_log(folder / "log.parquet")
    found = report(log, read_truth(truth, log) if truth else None, None, None, seed)
    write_json(folder / "metrics.json", found)
    return found
