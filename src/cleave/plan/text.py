"""A plan for a person."""

from __future__ import annotations

from typing import Any

from cleave.data.report import report_lines
from cleave.free_memory import size_text

UNITS = ((120, 1, "s", 0), (7200, 60, "min", 0), (48 * 3600, 3600, "h", 1), (float("inf"), 86400, "d", 1))
"""(below so many seconds, seconds of the unit, the unit, digits)."""


def duration(seconds: float) -> str:
    """42 s, 3 min, 5.2 h, 2.1 d."""
    _, size, name, digits = next(unit for unit in UNITS if seconds < unit[0])
    return f"{seconds / size:.{digits}f} {name}"


def text(plan: dict[str, Any]) -> str:
    """A line for every phase, the total, the memory, the warnings."""
    memory = plan["memory"]
    free = "" if memory["available_bytes"] is None else f", {size_text(memory['available_bytes'])} free"
    rows = [("phase", "times", "epochs", "steps", "ms/step", "total"), *map(phase_row, plan["phases"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        [
            f"{plan['space']}, {plan['method']}, {plan['splitter']}: {networks_text(plan)}",
            *report_lines(plan["images"]),
            *("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows),
            "not timed" if plan["seconds"] is None else f"about {duration(plan['seconds'])} here, in one process",
            f"memory: {size_text(memory['step_bytes'])} for a step, {size_text(memory['peak_bytes'])} so far{free}",
            *(f"Warning: {warning}" for warning in plan["warnings"]),
        ]
    )


def networks_text(plan: dict[str, Any]) -> str:
    """How many supernets there are, and how many networks a weight step trains, each a pass over its mini-batch, where
    there are several."""
    networks = plan["networks_per_step"]
    each = f", {networks} networks in a weight step" if networks > 1 else ""
    return f"{plan['sub_supernets']} sub-supernets{each}"


def phase_row(phase: dict[str, Any]) -> tuple[str, ...]:
    counts = (str(phase["count"]), str(phase["epochs"] or ""), str(phase["steps"]))
    if phase["seconds"] is None:
        return (phase["name"], *counts, "", "")
    return (phase["name"], *counts, f"{1000 * phase['seconds_per_step']:.1f}", duration(phase["seconds"]))
