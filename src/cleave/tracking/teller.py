"""Tells one tracker of a run, in a process of its own: `python -m cleave.tracking.teller NAME RUN`.

It reads what the run writes into its folder, and ends soon after its standard input has ended. Whatever a tracker does
here, whether it prints, waits or crashes, the run has no part in it. The exit status is 0; or not, with the reason in
the last line of standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from select import select

from cleave.tracking import state
from cleave.tracking.points import Following, flat, outcome_of
from cleave.tracking.trackers import KINDS, Tracked

EVERY = 2.0
"""Seconds after which it looks again."""


def tell(name: str, run: Path, ended: Callable[[], bool]) -> None:
    """Tells a tracker all that it does not know yet, until the run has ended; raises whatever the tracker does."""
    kept = state.read(run, name)
    tracker = KINDS[name](Tracked(run, flat(kept.settings), kept.id))
    kept.id = tracker.id
    state.keep(run, name, kept)
    following = Following(run, kept.told)
    last = False
    while not last:
        last = ended()
        for point in following.new():
            state.keep(run, name, kept)  # first, so that nothing is ever told twice
            tracker.tell(point)
    tracker.finish(outcome_of(run))


def ended_here() -> bool:
    """Waits a little; whether standard input has ended meanwhile."""
    return bool(select([sys.stdin], [], [], EVERY)[0])


def main(name: str, run: str) -> int:
    if find_spec(name) is None:
        print(f"is not installed here (pip install {name})", file=sys.stderr)
        return 1
    try:
        tell(name, Path(run), ended_here)
    except Exception as error:  # a tracker may raise anything
        print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
