"""What a job of SLURM's does: one task, or what is left of it.

submitit runs it and hears SLURM's signals in the main thread. The task is done in a thread beside, so that it can be
asked to stop and save while a signal is handled. Nothing here loads torch before that: signals have to be heard soon.
"""

from __future__ import annotations

import pickle
import signal
import threading
import time
import traceback
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from cleave.engine.progress import Progress
from cleave.engine.slurm_notes import BEAT, Heard, Notes, notes_of
from cleave.engine.stop import Stop
from cleave.engine.told import News
from cleave.errors import Interrupted, UserError

LOOK_SECONDS = 0.5
"""How long a request to stop may wait until a job looks up."""
TELL_SECONDS = 2.0
"""At least so long between two signs of life."""
BARREN = 3
"""So many lives of a job in succession may end before it took a step."""


class SlurmTask:
    """A task for one job. `folder`: what the run and its jobs share; `place`: where the run was started.

    Called, it gives the task's answer as bytes. `barren`: how many lives of the job ended before it took a step.
    """

    def __init__(self, folder: Path, number: int, place: str, task: bytes, barren: int = 0) -> None:
        self.folder, self.number, self.place, self.task, self.barren = folder, number, place, task, barren
        self.stop = Stop()
        self.stepped = self.terminated = self.interrupted = False
        self.answer: bytes | None = None

    def __call__(self) -> bytes:
        signal.signal(signal.SIGTERM, self._terminate)
        heard = Heard(self.folder / BEAT)
        if heard.to_stop:  # it stood in the queue until its run was gone
            return pickle.dumps(Interrupted())
        threading.Thread(target=self._work, daemon=True).start()
        while self.answer is None or (self.terminated and self.interrupted and not heard.to_stop):
            time.sleep(LOOK_SECONDS)
            self.stop.requested = self.stop.requested or heard.to_stop
        return self.answer

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        """SLURM is about to kill the job: all is saved, and whether it lives again is not for it to say."""
        self.terminated = self.stop.requested = True

    def checkpoint(self) -> Any:  # noqa: ANN401  submitit calls it before it puts the job back into the queue
        """What the next life of the job does; None where there is to be none."""
        from submitit.helpers import DelayedSubmission

        self.stop.requested = True
        while self.answer is None:
            time.sleep(LOOK_SECONDS / 10)
        barren = 0 if self.stepped else self.barren + 1
        if barren == BARREN:
            return None
        return DelayedSubmission(SlurmTask(self.folder, self.number, self.place, self.task, barren))

    def _work(self) -> None:
        try:
            answer = self._answer()
        except Exception:  # a mistake of ours, told where the run is
            answer = RuntimeError(traceback.format_exc())
        self.interrupted = isinstance(answer, Interrupted)
        self.answer = pickle.dumps(answer)

    def _answer(self) -> object:
        from cleave.engine.job import performed
        from cleave.engine.packing import opened
        from cleave.engine.slurm_files import read_job
        from cleave.engine.worker_process import Teller, answered, prepare

        try:
            job = opened(self.place, *read_job(self.folder))
        except UserError as error:
            return error
        prepare(job)
        teller = Teller(self._tell, TELL_SECONDS)
        answer = answered(partial(performed, job, pickle.loads(self.task), self.stop, teller))
        teller.catch_up()
        return answer

    def _tell(self, told: News) -> None:
        self.stepped = self.stepped or isinstance(told, Progress)
        Notes(notes_of(self.folder, self.number)).write(told)
