"""The sections of a study's page; None where there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cleave.report import Bullets, CodeBlock, Details, Element, PageFigure, PageTable, Paragraph, Section
from cleave.stats.clusters import clusters
from cleave.study.analysis.interference import by_statistics
from cleave.study.analysis.pruning import pruning
from cleave.study.record.log import Log
from cleave.study.record.views import log_correlation, never_vary, nothing_varies
from cleave.study.telling.figures import Drawings, Subject
from cleave.study.telling.figures.drawing import number_of
from cleave.study.telling.metrics_text import (
    cells,
    name_of,
    notes,
    points,
    stability_lines,
)

Part = dict[str, Any]

COUNTS = (1, 2, 4, 8, 16)
"""Numbers of clusters; all but the first were published."""
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


def ranking_section(report: Part) -> Section:
    """The table of rankings, baselines and ceiling."""
    head = ["", "GT-Tau", "95 %", "T1R", "T3R", "lost 1", "lost 3", "top 1"]
    rows = [[name_of(row), *cells(row)] for row in report["rankings"]]
    table = [PageTable("Rankings, baselines, ceiling", head, rows)] if rows else []
    text = [Paragraph(note, note=bool(rows)) for note in notes(report)]
    return Section("rankings", "How well children are ranked", [*table, *text])


def stability_section(report: Part) -> Section | None:
    lines = stability_lines(report)
    return Section("stability", "How stably", [Bullets(lines)]) if lines else None


def interference_section(subject: Subject) -> Section | None:
    """Both tables of interference, a column for each kind of statistics."""
    found = by_statistics(subject.log, subject.seed)
    if not found:
        return None
    first = next(iter(found.values()))
    since, shared = ([report[part] for report in found.values()] for part in ("since", "shared"))
    seen = f"{number_of(first['looks'], 'look')} at {number_of(first['supernets'], 'supernet')}"
    text = (
        "After each mini-batch the accuracy of every child is compared with the mean of all children, and that "
        f"distance with the child's usual one. In percentage points, over {seen}, with 95 % intervals bootstrapped "
        "over blocks of looks; a column for each kind of statistics of the normalisations."
    )
    own = PageTable(
        "What a child gains by its own mini-batch.",
        ["mini-batches since its own", *found, "n"],
        [[rows[0]["steps"], *map(estimate, rows), rows[0]["n"]] for rows in zip(*since, strict=True)],
    )
    others = PageTable(
        "How much better off those children are that have the same candidate as the child just trained, other choices "
        "being equal; that child is left out.",
        ["choice", *found],
        [[rows[0]["choice"], *map(estimate, rows)] for rows in zip(*shared, strict=True)],
    )
    return Section("interference", "Interference", [Paragraph(text), own, others])


def estimate(row: Part) -> str:
    """A value with its interval."""
    interval = "" if row["low"] is None else f" [{row['low']:+.2f} {row['high']:+.2f}]"
    return "-" if row["value"] is None else f"{row['value']:+.2f}{interval}"


def cluster_section(log: Log) -> Section | None:
    """Sizes at all numbers of clusters, members at the last, and what has no part in them."""
    matrix = log_correlation(log)
    if matrix is None:
        return None
    if still := nothing_varies(log):
        return Section("clusters", "Clusters", [Paragraph(f"Not clustered: {still}.")])
    found = {count: clusters(matrix, count) for count in COUNTS if count <= len(matrix)}
    sizes = [[count, ", ".join(str(len(group)) for group in groups)] for count, groups in found.items()]
    members = [named([log.children[child] for child in group]) for group in found[max(found)]]
    text = (
        "Children whose accuracies move together (average linkage on 1 − correlation). To train them as groups of "
        "their own: `sharing.policy: groups`, `sharing.by: clustered`, `sharing.file`: this log."
    )
    parts: list[Element] = [Paragraph(text), PageTable("Sizes of the clusters", ["groups", "sizes"], sizes)]
    if constant := never_vary(log):
        still = f"Never vary, and count as uncorrelated with all others: {named(constant)}."
        parts.append(Paragraph(still, note=True))
    parts.append(Details(f"Members of {len(members)} groups", [Bullets(members, numbered=True)]))
    return Section("clusters", "Clusters", parts)


def named(children: Sequence[str]) -> str:
    """The first of them by name."""
    more = len(children) - MEMBERS
    return ", ".join(children[:MEMBERS]) + (f" and {more} more" if more > 0 else "")


def pruning_section(subject: Subject) -> Section | None:
    found = pruning(subject.log, subject.truth.mean) if subject.truth else None
    if found is None:
        return None
    text = (
        "Ranks are averaged over successive looks. Recall: of the truly worst {worst} of {children} children among "
        "those ranked worst. Kept and dropped: of the truly best {best} and the truly worst {worst}, where the better "
        "{kept} are kept. Means over all windows of that many looks and "
    ).format_map(found)
    text += f'{number_of(found["instances"], "instance")}; "last": at the end of training alone.'
    head = ["looks averaged", "recall, %", "best kept, %", "worst dropped, %"]
    head += ["recall, last", "kept, last", "dropped, last"]
    rows = [[row["aggregated"], *percents(row), *percents(row["last"])] for row in found["rows"]]
    rows.append(["chance", *percents(found["chance"]) * 2])
    return Section("pruning", "Pruning", [Paragraph(text), PageTable("What is kept and dropped", head, rows)])


def percents(part: Part) -> list[str]:
    return [points(100 * part[name], 1) for name in ("recall", "best_kept", "worst_dropped")]


def figure_section(drawings: Drawings) -> Section:
    parts: list[Element] = [
        PageFigure(name, image.decode(), drawings.captions[name]) for name, image in drawings.images.items()
    ]
    if drawings.lacking:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in drawings.lacking.items())
        parts.append(Paragraph(f"Not drawn: {reasons}.", note=True))
    return Section("figures", "Figures", parts)


def cost_section(ledger: Sequence[Part]) -> Section | None:
    """What a study cost: all of it, and each part."""
    if not ledger:
        return None
    head = ["", *COSTS.values()]
    total: Part = {"what": "all", **{key: sum(part[key] for part in ledger) for key in ADDED}}
    rows = [[part["what"], *(amount(key, part.get(key)) for key in COSTS)] for part in (total, *ledger)]
    whole = PageTable("Of all parts together.", head, rows[:1])
    parts = PageTable("Of each part", head, rows[1:])
    return Section("cost", "Cost", [whole, Details("Each part", [parts])])


def amount(key: str, value: float | None) -> str:
    """A cost for the eye."""
    if value is None:
        return "-"
    scaled = value / 1e9 if key.endswith("multiply_adds") else value
    return f"{scaled:,.1f}" if key != "mini_batches" else f"{scaled:,}"


def recipe_section(recipe: str, environment: Mapping[str, Any]) -> Section | None:
    parts: list[Element] = [CodeBlock(recipe)] if recipe else []
    if environment:
        parts.append(PageTable("Made with", (), list(environment.items())))
    return Section("recipe", "Recipe and versions", parts) if parts else None
