"""What a design tells: its networks side by side, then its search and each training as these tell themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from cleave.pages.facts import Facts, Standing
from cleave.pages.kinds import Asked, kind, told_by
from cleave.pages.verdicts import comparison_section, held_out_standing, judged_by_test
from cleave.report import PageTable, Section
from cleave.run.origin import DESIGN, holds, read_origin
from cleave.run.resumable import unfinished
from cleave.run.view import view


def is_design(path: Path) -> bool:
    return holds(path, DESIGN)


@kind(DESIGN, is_design)
def of_design(path: Path, name: str, asked: Asked) -> Sequence[Facts]:
    told = view(path, DESIGN)
    if told.get("status") == "unfinished":
        raise unfinished(path)
    verdict = told["verdict"]
    test, before = verdict.get("test"), f"{name}: " * asked.several
    whole = Facts(
        name,
        f"Design for {told['data']}",
        summary=[f"{told['seconds']:.0f} of {told['time']:.0f} s, seed {told['seed']}; {limits(told['limits'])}"],
        verdicts=[used(told), test["sentence"] if test else f"No verdict: {verdict['none']}."],
        standings=[replace(each, name=before + each.name) for each in standings(told)],
        costs={"seconds": told["seconds"]},
        environment=told.get("environment") or read_origin(path, DESIGN).environment,
        used=["test mcnemar"] if test else [],
        sections=[*([comparison_section(test)] if test else []), network_section(told["networks"])],
        decides=True,
    )
    searches = [] if told["search"] is None else told_by(path / told["search"], f"{name}: search", asked)
    trainings = [told_by(path / each["run"], before + each["name"], asked) for each in told["networks"]]
    return [whole, *(replace(each, verdicts=()) for each in chain(searches, *trainings))]


def limits(given: Mapping[str, Any]) -> str:
    """What networks may cost at most."""
    known = [f"{key} at most {value:g}" for key, value in given.items() if isinstance(value, int | float)]
    return ", ".join(known) or "no limits"


def used(told: Mapping[str, Any]) -> str:
    export = told["export"]
    what = f"not exported: {export['error']}" if "error" in export else f"exported as {', '.join(export['formats'])}"
    return f"To use: {told['chosen']}, the best on {told['chosen_by']}; {what}."


def standings(told: Mapping[str, Any]) -> Iterator[Standing]:
    """By test images first, then by held-out ones."""
    test = told["verdict"].get("test")
    for each in told["networks"]:
        if test and each["test"] is not None:
            low, high = each["test"]["interval"]
            judged = judged_by_test(test["images"], told["data"])
            yield Standing(each["name"], judged, each["test"]["accuracy"], (low, high), **costs_of(each, told))
    for each in told["networks"]:
        if each["held_out"] is not None:
            yield held_out_standing(each["name"], each["held_out"], told["data"], **costs_of(each, told))


def costs_of(network: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    counts = {key: network[key] for key in ("multiply_adds", "parameters", "seconds")}
    return {**counts, "milliseconds": network["latency_ms"], "chosen": network["name"] == told["chosen"]}


def network_section(networks: Sequence[Mapping[str, Any]]) -> Section:
    """How each was trained."""
    rows = [
        (each["name"], "a search" if each["ours"] else "published, or drawn", each["recipe"], each["epochs"])
        for each in networks
    ]
    table = PageTable("In the order of their held-out accuracies, ours first", ("", "from", "recipe", "epochs"), rows)
    return Section("networks", "The networks", [table])
