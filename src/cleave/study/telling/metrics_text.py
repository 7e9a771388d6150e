"""The metrics of a study for the eye, at most 80 columns."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from cleave.rank.text import figures_table, short

Part = dict[str, Any]
LEGEND = """\
tau: GT-Tau, Kendall's tau-b with the truth, and its 95 % bootstrap interval
(over instances where there are several, else children; of one run of the truth
over runs, real or simulated; with two or three instances little more than their
range). T1R, T3R: the best true rank among the 1 or 3 ranked highest. lost:
percentage points between the best child and these. top 1: true accuracy of the
one ranked highest. ±: the deviation over looks, or over instances at their last
look."""
TIED = "*: several share the highest score; the mean over all choices among them."
UNFAIR = "against all: a run is itself in the mean that it is compared with."
SIMULATED = "one run of the truth: simulated from its means and deviations."
NO_TRUTH = "GT-Tau, T1R, T3R and the table need a truth: give --truth FILE"


def print_metrics(report: Part, console: Console | None = None) -> None:
    """What `cleave study metrics` found, on stdout unless another console is given."""
    console = console or Console(highlight=False)
    for line in (title(report), *stability_lines(report)):
        console.print(Text(line))
    if rows := report["rankings"]:
        head = ("tau", "[95 %]", "T1R", "T3R", "lost 1", "lost 3", "top 1")
        console.print(figures_table(head, {name_of(row): cells(row) for row in rows}))
    for note in notes(report):
        console.print(Text(note))


def stability_lines(report: Part) -> list[str]:
    """GT-Tau over looks, S-Tau, the child just trained, jumps, test images, supernets of a few children each."""
    lines = [*window_lines(report), *s_tau_lines(report["s_tau"]), *just_trained_lines(report["just_trained"])]
    lines += jump_lines(report["jumps"])
    if report["reported"]:
        found = report["reported"]["gt_tau"]
        value = f"{short(found['value'])}{bracket(found)}{undefined(found, 'instances')}"
        lines.append(f"GT-Tau of the last look at test images: {value}")
    return lines + group_lines(report["groups"])


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
        gt_tau = part["gt_tau"]
        mean = f"{plus_minus(gt_tau['value'], gt_tau['std'])}{bracket(gt_tau)}{undefined(gt_tau, 'instances')}"
        lines.append(f"GT-Tau over instances at their last look: {mean}\n  {tnr_words(part)}")
    return lines


def window_line(name: str, part: Part) -> str:
    """Only what is defined in all looks is said to be over them."""
    figures = {key: value["mean"] for key, value in part["gt_tau"].items()}
    mean, ends = plus_minus(figures["mean"], figures["std"]), f"{short(figures['min'])} to {short(figures['max'])}"
    if part["defined"] == part["looks"]:
        return f"GT-Tau over the {name}: {mean}{bracket(part['estimate'])}, {ends}\n  {tnr_words(part)}"
    line = f"GT-Tau of the {name}: {mean}, defined in {part['defined']} of {part['looks']} looks"
    where = f"\n  there{bracket(part['estimate'])}, {ends}" if part["defined"] else ""
    return f"{line}{where}\n  {tnr_words(part)}"


def tnr_words(part: Part) -> str:
    star = "*" if part["shared_first"] else ""
    return ", ".join(f"T{n}R {points(part[f't{n}r']['mean'], 1)}{star}" for n in (1, 3))


def s_tau_lines(parts: dict[str, Part | None]) -> list[str]:
    """S-Tau of what there is, with the extremes of the pairs of rankings where any can be compared."""
    names = {
        "instances": "between instances",
        "epochs": "between an instance's last epochs",
        "looks": "between an instance's last dense looks",
        "truth": "between runs of the truth",
    }
    lines = []
    for key, part in parts.items():
        if part:
            ends = f", {short(part['min'])} to {short(part['max'])}" if part["defined"] else ""
            value = f"{short(part['value'])}{bracket(part)}{ends}{undefined(part, 'pairs')}"
            lines.append(f"S-Tau {names[key]}: {value}")
    return lines


def just_trained_lines(part: Part | None) -> list[str]:
    if part is None:
        return []
    rank, chance = part["rank"], part["chance_rank"]
    mean = f"{part['mean_rank']:.2f}{within(rank['low'], rank['high'], 1)}"
    first = f"first in {100 * part['first']:.1f} % of looks (chance {100 * part['chance_first']:.1f} %)"
    return [f"mean rank of the child just trained: {mean}\n  chance {chance:.1f}; {first}"]


def group_lines(parts: list[Part]) -> list[str]:
    """The groups together; the single ones are in the JSON."""
    if not parts:
        return []
    known_parts = [part for part in parts if part["gt_tau"] is not None]
    values = [part["gt_tau"] for part in known_parts]
    ends = f": from {short(min(values))} to {short(max(values))}" if values else ""
    lines = [f"GT-Tau within {len(values)} of {len(parts)} groups, where it is defined{ends}"]
    looks, found = (sum(part[name] for part in known_parts) for name in ("looks", "defined"))
    return lines if found == looks else [*lines, f"  in these defined in {found} of {looks} looks"]


def name_of(row: Part) -> str:
    kind = f", {row['statistics']}" if row["statistics"] else ""
    star = "*" if row["tied"] > 1 else ""
    return f"{row['name']}{kind}{star}"


def cells(row: Part) -> list[str]:
    ranks = [points(row[name], 1) for name in ("t1r", "t3r")]
    percent = [points(row[name], 2) for name in ("regret1", "regret3", "top1")]
    value, low, high = (row["gt_tau"][name] for name in ("value", "low", "high"))
    return [short(value), "-" if low is None else f"{short(low)} {short(high)}", *ranks, *percent]


def notes(report: Part) -> list[str]:
    """What the table, and the lines above it, need to be understood; or why there is no table."""
    rows = report["rankings"]
    if not rows:
        return [NO_TRUTH]
    random = next(row["expected"] for row in rows if "expected" in row)
    chance = f"random is one draw; on average tau 0, T1R {random['t1r']:.2f}, T3R {random['t3r']:.2f}"
    ceilings = [row for row in rows if row["of"] == "ceiling"]
    taus = [(name_of(row), row["gt_tau"]) for row in rows]
    some = [(name, tau) for name, tau in taus if 0 < tau["defined"] < tau["of"]]
    parts = [*report["looks"], *(part for part in (report["epochs"], report["instances"]) if part)]
    starred = any(row["tied"] > 1 for row in rows) or any(part["shared_first"] for part in parts)
    return [
        LEGEND,
        chance,
        *(f"{name}: tau is defined in {tau['defined']} of {tau['of']}" for name, tau in some),
        *[TIED] * starred,
        *[UNFAIR] * bool(ceilings),
        *[SIMULATED] * any(row["simulated"] for row in ceilings),
    ]


def bracket(estimate: Part) -> str:
    """The interval behind a value, where there is one."""
    return "" if estimate["low"] is None else f" [{short(estimate['low'])} {short(estimate['high'])}]"


def undefined(estimate: Part, what: str) -> str:
    """A line on in how many of these it is defined, where that is not all."""
    whole = estimate["defined"] == estimate["of"]
    return "" if whole else f"\n  defined in {estimate['defined']} of {estimate['of']} {what}"


def plus_minus(mean: float | None, std: float | None) -> str:
    return short(mean) if std is None else f"{short(mean)} ± {short(std)}"


def points(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def jump_lines(part: dict[str, dict[str, Any]] | None) -> list[str]:
    """For people: a line for each kind, and one on what is left of the first kind's jumps."""
    lines = []
    for number, (kind, found) in enumerate((part or {}).items()):
        change, alike = found["change"], found["consecutive_tau"]
        agree = "" if alike["value"] is None else f"; successive looks agree by tau {alike['value']:.2f}"
        lines.append(f"jumps, {kind}: {change['value']:.2f} points{within(change['low'], change['high'], 2)}{agree}")
        if alike["defined"] < alike["of"]:
            lines.append(f"  their tau is defined in {alike['defined']} of {alike['of']} pairs of looks")
        if number and found["share"] is not None:
            low, high = (None if end is None else 100 * end for end in (found["share_low"], found["share_high"]))
            lines.append(f"  squared {100 * found['share']:.0f} %{within(low, high, 0)} of the first kind's")
    return lines


def within(low: float | None, high: float | None, digits: int) -> str:
    """An interval, where there is one."""
    return "" if low is None or high is None else f" [{low:.{digits}f} {high:.{digits}f}]"
