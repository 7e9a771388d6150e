"""What a run folder says, finished or not, without touching it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cleave.run.folder import check_run, read_json
from cleave.run.part_folder import last_event, last_events


def view(path: Path) -> dict[str, Any]:
    """A finished run's outcome as `cleave search` told it; else {"run", "status": "unfinished", "last", "parts",
    "seconds"}.

    `last` is the last event of what is finished, `parts` the last one of each node or architecture under way, by
    label; null before the first.
    """
    check_run(path)
    timing = path / "timing.json"
    seconds = read_json(timing)["seconds"] if timing.exists() else 0.0
    if (path / "result.json").exists():
        return {"run": str(path), **read_json(path / "result.json"), "seconds": seconds}
    return {
        "run": str(path),
        "status": "unfinished",
        "last": last_event(path / "events.jsonl"),
        "parts": last_events(path),
        "seconds": seconds,
    }
