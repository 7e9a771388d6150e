"""A latency table, told to a person."""

from __future__ import annotations

from statistics import median
from typing import Any

AIM = (0.10, 0.95)
"""The median relative error of sums, and Spearman's rho, that a table is to have."""


def text(table: dict[str, Any], file: str) -> str:
    of, networks = table["of"], table["networks"]
    times = [each["milliseconds"] for each in networks]
    spread = median(each["spread"] / each["milliseconds"] for each in networks)
    versions = ", ".join(f"{package} {version}" for package, version in of["versions"].items())
    lines = [
        f"{file}: {len(table['units'])} blocks of {of['space']} on {of['device']}",
        f"{versions}; threads {of['threads']}, batch {of['batch']}, {of['resolution']} pixels",
        f"{len(networks)} random networks: {min(times):.3f} to {max(times):.3f} ms, rounds {spread:.1%} apart (median)",
        f"sum of blocks: {accuracy_text(table['sum'])}",
    ]
    correction = table["correction"]
    if correction["kind"] != "none":
        by = f"{correction['constant']:+.3f} ms" if correction["kind"] == "constant" else f"{correction['slope']:.3f}"
        told = accuracy_text(table["corrected"])
        lines.append(f"corrected by a {correction['kind']} of {by}, each network by all others: {told}")
    if not reached(table["corrected"]):
        lines.append(
            f"Warning: the aim is {AIM[0]:.0%} at most and {AIM[1]} at least; measure again where nothing else runs, "
            "or compare only networks that differ by more"
        )
    return "\n".join(lines)


def accuracy_text(accuracy: dict[str, Any]) -> str:
    rho = accuracy["spearman"]
    told = "undefined" if rho is None else f"{rho:.3f}"
    return f"off by {accuracy['median_relative_error']:.1%} (median), Spearman {told}"


def reached(accuracy: dict[str, Any]) -> bool:
    return accuracy["median_relative_error"] <= AIM[0] and (accuracy["spearman"] or 0) >= AIM[1]
