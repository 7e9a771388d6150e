"""The metrics of a study for the eye, at most 80 columns."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cleave.rank.text import short
from cleave.study.jumps import jump_lines

Part = dict[str, Any]
LEGEND = """\
tau: GT-Tau, Kendall's tau-b with the truth, and its 95 % bootstrap interval
(over instances where there are several, else children; of one run of the truth
over runs; with two or three instances little more than their range). T1R, T3R:
the best true rank among the 1 or 3 ranked highest. lost: percentage points
between the best child and these. top 1: true accuracy of the one ranked highest. ±: the
deviation over looks, or over instances at their last look."""
TIED = "*: several share the highest score; the first of them counts as the best."
UNFAIR = "against all: a run is itself in the mean that it is held against."
SIMULATED = "one run of the truth is simulated from its means and deviations: about .01 low."
NO_TRUTH = "GT-Tau, T1R, T3R and the table need a truth: give --truth FILE"


def print_metrics(report: Part, console: Console | None = None) -> None:
    """What `cleave study metrics` found, on stdout unless another console is given."""
    console = console or Console(highlight=False)
    for line in (title(report), *window_lines(report), *stability_lines(report["s_tau"])):
        console.print(Text(line))
    for line in after_stability(report):
        console.print(Text(line))
    if not report["rankings"]:
        console.print(Text(NO_TRUTH))
        return
    console.print(rankings_table(report["rankings"]))
    for note in notes(report["rankings"]):
        console.print(Text(note))


def after_stability(report: Part) -> list[str]:
    """The child just trained, jumps, test images, supernets of a few children each."""
    return [
        *just_trained_lines(report["just_trained"]),
        *jump_lines(report["jumps"]),
        *reported_lines(report["reported"]),
        *group_lines(report["groups"]),
    ]


def reported_lines(part: Part | None) -> list[str]:
    if part is None:
        return []
    found = part["gt_tau"]
    return [f"GT-Tau of the last look at test images: {short(found['value'])} [{bounds(found)}]"]


def title(report: Part) -> str:
    """What was looked at."""
    count = report["n"]
    instances = f"{count['instances']} instance{'s' * (count['instances'] != 1)}"
    looks = f"{count['dense_looks']} dense looks, {count['epoch_looks']} at ends of epochs"
    kind = f"{report['statistics']} statistics, {report['images']} images"
    return f"{count['children']} children of {report['space']}, {instances}\n{looks}; {kind}"


def window_lines(report: Part) -> list[str]:
    """GT-Tau over looks, epochs and instances."""
    lines = [window_line(f"last {part['last']} dense looks", part) for part in report["looks"]]
    if report["epochs"]:
        lines.append(window_line(f"last {report['epochs']['last']} epochs", report["epochs"]))
    if report["instances"] and report["n"]["instances"] > 1:
        part = report["instances"]
        mean = f"{plus_minus(part['gt_tau']['value'], part['gt_tau']['std'])} [{bounds(part['gt_tau'])}]"
        lines.append(f"GT-Tau over instances at their last look: {mean}\n  {tnr_words(part)}")
    return lines


def window_line(name: str, part: Part) -> str:
    figures = {key: value["mean"] for key, value in part["gt_tau"].items()}
    mean, ends = plus_minus(figures["mean"], figures["std"]), f"{short(figures['min'])} to {short(figures['max'])}"
    return f"GT-Tau over the {name}: {mean} [{bounds(part['estimate'])}], {ends}\n  {tnr_words(part)}"


def tnr_words(part: Part) -> str:
    return ", ".join(f"T{n}R {points(part[f't{n}r']['mean'], 1)}" for n in (1, 3))


def stability_lines(parts: dict[str, Part | None]) -> list[str]:
    """S-Tau of what there is."""
    names = {
        "instances": "between instances",
        "epochs": "between an instance's last epochs",
        "looks": "between an instance's last dense looks",
        "truth": "between runs of the truth",
    }
    return [
        f"S-Tau {names[key]}: {short(part['value'])} [{bounds(part)}], {short(part['min'])} to {short(part['max'])}"
        for key, part in parts.items()
        if part
    ]


def just_trained_lines(part: Part | None) -> list[str]:
    if part is None:
        return []
    rank = f"{part['mean_rank']:.2f} [{points(part['rank']['low'], 1)} {points(part['rank']['high'], 1)}]"
    first = f"first in {100 * part['first']:.1f} % of looks"
    return [f"mean rank of the child just trained: {rank}\n  chance {part['chance_rank']:.1f}; {first}"]


def group_lines(parts: list[Part]) -> list[str]:
    """The groups together; the single ones are in the JSON."""
    if not parts:
        return []
    values = [part["gt_tau"] for part in parts if part["gt_tau"] is not None]
    ends = f": from {short(min(values))} to {short(max(values))}" if values else ""
    return [f"GT-Tau within {len(values)} of {len(parts)} groups, where it is defined{ends}"]


def rankings_table(rows: list[Part]) -> Table:
    """A line for each ranking, baseline and ceiling."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    for name in ("tau", "[95 %]", "T1R", "T3R", "lost 1", "lost 3", "top 1"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(Text(name_of(row)), *cells(row))
    return table


def name_of(row: Part) -> str:
    kind = f", {row['statistics']}" if row["statistics"] else ""
    star = "*" if row["of"] == "baseline" and row["tied"] > 1 else ""
    return f"{row['name']}{kind}{star}"


def cells(row: Part) -> list[str]:
    ranks = [points(row[name], 1) for name in ("t1r", "t3r")]
    percent = [points(row[name], 2) for name in ("regret1", "regret3", "top1")]
    return [short(row["gt_tau"]["value"]), bounds(row["gt_tau"]), *ranks, *percent]


def notes(rows: list[Part]) -> list[str]:
    """What the table needs to be understood."""
    random = next(row["expected"] for row in rows if "expected" in row)
    chance = f"random is one draw; on average tau 0, T1R {random['t1r']:.2f}, T3R {random['t3r']:.2f}"
    ceilings = [row for row in rows if row["of"] == "ceiling"]
    return [
        LEGEND,
        chance,
        *([TIED] if any(name_of(row).endswith("*") for row in rows) else []),
        *([UNFAIR] if ceilings else []),
        *([SIMULATED] if any(row["simulated"] for row in ceilings) else []),
    ]


def bounds(estimate: Part) -> str:
    return "-" if estimate["low"] is None else f"{short(estimate['low'])} {short(estimate['high'])}"


def plus_minus(mean: float | None, std: float | None) -> str:
    return short(mean) if std is None else f"{short(mean)} ± {short(std)}"


def points(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
