"""`python -m benchmarks`: exit 0 done, 1 the numbers differ, 2 the user's mistake, 130 interrupted."""

from __future__ import annotations

import os
import signal
import sys

# Waiting threads must not spin: where other work shares the cores it would be counted, and a multiple of the rest.
os.environ["OMP_WAIT_POLICY"] = "passive"

DONE, DIFFERENT, WRONG, INTERRUPTED = 0, 1, 2, 130


def main(arguments: list[str]) -> int:
    try:
        for number in (signal.SIGINT, signal.SIGTERM):  # even where a shell has its children ignore Ctrl-C
            signal.signal(number, signal.default_int_handler)
        return measure(arguments)
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)


def measure(arguments: list[str]) -> int:
    # Only now, since it takes seconds in which somebody may press Ctrl-C.
    from benchmarks.command import run
    from benchmarks.measure import Failed
    from cleave.errors import UserError

    try:
        run(arguments)
    except Failed as error:
        return complain(str(error), DIFFERENT)
    except UserError as error:
        return complain(str(error), WRONG)
    return DONE


def complain(message: str, status: int) -> int:
    print(f"benchmarks: {' '.join(message.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
