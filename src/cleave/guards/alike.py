"""Candidates that a criterion does not tell apart: what they are divided into says nothing then."""

from __future__ import annotations

from cleave.guards.guard import Guard, NodeSplit, guard

ROUNDING = 1e-12
"""What is closer, relatively, differs by the rounding of float64 sums alone."""


@guard("alike")
class Alike(Guard):
    """A choice that was split although each two of its candidates are as alike as any other two."""

    def at_split(self, split: NodeSplit) -> str | None:
        values = [value for i, row in enumerate(split.similarities) for value in row[:i]]
        if len(split.similarities) <= split.groups or max(values) - min(values) > ROUNDING * max(map(abs, values)):
            return None
        return (
            f"each two candidates of {split.choice}, which was split, are as alike as any other two by "
            f"split.splitter={split.splitter}, so that its groups say nothing; use another splitter or other candidates"
        )
