"""Rankings by statistics that do not fit."""

from __future__ import annotations

from cleave.guards.guard import Guard, RunOpened, guard

BATCH = "batch"
"""Statistics that are not recalibrated: those of each held-out batch."""


@guard("statistics")
class RankedByBatch(Guard):
    """Architectures whose statistics of normalisations are never recalibrated before they are ranked, where the method
    or the space asks for that."""

    def at_opening(self, run: RunOpened) -> str | None:
        if run.ranked_by != BATCH or run.asked in (None, BATCH):
            return None
        return (
            "architectures are ranked by the statistics of each held-out batch, where the method or the space asks for "
            f"recalibrated ones ({run.asked}), so that the ranking may be wrong; leave out what says so "
            "(search.statistics, --recalibrate 0)"
        )
