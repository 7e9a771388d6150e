"""A finished search as one page of HTML that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cleave.report import Bullets, CodeBlock, Element, Page, PageFigure, PageTable, Paragraph, Section
from cleave.search.drawn import Drawn
from cleave.search.judging import judged_by


def page(told: Mapping[str, Any], drawn: Drawn) -> Page:
    """`told` is what `cleave show --json` prints."""
    sections = [architecture(told, drawn), trust(told["trust"]), leaves(told), *splits(told["splits"])]
    return Page(f"Search in {told['space']}", opening(told), sections)


def opening(told: Mapping[str, Any]) -> list[Paragraph]:
    what = f"{told['method']}, {told['splitter']}, seed {told['seed']}"
    return [Paragraph(f"{what}; {told['seconds']:.0f} s."), Paragraph(told["trust"]["verdict"])]


def architecture(told: Mapping[str, Any], drawn: Drawn) -> Section:
    chosen = told["chosen"]
    accuracy = f"Leaf {chosen['path']}, held-out accuracy {chosen['valid_accuracy']:.2f} %"
    figure = PageFigure("architecture", drawn.svg(), "The chosen architecture; dashed edges hand on what they get.")
    judged = f"; {judged_by(told['judged_by'])}" if "judged_by" in told else ""  # not in earlier versions' runs
    balanced = f"balanced {chosen['valid_balanced_accuracy']:.2f} %"
    told_as: list[Element] = [Paragraph(f"{accuracy}, {balanced}{judged}."), figure]
    return Section("architecture", "Chosen architecture", [*told_as, CodeBlock(chosen["arch"])])


def trust(report: Mapping[str, Any]) -> Section:
    facts = (
        f"{report['held_out_images']} held-out images; the most frequent class alone: {report['majority_share']:.2f} %."
    )
    warnings = [Bullets(report["warnings"])] if report["warnings"] else []
    return Section("trust", "How far to trust it", [Paragraph(report["verdict"]), Paragraph(facts), *warnings])


def leaves(told: Mapping[str, Any]) -> Section:
    intervals = {leaf["path"]: leaf["interval"] for leaf in told["trust"]["leaves"]}
    rows = [
        (
            leaf["path"],
            f"{leaf['valid_accuracy']:.2f}",
            "{:.1f} to {:.1f}".format(*intervals[leaf["path"]]),
            leaf["arch"],
        )
        for leaf in told["leaves"]
    ]
    head = ("leaf", "held out, %", "95 % interval", "architecture")
    return Section("leaves", "Leaves", [PageTable("What each leaf came to", head, rows)])


def splits(found: list[dict[str, Any]]) -> list[Section]:
    if not found:
        return []
    rows = [
        (
            split["leaf"],
            split["choice"],
            " | ".join(", ".join(group) for group in split["groups"]),
            "" if split["cut"] is None else f"{split['cut']:.3f}",
        )
        for split in found
    ]
    table = PageTable("Which choice was split where", ("leaf", "choice", "groups", "cut"), rows)
    return [Section("splits", "Splits", [table])]
