"""One of several processes that train a network: see `cleave.retrain.gang`, which starts it and listens to it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cleave.engine.progress import Callbacks
from cleave.engine.stop import SignalStop
from cleave.engine.told import note_of
from cleave.engine.worker_process import Teller
from cleave.errors import Interrupted, UserError
from cleave.process import DONE, WRONG, run_process
from cleave.retrain.gang import PROGRAM
from cleave.retrain.runner import one_of_several
from cleave.signals import INTERRUPTED


def tell(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


def main(arguments: list[str]) -> int:
    """One of them, from its start; the first one reads and writes the folder and tells."""
    run, device = arguments
    first = os.environ.get("RANK", "0") == "0"
    looking_on = [Teller(lambda news: tell(note_of(news)))] if first else []
    try:
        one_of_several(Path(run), device, Callbacks(looking_on, SignalStop()))
    except Interrupted:
        if first:
            tell({"interrupted": True})
        return INTERRUPTED
    except UserError as error:
        if first:
            tell({"mistake": str(error)})
        return WRONG
    return DONE


if __name__ == "__main__":
    run_process(PROGRAM, main)
