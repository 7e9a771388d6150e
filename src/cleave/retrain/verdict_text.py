"""A verdict for a person. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from cleave.data.copies_text import seen_warnings


def print_verdict(found: dict[str, Any]) -> None:
    print(*verdict_lines(found), sep="\n")


def verdict_lines(found: dict[str, Any]) -> list[str]:
    """What there is to say, the figures network by network, and which one to use."""
    test, used = found["test"], found["chosen"] or found["runs"][0]["run"]
    return [
        test["sentence"],
        f"test accuracy, % of {test['images']} images of {found['data']}, by how much ours is above (95 % intervals),",
        f"p of McNemar's test, corrected for the number of comparisons (Holm): {len(test['comparisons'])}",
        *table(["network", "accuracy", "ours above by", "p"], rows(test)),
        *table(["network", "held-out", "multiply-adds", "parameters"], list(map(cost_row, found["runs"]))),
        *(f"Warning: {line}" for line in seen_warnings(found["copies"], test["images"])),
        choice(found),
        f"hand it over: cleave export {quote(used)} --out {quote(used + '-export')}",
    ]


def rows(test: Mapping[str, Any]) -> list[list[str]]:
    """Of the networks on test images; where classes are unequal, each with a row of the means over the classes."""
    found = []
    for each, compared in zip(test["networks"], [None, *test["comparisons"]], strict=True):
        p = f"{compared['p_corrected']:.3g}" if compared else ""
        found.append([each["name"], figure(each["accuracy"], each["interval"]), gain(compared, ""), p])
        if test["unequal"]:
            found.append(["  classes alike", f"{each['balanced_accuracy']:.2f}", gain(compared, "balanced_"), ""])
    return found


def figure(value: float, interval: Sequence[float]) -> str:
    return "{:.2f} ({:.1f} to {:.1f})".format(value, *interval)


def gain(compared: Mapping[str, Any] | None, kind: str) -> str:
    """By how much ours is above; nothing for ours."""
    if compared is None:
        return ""
    return "{:+.2f} ({:+.1f} to {:+.1f})".format(compared[f"{kind}difference"], *compared[f"{kind}interval"])


def cost_row(run: Mapping[str, Any]) -> list[str]:
    held = run["held_out"]
    accuracy = "" if held is None else f"{held['accuracy']:.2f}"
    return [run["name"], accuracy, f"{run['multiply_adds']:,}", f"{run['parameters']:,}"]


def table(head: list[str], lines: list[list[str]]) -> list[str]:
    """Columns as wide as they have to be, all but the first flush right."""
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    return [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in (head, *lines)
    ]


def choice(found: Mapping[str, Any]) -> str:
    if found["chosen"] is None:
        return "none is chosen: not all have held-out images, or they are not the same ones"
    name = next(each["name"] for each in found["runs"] if each["run"] == found["chosen"])
    return f"to use: {name} ({found['chosen_by']})"
