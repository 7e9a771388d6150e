"""What a study of weight sharing tells: its own sections, as on the page of `cleave study report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cleave.extras import need_extra
from cleave.pages.facts import Facts
from cleave.pages.kinds import Asked, kind
from cleave.run.origin import STUDY, holds, read_origin
from cleave.run.reading import is_there
from cleave.run.resumable import unfinished


def is_study(path: Path) -> bool:
    return holds(path, STUDY)


@kind(STUDY, is_study)
def of_study(path: Path, name: str, asked: Asked) -> Sequence[Facts]:
    need_extra("study", "cleave report of a study")
    from cleave.study.analysis.metrics_report import report
    from cleave.study.record.log import read_log
    from cleave.study.record.truth import log_file, read_truth
    from cleave.study.telling.figures import Subject
    from cleave.study.telling.metrics_text import title
    from cleave.study.telling.page import read_made, sections

    if not is_there(path / "metrics.json"):
        raise unfinished(path)
    origin, log = read_origin(path, STUDY), read_log(log_file(path))
    recipe = origin.recipe
    true = read_truth(Path(recipe["truth"]), log) if recipe["truth"] else None
    subject = Subject(log, true, seed=recipe["seed"])
    found = report(log, true, seed=subject.seed)
    made = replace(read_made(path), environment={})  # which has a section of its own
    return [
        Facts(
            name,
            f"Weight sharing in {found['space']}",
            summary=title(found).splitlines(),
            environment=origin.environment,
            used=["study deeper-insights", f"space {found['space']}", f"data {recipe['data']['name']}"],
            sections=sections(subject, found, made),
        )
    ]
