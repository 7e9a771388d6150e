"""What a search tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from cleave.costing import of_run_folder
from cleave.describe import sized
from cleave.extensions import is_entry
from cleave.net.cost import cost_alone
from cleave.pages.branch import Tree, is_above, paths_of
from cleave.pages.drawings import architecture_section
from cleave.pages.facts import Curve, Facts, Standing
from cleave.pages.kinds import Asked, kind
from cleave.pages.splits import split_sections
from cleave.pages.strengths import strength_sections
from cleave.pages.verdicts import judged_by_held_out
from cleave.report import Bullets, Element, PageTable, Paragraph, Section, Series
from cleave.result import read_result
from cleave.run.alarm import alarm_lines
from cleave.run.origin import SEARCH, holds, read_origin
from cleave.run.view import events_of
from cleave.search.drawn import of_run
from cleave.search.halving import scope_label
from cleave.terminal import FIGURES, begin_lines, chosen_lines, figure_text, how

COSTS = {
    "weight_steps": "weight steps",
    "arch_steps": "architecture steps",
    "split_passes": "passes to compare candidates",
    "retrain_steps": "steps of retraining",
    "eval_images": "images judged",
}
"""What is counted of a search, for people."""
CHARTS = {"loss": "training loss", "accuracy": "training accuracy, %,"}
"""By what events have."""


def is_search(path: Path) -> bool:
    return holds(path, SEARCH)


@kind(SEARCH, is_search)
def of_search(path: Path, name: str, asked: Asked) -> Sequence[Facts]:
    origin = read_origin(path, SEARCH)
    space = asked.space if is_entry(origin.recipe["space"]["name"]) else None
    drawn, result = of_run(path, space), read_result(path)
    told, events = result.to_json(), events_of(path)
    chosen = told["chosen"]["path"]
    lines = [Bullets([line.strip() for line in chosen_lines(told).splitlines()])]
    return [
        Facts(
            name,
            f"Search in {told['space']}",
            summary=[how(told), *begin_lines(told)],
            verdicts=[told["trust"]["verdict"]],
            warnings=[*told["trust"]["warnings"], *alarm_lines(told.get("guards", []))],
            standings=standings(path, name, told, space),
            curves=curves(name, events, result.tree, chosen),
            costs={"seconds": told["seconds"], **named_costs(told["cost"])},
            environment=origin.environment,
            used=used(told, origin.recipe["data"]["name"]),
            sections=[
                *architecture_section(drawn, lines),
                trust_section(told["trust"]),
                *split_sections(told, result.tree),
                leaf_section(told),
                *strength_sections(events, result.tree, drawn.arch, chosen),
            ],
        )
    ]


def used(told: Mapping[str, Any], data: str) -> list[str]:
    """What is to be cited."""
    kinds = {"method": told["method"], "splitter": told["splitter"], "space": told["space"], "data": data}
    by = [f"selection {told['selection']['by']}"] if "selection" in told else []  # not in earlier versions' runs
    steps = [f"hook {name}" for name in told.get("hooks", ())]
    if "sampler" in told:
        steps.append(f"sampler {told['sampler']}")
    return [*(f"{what} {name}" for what, name in kinds.items()), *steps, *by]


def named_costs(cost: Mapping[str, int]) -> dict[str, int]:
    return {COSTS.get(key, key): count for key, count in cost.items() if count}


def standings(path: Path, name: str, told: Mapping[str, Any], space: str | None) -> list[Standing]:
    """The leaves' networks as the search judged them, each with what it costs at the search's size."""
    raw, _ = of_run_folder(path, space)
    networks = sized(raw)
    trust, data = told["trust"], read_origin(path, SEARCH).recipe["data"]["name"]
    judged = f"{judged_by_held_out(trust['held_out_images'], data)}, by weights of the search"
    intervals = {leaf["path"]: leaf["interval"] for leaf in trust["leaves"]}
    found = []
    for leaf in told["leaves"]:
        arch = networks.space.parse(leaf["arch"])
        cost = cost_alone(networks.layout, arch, networks.image, networks.classes)
        low, high = intervals[leaf["path"]]
        chosen = leaf["path"] == told["chosen"]["path"]
        measured = (told.get("measured") or {}).get("milliseconds") if chosen else None
        counts = (cost.multiply_adds, cost.parameters, measured)
        leaf_name = f"{name}, leaf {leaf['path']}"
        found.append(Standing(leaf_name, judged, leaf["valid_accuracy"], (low, high), *counts, chosen=chosen))
    return found


def curves(name: str, events: Sequence[Mapping[str, Any]], tree: Tree, chosen: str) -> list[Curve]:
    """Of each node behind those above it, and of each retrained network; strong on the way to what was chosen."""
    nodes = dict[str, list[Mapping[str, Any]]]()
    for event in events:
        if event["kind"] == "epoch":
            nodes.setdefault(event["leaf"], []).append(event)
    paths = paths_of(tree)
    ends = {paths[leaf]: epochs[-1]["epoch"] for leaf, epochs in nodes.items() if leaf in paths}
    strong = {leaf for leaf, path in paths.items() if is_above(path, paths[chosen])} | {scope_label(chosen)}
    found = []
    for (key, chart), (leaf, epochs) in product(CHARTS.items(), nodes.items()):
        what = "in the tree" if leaf in paths else "of retrained networks"
        above = [end for path, end in ends.items() if leaf in paths and is_above(path, paths[leaf], itself=False)]
        points = [(sum(above) + each["epoch"], each[key]) for each in epochs if each.get(key) is not None]
        found.append(Curve(f"{name}: {chart} {what}", Series(leaf, points, leaf in strong)))
    return found


def trust_section(report: Mapping[str, Any]) -> Section:
    majority = f"the most frequent class alone: {report['majority_share']:.2f} %"
    facts = [Paragraph(f"{report['held_out_images']} held-out images; {majority}.")]
    return Section("trust", "How far to trust it", [*facts, signs(report), *control(report["control"])])


def signs(report: Mapping[str, Any]) -> Element:
    """How settled each leaf is."""
    keys = {"s_tau": "stability (S-Tau)", "entropy": "entropy of the weights", "skip_share": "skip connections"}
    rows = [
        (leaf["path"], *("" if leaf[key] is None else f"{leaf[key]:.2f}" for key in keys)) for leaf in report["leaves"]
    ]
    return PageTable("Signs in each leaf, as shares of 1", ["leaf", *keys.values()], rows)


def control(found: Mapping[str, Any] | None) -> list[Element]:
    """The chosen architecture among random ones."""
    if found is None:
        return []
    spread = "" if found["sd"] is None else f" ± {found['sd']:.2f}"
    rows = [
        ("chosen, trained alone", f"{found['chosen_accuracy']:.2f} %"),
        (f"{found['architectures']} random ones, trained alone", f"{found['mean']:.2f}{spread} %"),
        ("best of these", f"{found['random_search']['valid_accuracy']:.2f} %"),
        ("at least as good as the chosen", str(found["at_least_as_good"])),
        ("p", f"{found['p_value']:.2f}"),
        ("epochs each", str(found["epochs"])),
        ("passes of the search, of the control", f"{found['search_passes']:,}, {found['control_passes']:,}"),
    ]
    return [PageTable("Against random architectures, on held-out images", (), rows)]


def leaf_section(told: Mapping[str, Any]) -> Section:
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
    table = PageTable("What each leaf came to", head, rows)
    choice = told.get("selection")  # not in earlier versions' runs
    return Section("leaves", "Leaves", [table, *([*halving(choice), ways(choice)] if choice else [])])


def halving(selection: Mapping[str, Any]) -> list[Element]:
    """Held-out accuracy rung by rung; those that were dropped have none from there on."""
    rungs = {leaf["path"]: leaf["retrained"] or [] for leaf in selection["leaves"]}
    longest = max(rungs.values(), key=len)
    if not longest:
        return []
    head = ["leaf", *(f"{rung['epochs']} epoch{'s' * (rung['epochs'] > 1)}" for rung in longest)]
    rows = [
        (path, *(f"{rung['valid_accuracy']:.2f}" for rung in found), *[""] * (len(longest) - len(found)))
        for path, found in rungs.items()
    ]
    return [PageTable("Halving: held-out accuracy of the retrained networks, %", head, rows)]


def ways(selection: Mapping[str, Any]) -> Element:
    """The leaf that each way would choose."""
    leaves = {leaf["path"]: leaf for leaf in selection["leaves"]}
    rows = [
        (f"{what}{' (this choice)' * (way == selection['by'])}", path, figure_text(written, leaves[path]))
        for way, (what, written) in FIGURES.items()
        if (path := selection["chosen"][way]) is not None
    ]
    return PageTable("Which leaf each way would choose", ("by", "leaf", "held out"), rows)
