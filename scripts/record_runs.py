#!/usr/bin/env python3
"""Did a change change a number? Records small runs of one checkout, and compares two records of one machine.

    python scripts/record_runs.py record FOLDER          # of the checkout that `import cleave` finds; some minutes
    python scripts/record_runs.py compare BEFORE AFTER   # exit 1 and the first differences where they are not equal

Recorded are seeded losses, split trees, similarities, results and the looks of studies: every method with every
splitter on NAS-Bench-201 and cells64, options that no pair has, and every sharing policy of the study. Runs are made by
the command line alone, so that the record outlives changes of what is behind it. Equal means to the last bit, on one
machine: another processor rounds otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TINY = {
    "data.limit": 96, "data.image_size": 8, "space.channels": 2, "search.batch_size": 32, "search.epochs": 2,
    "search.snapshots": 2, "trust.control": 2, "trust.panel": 3, "threads": 1, "device": "cpu",
}  # fmt: skip
SPACES = {"nasbench201": {}, "cells64": {"data.image_size": 16}}
METHODS: dict[str, dict[str, Any]] = {
    "darts": {}, "darts2": {}, "snas": {}, "gdas": {}, "drnas": {}, "rsps": {"method.samples": 5}, "random": {},
}  # fmt: skip
SPLITTERS: dict[str, dict[str, Any]] = {
    "none": {"split.splitter": "none"},
    "exhaustive": {"split.splitter": "exhaustive"},
    "random": {"split.splitter": "random"},
    "gradient": {"split.splitter": "gradient", "split.batches": 2},
    "race": {"split.splitter": "gradient", "split.splits": 1, "split.batches": 8, "split.rule": "race"},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "l2": {"split.similarity": "l2"},
    "per-filter": {"split.similarity": "filter-cos"},
    "similarities": {"split.average": "similarities"},
    "own": {"split.enable": "own"},
    "body": {"split.shared": "body"},
    "inherit": {"split.restart": "false"},
    "path": {"search.anneal": "path"},
    "published-rsps": {"method.name": "rsps", "method.samples": 5, "method.rejects": "false"},
    "bfloat16": {"precision": "bfloat16"},
    "three": {"split.branch": 3, "split.splits": 1},
    "output": {"split.splitter": "output"},
    "dimension": {"split.splitter": "dimension"},
    "gradient-norm": {"split.splitter": "metric", "split.metric": "gradient-norm"},
    "nonlinearity": {"split.splitter": "nonlinearity"},
    "parametric": {"split.splitter": "parametric"},
}
STUDIES = (
    "table1/seeds", "table1/shuffled", "table1/iid", "table1/alone", "table3a/shuffled-2", "table3b/prefix-1",
    "policies/convolutions", "policies/all-but-normalisations", "variants/norm-per-child", "variants/idle",
    "figure4/tuned", "figure5/statistics",
)  # fmt: skip
TRACES = ("result.json", "tree.json", "events.jsonl")
NO_TRACE = {"seconds", "run", "folder", "log"}
"""Keys whose values are other ones in every run."""


def searches() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every recorded search by name, with its changes."""
    for space, sizes in SPACES.items():
        for method, of_method in METHODS.items():
            for splitter, of_splitter in SPLITTERS.items():
                names = {"space.name": space, "method.name": method}
                yield f"{space} {method} {splitter}", {**TINY, **sizes, **names, **of_method, **of_splitter}
    for name, changes in OPTIONS.items():
        yield f"nasbench201 {name}", {**TINY, "split.batches": 2, **changes}


def ask(arguments: list[str]) -> Any:  # noqa: ANN401
    """What a command answers as JSON; SystemExit where it fails."""
    from cleave.cli import run

    told, complaints = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(complaints):
        status = run(arguments)
    if status:
        sys.exit(f"cleave {' '.join(arguments)}: {complaints.getvalue()}")
    return json.loads(told.getvalue())


def record(folder: Path, only: str) -> None:
    """Makes all runs whose names have `only` in them and writes what they say, a file each."""
    folder.mkdir(parents=True)
    for name, changes in searches():
        if only not in name:
            continue
        out = folder / "runs" / name.replace(" ", "-")
        settings = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
        ask(["search", "--out", str(out), "--workers", "1", "--json", *settings])
        write(folder, name, {trace: (out / trace).read_text(encoding="utf-8") for trace in TRACES})
    for name in STUDIES:
        if only not in name.replace("/", " "):
            continue
        out = folder / "runs" / name.replace("/", "-")
        told = ask(["study", name, "--budget", "tiny", "--out", str(out), "--workers", "1", "--json"])
        write(folder, name.replace("/", " "), told)


def write(folder: Path, name: str, value: object) -> None:
    print(name, file=sys.stderr)
    (folder / f"{name.replace(' ', '-')}.json").write_text(json.dumps(without_trace(value), indent=1), encoding="utf-8")


def without_trace(value: object) -> object:
    """The same without times and places."""
    if isinstance(value, dict):
        return {key: without_trace(each) for key, each in value.items() if key not in NO_TRACE}
    return [without_trace(each) for each in value] if isinstance(value, list) else value


def compare(before: Path, after: Path, only: str) -> int:
    """How many records differ, each named with the first line that does."""
    names = sorted(
        {
            path.name
            for folder in (before, after)
            for path in folder.glob("*.json")
            if only in path.stem.replace("-", " ")
        }
    )
    different = 0
    for name in names:
        one, other = (without_trace(json.loads(read(folder / name))) for folder in (before, after))
        if place := difference(one, other, ""):
            different += 1
            print(f"{name}: {place}")
    print(f"{len(names) - different} of {len(names)} records are equal")
    return different


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else "null"


def difference(one: object, other: object, place: str) -> str:
    """The first place where two values differ, empty where they are equal; keys that are new are no difference."""
    if isinstance(one, dict) and isinstance(other, dict):
        return next(filter(None, (difference(one[key], other.get(key), f"{place}.{key}") for key in one)), "")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next(filter(None, (difference(a, b, f"{place}[{number}]") for number, (a, b) in pairs)), "")
    if isinstance(one, str) and isinstance(other, str) and one != other and one.startswith("{"):
        lines = [
            list(map(json.loads, text.splitlines())) if "\n{" in text else json.loads(text) for text in (one, other)
        ]
        return difference(lines[0], lines[1], place)
    return "" if one == other else f"{place}: {str(one)[:60]} became {str(other)[:60]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording, comparing = (commands.add_parser(name) for name in ("record", "compare"))
    for each in (recording, comparing):
        each.add_argument("--only", default="", metavar="WORDS", help="runs that have this in their names")
    recording.add_argument("folder", type=Path)
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    given = parser.parse_args()
    if given.command == "record":
        record(given.folder, given.only)
    else:
        sys.exit(bool(compare(given.before, given.after, given.only)))


if __name__ == "__main__":
    main()
