"""The page of `cleave compare RUN RUN...`: what is told apart, a picture, and all figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cleave.paired.text import difference_text, digits, group_text, needed_text, p_text, told_apart
from cleave.report import Bullets, Element, Forest, ForestRow, Page, PageTable, Paragraph, Section

Row = Mapping[str, Any]


def page_of(found: Row) -> Page:
    count = sum(len(group["runs"]) for group in found["groups"])
    opening = [Paragraph(f"{count} runs ({found['kind']}) in {len(found['groups'])} groups, compared seed by seed.")]
    sections = [section_of(found, measure, number) for number, measure in enumerate(found["measures"], start=1)]
    runs = [f"{group['name']}: {', '.join(group['runs'])}" for group in found["groups"]]
    return Page("Runs compared", opening, [*sections, Section("runs", "What was compared", [Bullets(runs)])])


def section_of(found: Row, measure: str, number: int) -> Section:
    rows = [row for row in found["comparisons"] if row["measure"] == measure]
    head: list[Element] = [Paragraph(verdict(rows), lead=True), picture(rows, measure)]
    parts = [*head, tests(rows), groups(found["groups"], measure)]
    return Section(f"measure-{number}", measure[0].upper() + measure[1:], parts)


def verdict(rows: Sequence[Row]) -> str:
    """One sentence: what is told apart."""
    told = [row for row in rows if told_apart(row)]
    if not told:
        return "Nothing is told apart at this number of seeds: every difference may be chance."
    said = (
        "{} is {} than {}".format(row["groups"][0], "better" if row["difference"] > 0 else "worse", row["groups"][1])
        for row in told
    )
    return f"{'; '.join(said)} (5 %, corrected for {len(rows)} comparisons)."


def picture(rows: Sequence[Row], measure: str) -> Forest:
    drawn = [
        ForestRow("{} against {}".format(*row["groups"]), row["difference"], row["interval"], told_apart(row))
        for row in rows
    ]
    return Forest("Differences with 95 % intervals; filled: told apart.", drawn, measure)


def tests(rows: Sequence[Row]) -> PageTable:
    head = ("", "difference (95 %)", "p", "corrected", "effect", "better in", "seeds to tell it")
    return PageTable("Student's paired test, corrected by Holm's rule", head, [test_cells(row) for row in rows])


def test_cells(row: Row) -> tuple[str, ...]:
    name, won = "{} against {}".format(*row["groups"]), f"{row['better']} of {row['n']}"
    if row["p"] is None:
        return (name, difference_text(row), "", "", "", won, "")
    p, q = p_text(row["p"]), p_text(row["p_corrected"])
    return (name, difference_text(row), p, q, f"{row['effect']:+.2f}", won, needed_text(row))


def groups(found: Sequence[Row], measure: str) -> PageTable:
    rows = [
        (
            group["name"],
            group_text(group, measure),
            ", ".join(f"{value:.{digits(measure)}f}" for value in group["figures"][measure]["values"]),
            ", ".join(map(str, group["seeds"])),
        )
        for group in found
    ]
    return PageTable("Groups", ("", "mean (95 %)", "seed by seed", "seeds"), rows)
