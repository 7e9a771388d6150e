"""A design for a person. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from cleave.run.mirror import known_as, resume_command


def lines(found: dict[str, Any]) -> list[str]:
    """The verdict, every network with its figures, what was chosen, and the next command; or how far it is."""
    run = known_as(Path(found["run"]))
    if found.get("status") == "unfinished":
        return [
            f"{run}: unfinished after {found['seconds']:.0f} s",
            f"go on with: {resume_command(Path(found['run']))}",
        ]
    verdict = found["verdict"]
    return [
        verdict["test"]["sentence"] if "test" in verdict else f"no verdict: {verdict['none']}",
        *table(found["networks"], found["chosen"]),
        f"to use: {found['chosen']}, the best on {found['chosen_by']}",
        *export_lines(found["export"]),
        f"{found['seconds']:.0f} of {found['time']:.0f} s; all of it is in {run}",
        *([f"as a page: {found['page']}"] if "page" in found else []),
        f"next: {next_command(found)}",
    ]


def table(networks: list[dict[str, Any]], chosen: str) -> list[str]:
    """A line for every network; the one that is used has a star."""
    width = max(len(each["name"]) for each in networks)
    head = f"  {'network':{width}}  held out  test (95 % interval)     ms   multiply-adds  epochs"
    return [head, *(f"{'*' if each['name'] == chosen else ' '} {row(each, width)}" for each in networks)]


def row(network: dict[str, Any], width: int) -> str:
    test = network["test"]
    told = "" if test is None else "{:.2f} % ({:.1f} to {:.1f})".format(test["accuracy"], *test["interval"])
    held = network["held_out"]["accuracy"]
    costs = f"{network['latency_ms']:5.2f}  {network['multiply_adds']:14,}  {network['epochs']:6}"
    return f"{network['name']:{width}}  {held:6.2f} %  {told:22}  {costs}"


def export_lines(card: dict[str, Any]) -> list[str]:
    if "error" in card:
        return [f"not exported: {card['error']}"]
    agreed = ", ".join(card["formats"])
    return [f"exported as {agreed}, checked on {card['check']['images']} images"]


def next_command(found: dict[str, Any]) -> str:
    """What a person may do now."""
    if "error" in found["export"]:
        return f"cleave export {quote(known_as(Path(found['run'])))} --out my-export"
    return f"cleave predict {quote(found['run'] + '/' + found['export']['folder'])} IMAGE..."
