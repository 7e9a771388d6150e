"""The sections of a study's page, as what its template asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from cleave.stats.clusters import clusters
from cleave.study.analysis.interference import by_statistics
from cleave.study.analysis.pruning import pruning
from cleave.study.record.curves import log_correlation, never_vary, nothing_varies
from cleave.study.record.log import Log
from cleave.study.telling.figures import Drawings, Subject
from cleave.study.telling.figures.drawing import number_of
from cleave.study.telling.metrics_text import (
    NO_TRUTH,
    after_stability,
    cells,
    name_of,
    notes,
    points,
    stability_lines,
    window_lines,
)

Part = dict[str, Any]

COUNTS = (1, 2, 4, 8, 16)
"""Numbers of clusters, those published but for the first."""
MEMBERS = 16
"""Children of a cluster that are named."""
COSTS = {
    "mini_batches": "mini-batches",
    "per_child": "per child",
    "train_multiply_adds": "training, 10⁹ multiply-adds",
    "evaluation_multiply_adds": "looking, 10⁹ multiply-adds",
    "seconds": "seconds",
}
ADDED = {"mini_batches", "train_multiply_adds", "evaluation_multiply_adds", "seconds"}
"""What is summed over parts; mini-batches per child are of different children."""


def measured(report: Part) -> Part:
    """The table of rankings, baselines and ceiling, and the lines on stability."""
    rows = report["rankings"]
    lines = [*window_lines(report), *stability_lines(report["s_tau"])]
    lines += after_stability(report)
    return {
        "rankings": [[name_of(row), *cells(row)] for row in rows],
        "notes": notes(report) if rows else [NO_TRUTH],
        "stability": lines,
    }


def interference_part(subject: Subject) -> Part:
    """Both tables of interference, a column for each kind of statistics."""
    found = by_statistics(subject.log, subject.seed)
    if not found:
        return {"interference": None}
    first = next(iter(found.values()))
    since, shared = ([report[part] for report in found.values()] for part in ("since", "shared"))
    return {
        "interference": list(found),
        "seen": f"{number_of(first['looks'], 'look')} at {number_of(first['supernets'], 'supernet')}",
        "since": [[rows[0]["steps"], *map(estimate, rows), rows[0]["n"]] for rows in zip(*since, strict=True)],
        "shared": [[rows[0]["choice"], *map(estimate, rows)] for rows in zip(*shared, strict=True)],
    }


def estimate(row: Part) -> str:
    """A value with its interval."""
    interval = "" if row["low"] is None else f" [{row['low']:+.2f} {row['high']:+.2f}]"
    return "-" if row["value"] is None else f"{row['value']:+.2f}{interval}"


def cluster_part(log: Log) -> Part:
    """Sizes at all numbers of clusters, members at the last, and what has no part in them."""
    matrix = log_correlation(log)
    if matrix is None:
        return {"clusters": None}
    if still := nothing_varies(log):
        return {"clusters": {"still": still, "groups": []}}
    found = {count: clusters(matrix, count) for count in COUNTS if count <= len(matrix)}
    sizes = [[count, ", ".join(str(len(group)) for group in groups)] for count, groups in found.items()]
    members = [named([log.children[child] for child in group]) for group in found[max(found)]]
    return {"clusters": {"still": "", "sizes": sizes, "groups": members, "never_vary": named(never_vary(log))}}


def named(children: Sequence[str]) -> str:
    """The first of them by name."""
    more = len(children) - MEMBERS
    return ", ".join(children[:MEMBERS]) + (f" and {more} more" if more > 0 else "")


def pruning_part(subject: Subject) -> Part:
    found = pruning(subject.log, subject.truth.mean) if subject.truth else None
    if found is None:
        return {"pruning": None}
    rows = [[row["aggregated"], *percents(row), *percents(row["last"])] for row in found["rows"]]
    chance = ["chance", *percents(found["chance"]) * 2]
    return {"pruning": found, "instances": number_of(found["instances"], "instance"), "pruned": [*rows, chance]}


def percents(part: Part) -> list[str]:
    return [points(100 * part[name], 1) for name in ("recall", "best_kept", "worst_dropped")]


def figure_part(drawings: Drawings) -> Part:
    """The figures with their captions."""
    each = [(name, image.decode(), drawings.captions[name]) for name, image in drawings.images.items()]
    return {
        "drawings": [(name, inline(name, image, caption), caption) for name, image, caption in each],
        "lacking": drawings.lacking,
    }


def inline(name: str, image: str, caption: str) -> Markup:
    """An SVG file as an element of the page, its names made different from those of other figures."""
    element = image[image.index("<svg") :]
    unique = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", element)
    label = Markup('<svg role="img" aria-label="{}"').format(caption)
    return Markup(unique.replace("<svg", label, 1))


def cost_part(ledger: Sequence[Part]) -> Part:
    """What a study cost: all of it, and each part."""
    if not ledger:
        return {"cost": None}
    total = {key: sum(part[key] for part in ledger) for key in ADDED}
    parts = [cost_row(part) for part in ledger]
    return {"cost": {"head": ["", *COSTS.values()], "total": cost_row({"what": "all", **total}), "parts": parts}}


def cost_row(part: Part) -> list[str]:
    return [part["what"], *(amount(key, part.get(key)) for key in COSTS)]


def amount(key: str, value: float | None) -> str:
    """A cost for the eye."""
    if value is None:
        return "-"
    scaled = value / 1e9 if key.endswith("multiply_adds") else value
    return f"{scaled:,.1f}" if key != "mini_batches" else f"{scaled:,}"
