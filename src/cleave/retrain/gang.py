"""Several processes of this machine that train one network, started by torchrun and heard through its output.

Each is `python -m cleave.retrain.gang_command RUN DEVICE`. The process that starts them holds the run folder.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.engine.told import news_of, pass_on
from cleave.errors import Interrupted, UserError

LOOK_SECONDS = 0.1
GRACE_SECONDS = 60.0
"""For which all of them have to save, and end."""
PROGRAM = "cleave.retrain.gang_command"


def train_together(run: Path, processes: int, device: str, stop: Stop, callback: Callback) -> None:
    """Goes on with a training in so many processes until it is finished.

    Raises Interrupted, with everything saved, where asked to stop; UserError for what the user can correct.
    """
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    words = [sys.executable, "-m", *torchrun, "-m", PROGRAM, str(run), device]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as group:
        try:
            said = heard(group, stop, callback)
        finally:
            kill(group)
    if said.get("interrupted"):
        raise Interrupted
    if "mistake" in said:
        raise UserError(said["mistake"])
    if group.returncode:
        raise UserError(
            f"one of the {processes} processes of the training ended with exit status {group.returncode}: "
            f"{said['last'] or 'it said nothing'}; `cleave resume` goes on from the last checkpoint"
        )


def heard(group: subprocess.Popen[str], stop: Stop, callback: Callback) -> dict[str, Any]:
    """What the first of them says in the end, passed on what it says before; asks all to stop where that is asked."""
    last, told = list[str](), dict[str, Any]()

    def listen() -> None:
        assert group.stdout is not None
        for line in group.stdout:
            note = json.loads(line)
            news = news_of(note)
            if news is None:
                told.update(note)
            else:
                pass_on(news, callback)

    def keep() -> None:
        assert group.stderr is not None
        for line in group.stderr:
            last[:] = [line.strip()] if line.strip() else last

    threads = [Thread(target=listen, daemon=True), Thread(target=keep, daemon=True)]
    for thread in threads:
        thread.start()
    asked = False
    while True:
        try:
            group.wait(GRACE_SECONDS if asked else LOOK_SECONDS)
            break
        except subprocess.TimeoutExpired:
            if asked:
                raise UserError(f"the processes of the training did not end within {GRACE_SECONDS:g} seconds") from None
        try:
            stop.check()
        except Interrupted:
            asked = True
            os.killpg(group.pid, signal.SIGTERM)
    for thread in threads:
        thread.join()
    return {**told, "last": "".join(last)}


def kill(group: subprocess.Popen[str]) -> None:
    """Whatever is left of them."""
    with suppress(ProcessLookupError):
        os.killpg(group.pid, signal.SIGKILL)
