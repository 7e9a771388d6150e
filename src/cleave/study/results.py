"""What follows from the rows of a study: its figures and its page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cleave.run.durable import write_json
from cleave.study.analysis.metrics_report import report
from cleave.study.record.log import read_log
from cleave.study.record.truth import read_truth
from cleave.study.telling.figures import Subject, draw, save
from cleave.study.telling.page import read_made, write_page


def write_results(folder: Path, truth: Path | None, seed: int) -> dict[str, Any]:
    """Writes metrics.json, figures/ and report.html into a study's folder; returns the first."""
    log = read_log(folder / "log.parquet")
    true = read_truth(truth, log) if truth else None
    found = report(log, true, seed=seed)
    write_json(folder / "metrics.json", found)
    subject = Subject(log, true, seed=seed)
    drawings = draw(subject)
    save(drawings, folder / "figures")
    write_page(folder / "report.html", subject, found, read_made(folder), drawings)
    return found
