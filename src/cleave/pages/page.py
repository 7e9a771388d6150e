"""One page from what runs tell: what is of each alone under its name, what can be compared side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cleave.pages.compared import cite_section, cost_section, curve_section, environment_section, standing_section
from cleave.pages.facts import Facts
from cleave.report import Bullets, Element, Heading, Page, PageFigure, Paragraph, Section

FIRST = (
    "verdict", "accuracy", "comparisons", "networks", "architecture", "trust", "splits", "leaves", "learning",
    "weights", "classes", "worst",
)  # fmt: skip
LAST = ("cost", "environment", "cite")
"""The order of sections by name; what is in neither stands between them, as it comes."""


def make_page(told: Sequence[Sequence[Facts]], between: Sequence[Facts] = ()) -> Page:
    """The page of what each run tells, and of what was found between them. A run may tell of parts behind itself."""
    runs = [each for run in told for each in run]
    facts = [*between, *runs]
    own = [verdict_section(facts), *headed(facts)]
    common = [standing_section(facts), curve_section(facts), cost_section(facts)]
    made_with = [environment_section(facts), cite_section(facts)]
    sections = united([each for each in (*own, *common, *made_with) if each is not None])
    if len(told) == 1:
        first, *parts = runs
        sections += [Section("parts", "What was run", listed(parts))] if parts else []
        return Page(first.title, list(map(Paragraph, first.summary)), sorted(sections, key=place))
    title = f"{len(told)} runs: {', '.join(run[0].name for run in told)}"
    return Page(title, listed(runs), sorted(sections, key=place))


def listed(facts: Sequence[Facts]) -> list[Element]:
    """What was run."""
    lines = [f"{each.name}: {'; '.join([each.title, *each.summary])}" for each in facts]
    return [Bullets(lines)] if lines else []


def united(sections: Sequence[Section]) -> list[Section]:
    """Sections of one name as one."""
    found = dict[str, Section]()
    for each in sections:
        before = found[each.name].parts if each.name in found else ()
        found[each.name] = replace(found.get(each.name, each), parts=[*before, *each.parts])
    return list(found.values())


def verdict_section(facts: Sequence[Facts]) -> Section | None:
    """One run after the other; what decides between several comes first."""
    found = list[Element]()
    for each in sorted(facts, key=lambda each: not each.decides):
        alone = len(facts) == 1 or each.decides
        name = "" if alone else f"{each.name}: "
        found += [Paragraph(f"{name}{text}", lead=alone and not found) for text in each.verdicts]
        if each.warnings:
            found.append(Bullets(each.warnings))
    return Section("verdict", "Verdict", found) if found else None


def headed(facts: Sequence[Facts]) -> list[Section]:
    """The sections of each run, under its name where there are several."""
    if len(facts) == 1:
        return list(facts[0].sections)
    return [
        replace(section, parts=[Heading(each.name), *(numbered(part, number) for part in section.parts)])
        for number, each in enumerate(facts, start=1)
        for section in each.sections
    ]


def numbered(part: Element, number: int) -> Element:
    """The same; a drawing gets a name that no other run's has."""
    return replace(part, name=f"{number}-{part.name}") if isinstance(part, PageFigure) else part


def place(section: Section) -> int:
    """Before others, behind them, or between."""
    if section.name in FIRST:
        return FIRST.index(section.name) - len(FIRST)
    return 1 + LAST.index(section.name) if section.name in LAST else 0
