"""`python -m benchmarks`: exit 0 done, 1 the numbers differ, 2 the user's mistake, 130 interrupted."""

from __future__ import annotations

import os
from functools import partial

from cleave.process import DONE, WRONG, complain, run_process
from cleave.signals import INTERRUPTED, hearing, interrupting

# Waiting threads must not spin: where other work shares the cores it would be counted, and a multiple of the rest.
os.environ["OMP_WAIT_POLICY"] = "passive"

DIFFERENT = 1

tell_error = partial(complain, "benchmarks")


def main(arguments: list[str]) -> int:
    try:
        with hearing(interrupting("benchmarks")):
            return measure(arguments)
    except KeyboardInterrupt:
        return tell_error("interrupted", INTERRUPTED)


def measure(arguments: list[str]) -> int:
    # Only now, since it takes seconds in which somebody may press Ctrl-C.
    from benchmarks.command import run
    from benchmarks.measure import Failed
    from cleave.errors import UserError

    try:
        run(arguments)
    except Failed as error:
        return tell_error(str(error), DIFFERENT)
    except UserError as error:
        return tell_error(str(error), WRONG)
    return DONE


if __name__ == "__main__":
    run_process("benchmarks", measure)
