"""The command `python -m benchmarks`."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import NoReturn

from benchmarks.catalogue import WORKS
from benchmarks.measure import Numbers, measured
from benchmarks.report import report, show
from cleave.errors import UserError, refuse_repeats, unknown

SIZES = ("paper", "short")


class Parser(ArgumentParser):
    """One that complains in one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def parse(arguments: list[str]) -> Namespace:
    parser = Parser(prog="python -m benchmarks", description="cleave against the published way, in turn.")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=list(WORKS), help=", ".join(WORKS))
    parser.add_argument("--size", default="paper", help="paper: as NAS-Bench-201 is searched; short: seconds")
    parser.add_argument("--repeats", type=int, metavar="N", help="default: 5, 1 of what takes minutes, 2 if short")
    parser.add_argument("--threads", type=int, nargs="+", metavar="N", help="default: 1 2; with --size short: 1")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")
    given = parser.parse_args(arguments)
    check(given)
    given.threads = given.threads or ([1] if given.size == "short" else [1, 2])
    return given


def check(given: Namespace) -> None:
    """UserError for what is no name, no size or no number of anything, or is there twice."""
    refuse_repeats("--only", given.only)
    refuse_repeats("--threads", given.threads or ())
    for name in given.only:
        if name not in WORKS:
            raise unknown("--only", name, WORKS)
    if given.size not in SIZES:
        raise unknown("--size", given.size, SIZES)
    if given.repeats is not None and given.repeats < 1:
        raise UserError(f"--repeats {given.repeats}: give 1 or more")
    if given.threads and min(given.threads) < 1:
        raise UserError(f"--threads {min(given.threads)}: give 1 or more")


def run(arguments: list[str]) -> None:
    """Measures and tells; UserError and Failed are for the caller."""
    given = parse(arguments)
    found = report(given.size, [one(name, threads, given) for name in given.only for threads in given.threads])
    if given.json:
        print(json.dumps(found, allow_nan=False))
    else:
        show(found)


def one(name: str, threads: int, given: Namespace) -> Numbers:
    print(f"{name}, {threads} thread{'s' * (threads > 1)}", file=sys.stderr, flush=True)
    return measured(name, given.size, threads, given.repeats)
