"""Parts of a page in which runs stand beside each other; None where there is nothing to tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cleave.pages.citations import entries
from cleave.pages.facts import Facts, Standing
from cleave.report import CodeBlock, Element, LineChart, PageTable, Paragraph, Point, Scatter, Section, SideBySide

Cost = Callable[[Standing], float | None]
AXES: Mapping[str, Cost] = {
    "milliseconds, measured": lambda each: each.milliseconds,
    "multiply-adds of an image": lambda each: each.multiply_adds,
}
"""What accuracy is drawn against."""


def standing_section(facts: Sequence[Facts]) -> Section | None:
    """Accuracy against cost, for each way to judge that was used; of two of one name the first counts."""
    groups = dict[str, dict[str, Standing]]()
    for each in (standing for run in facts for standing in run.standings):
        groups.setdefault(each.judged, {}).setdefault(each.name, each)
    parts = [part for judged, group in groups.items() for part in standing_parts(judged, list(group.values()))]
    return Section("accuracy", "Accuracy against cost", parts) if parts else None


def standing_parts(judged: str, group: Sequence[Standing]) -> list[Element]:
    """Charts against what is known of all, or measured of some, and the table that they are numbered by."""
    charts = [scatter(judged, axis, cost, group) for axis, cost in AXES.items() if drawn_by(axis, cost, group)]
    return [*([SideBySide(charts)] if charts else []), standing_table(judged, group)]


def drawn_by(axis: str, cost: Cost, group: Sequence[Standing]) -> bool:
    """Whether a cost is drawn: what was measured of any, and multiply-adds unless all were measured."""
    measured = all(each.milliseconds is not None for each in group)
    known = any(cost(each) is not None for each in group)
    return known and (cost is AXES["milliseconds, measured"] or not measured)


def scatter(judged: str, axis: str, cost: Cost, group: Sequence[Standing]) -> Scatter:
    points = [
        Point(each.name, x, each.accuracy, each.interval, each.chosen)
        for each in group
        if (x := cost(each)) is not None
    ]
    caption = f"Accuracy on {judged} with 95 % intervals; filled: chosen."
    return Scatter(caption, points, axis, "accuracy, %")


def standing_table(judged: str, group: Sequence[Standing]) -> PageTable:
    columns: Mapping[str, Callable[[Standing], str]] = {
        "accuracy, %": lambda each: f"{each.accuracy:.2f}",
        "95 % interval": lambda each: "{:.1f} to {:.1f}".format(*each.interval),
        "multiply-adds": lambda each: whole(each.multiply_adds),
        "parameters": lambda each: whole(each.parameters),
        "measured, ms": lambda each: "" if each.milliseconds is None else f"{each.milliseconds:.3f}",
        "seconds": lambda each: "" if each.seconds is None else f"{each.seconds:,.0f}",
    }
    told = {name: write for name, write in columns.items() if any(map(write, group))}
    rows = [
        (f"{number} {each.name}{' (chosen)' * each.chosen}", *(write(each) for write in told.values()))
        for number, each in enumerate(group, start=1)
    ]
    return PageTable(f"On {judged}", ["", *told], rows)


def whole(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def curve_section(facts: Sequence[Facts]) -> Section | None:
    """A chart for each figure that was followed."""
    curves = [curve for each in facts for curve in each.curves if curve.line.points]
    charts = [
        LineChart(name, [curve.line for curve in curves if curve.chart == name], "epochs", "")
        for name in dict.fromkeys(curve.chart for curve in curves)
    ]
    return Section("learning", "Learning curves", [SideBySide(charts)]) if charts else None


def cost_section(facts: Sequence[Facts]) -> Section | None:
    told = [each for each in facts if each.costs]
    if not told:
        return None
    columns = list(dict.fromkeys(key for each in told for key in each.costs))
    rows = [(each.name, *(amount(each.costs.get(key, "")) for key in columns)) for each in told]
    return Section("cost", "Cost", [PageTable("What it took", ["", *columns], rows)])


def amount(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if isinstance(value, float) else str(value)


def environment_section(facts: Sequence[Facts]) -> Section | None:
    """What runs were made with; runs that agree share a column."""
    alike = dict[tuple[tuple[str, object], ...], list[str]]()
    for each in facts:
        plain = {key: value for key, value in each.environment.items() if isinstance(value, str | int | float)}
        if plain:
            alike.setdefault(tuple(plain.items()), []).append(each.name)
    if not alike:
        return None
    columns = [dict(values) for values in alike]
    keys = dict.fromkeys(key for values in columns for key in values)
    head = () if len(alike) == 1 else ("", *(", ".join(names) for names in alike.values()))
    rows = [(key, *(values.get(key, "") for values in columns)) for key in keys]
    return Section("environment", "Made with", [PageTable("Versions, hardware, images", head, rows)])


def cite_section(facts: Sequence[Facts]) -> Section | None:
    """The papers of what was used."""
    found = entries(used for each in facts for used in each.used)
    if not found:
        return None
    text = "Please cite the papers whose methods, spaces and images were used here, and cleave by its version."
    return Section("cite", "How to cite", [Paragraph(text), CodeBlock("\n\n".join(found))])
