"""What a run folder says, finished or not, without touching it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cleave.run.events import Events
from cleave.run.folder import check_run, read_json


def view(path: Path) -> dict[str, Any]:
    """A finished run's outcome as `cleave search` told it; else {"run", "status": "unfinished", "last", "seconds"}.

    `last` is the last event, or null before the first.
    """
    check_run(path)
    timing = path / "timing.json"
    seconds = read_json(timing)["seconds"] if timing.exists() else 0.0
    if (path / "result.json").exists():
        return {"run": str(path), **read_json(path / "result.json"), "seconds": seconds}
    events = Events.read(path / "events.jsonl") if (path / "events.jsonl").exists() else []
    return {
        "run": str(path),
        "status": "unfinished",
        "last": events[-1] if events else None,
        "seconds": seconds,
    }
