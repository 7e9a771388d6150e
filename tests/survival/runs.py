"""The tiny searches that mishaps befall, and what has to be true afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.survival import mishaps
from tests.survival.living import Life
from tests.tiny import EVERY_STEP, RSPS, SIZES, leaves, same, sets

ONE, TWO = ("--workers", "1"), ("--workers", "2")
SEEDS = (0, 1, 2)
TINY = {**SIZES, **EVERY_STEP, "split.splits": 1, "search.epochs": 2, "trust.control": 1, "trust.panel": 2}
MATCHING = {"method.name": "darts", "split.splitter": "gradient"}
"""Architecture weights that learn, and gradients that are compared."""
PHASES: dict[str, Callable[[int], int]] = {
    "first": lambda hits: 1, "middle": lambda hits: (hits + 1) // 2, "last": lambda hits: hits,
}  # fmt: skip
"""Of the times that a run comes to a point."""
GOES_ON = "cleave: a worker process was killed by SIGKILL"


def searching(images: Path, out: Path, *more: str, kind: Mapping[str, Any] = RSPS, seed: int = 0) -> list[str]:
    """The words of a search, whose workers can be befallen too."""
    words = ["search", "--data", str(images), "--out", str(out), "--json"]
    return [*words, "--extension", str(Path(mishaps.__file__)), *sets({**TINY, **kind, "seed": seed}), *more]


def gone_on_with(run: Path, words: list[str], **more: Any) -> Life:  # noqa: ANN401
    """A run after a mishap, gone on with until it ends; begun with the same words where it was not yet."""
    life = Life(["resume", str(run), "--json", *ONE], run.parent, **more).ended()
    if life.status == 2 and any(each in life.err for each in ("nothing was begun", "holds no run", "no such file")):
        life = Life(words, run.parent, **more).ended()
    return life


def told_in_one_line(life: Life) -> str:
    """The line of a command that the user has to do something about."""
    assert life.status == 2, f"{life.status}\n{life.err[-3000:]}"
    assert "Traceback" not in life.err
    line = life.err.splitlines()[-1]
    assert line.startswith("cleave: ")
    return line


def as_if_nothing_had_been(run: Path, whole: Path) -> bool:
    """Whether a run found what the whole one did, its weights included, to the byte, and left nothing else."""
    return same(run, whole) and leaves(run) == leaves(whole) and names(run) == names(whole)


def names(run: Path) -> set[str]:
    """All that lies in a run's folder, but the numbers of its checkpoints."""
    return {str(path.relative_to(run)) for path in run.rglob("*") if not path.is_relative_to(run / "checkpoints")}
