"""An architecture as a drawing in text."""

from __future__ import annotations

import re


def draw(arch: str) -> str:
    """A cell written as `|op~source|...|+|...|` (one group per node), drawn node by node.

    An edge without connection (`none`) is left out.
    """
    groups = [re.findall(r"([^|~+]+)~(\d+)", group) for group in arch.split("+")]
    edges = [
        (int(source), target, operation)
        for target, group in enumerate(groups, start=1)
        for operation, source in group
        if operation != "none"
    ]
    lines = []
    for node in range(len(groups)):
        lines.append(node_name(node, len(groups)))
        leaving = [(target, operation) for source, target, operation in edges if source == node]
        for number, (target, operation) in enumerate(leaving, start=1):
            corner = "└" if number == len(leaving) else "├"
            lines.append(f"  {corner}─ {operation} ─▶ {node_name(target, len(groups))}")
    return "\n".join(lines)


def node_name(node: int, last: int) -> str:
    """The first node is the cell's input, the last its output."""
    return {0: "input", last: "output"}.get(node, f"node {node}")
