"""What a run folder says, finished or not, without touching it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cleave.run.events import Mark, checked, parsed
from cleave.run.folder import EVENTS, LATENCY, RESULT, TIMING, RunFiles, Saved
from cleave.run.origin import CHECKPOINTS, SEARCH, check_begun, is_as_written, newest_meta, read_origin
from cleave.run.outcome import altered, check_written
from cleave.run.reading import Shape, Timing, is_there, read_file, read_json, shaped
from cleave.run.task_folder import last_event, last_events


class KeptResult(Shape):
    """Of a run's checkpoint, the identities of saved weights."""

    kept: dict[str, str]


def view(path: Path, kind: str = SEARCH) -> dict[str, Any]:
    """A finished run's outcome as its command told it; else {"run", "status": "unfinished", "last", "parts",
    "seconds"}.

    `last` is the last event of what is finished, `parts` the last one of each node or architecture under way, by
    label; null before the first. UserError where the outcome is not as it was written.
    """
    check_begun(path, kind)
    timing = path / TIMING
    if is_finished(path):
        check_written(path, newest_saved(path)["finished"], (RESULT, TIMING))
        measured = {"measured": read_json(path / LATENCY)} if is_there(path / LATENCY) else {}
        return {
            "run": str(path),
            **read_json(path / RESULT),
            **measured,
            "seconds": read_json(timing, Timing)["seconds"],
        }
    return {
        "run": str(path),
        "status": "unfinished",
        "last": last_event(path / EVENTS),
        "parts": last_events(path),
        "seconds": read_json(timing, Timing)["seconds"] if is_there(timing) else 0.0,
    }


def is_finished(path: Path) -> bool:
    """Whether there is an outcome; it may have been altered since."""
    return is_there(path / RESULT)


def is_whole(path: Path, say: Callable[[str], None], kind: str = SEARCH) -> bool:
    """Whether a run is finished and all that it left is as it was written; `say` gets a line for what is not.

    UserError where that cannot be made again.
    """
    if not is_finished(path):
        return False
    meta, origin = newest_saved(path), read_origin(path, kind)
    if meta["finished"] is None:
        return False
    more = len(read_file(path / EVENTS)) - len(checked(path / EVENTS, Mark(**meta["events"])))
    if more:
        say(f"{path / EVENTS}: {more} bytes were added behind its end; they are cut off")
        return False
    kept = shaped(path / CHECKPOINTS, KeptResult, meta["search"])["kept"]
    RunFiles(path, origin.identity).check_leaves(kept)
    odd = list(altered(path, meta["finished"], list(meta["finished"])))
    for name in odd:
        say(f"{path / name}: is not as it was written; it is made again")
    return not odd and all(is_as_written(path / name, data) for name, data in origin.files().items())


def events_of(path: Path) -> list[dict[str, Any]]:
    """All events of a finished run, oldest first; Damaged where they are not as they were written."""
    data = checked(path / EVENTS, Mark(**newest_saved(path)["events"]))
    return parsed(path / EVENTS, data)


def newest_saved(path: Path) -> dict[str, Any]:
    """What the newest checkpoint of a run says."""
    return shaped(path / CHECKPOINTS, Saved, newest_meta(path))
