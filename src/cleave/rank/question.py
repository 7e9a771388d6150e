"""What is asked of a ranking."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleave.errors import UserError
from cleave.search.judging import BY_BATCH, Judging, by_forgetting, by_mean
from cleave.settings import SearchSettings


@dataclass(frozen=True)
class RankQuestion:
    """How architectures are chosen and judged, what they are compared with, and where the answer is put.

    sample: how many architectures, drawn by `seed`; None: all. connected: only those that compute something.
    truth: a CSV file of accuracies that architectures reach when trained alone; alone: the epochs for which each is
    trained to find that out. Neither: the benchmark tells.
    images: of the held-out ones, at most. recalibrate: training mini-batches from which each child's statistics are
    estimated; 0: those of each held-out batch; None: as the search judged. forgetting: the share of a new batch in
    these; None: their mean.
    average: how many of the last snapshots of each leaf. benchmark, dataset: None for the run's own. predictions: CSV
    files to score as the run is. out: None for ranking.csv in the run folder. data_root, device: as in a recipe; None
    for the run's own. threads: architectures evaluated at once, which changes no figure; None for as many as there are
    cores. extensions: a user's own files, for a recipe.
    """

    sample: int | None = None
    seed: int = 0
    connected: bool = False
    truth: Path | None = None
    alone: int | None = None
    images: int = 500
    recalibrate: int | None = None
    forgetting: float | None = None
    average: int = 1
    benchmark: Path | None = None
    dataset: str | None = None
    predictions: tuple[Path, ...] = ()
    out: Path | None = None
    data_root: Path | None = None
    device: str | None = None
    threads: int | None = None
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """UserError for a share that is none, and for what nothing would be made of."""
        if self.forgetting is not None and not 0 < self.forgetting <= 1:
            raise UserError(f"--forgetting={self.forgetting}: give a share above 0, at most 1")
        if self.forgetting is not None and not self.recalibrate:
            raise UserError("--forgetting: says how statistics are estimated; give --recalibrate too")
        self._check_truth()

    def _check_truth(self) -> None:
        """UserError unless at most one truth is asked for, with all that it needs."""
        given = [name for name in ("truth", "alone") if getattr(self, name) is not None]
        of_table = [name for name in ("benchmark", "dataset") if getattr(self, name) is not None]
        if given and (others := [*given[1:], *of_table]):
            raise UserError(f"--{given[0]}, --{others[0]}: say what the truth is in two ways; give one of them")
        if self.alone is not None and self.alone < 1:
            raise UserError(f"--alone={self.alone}: is a number of epochs; give 1 or more")
        if self.alone is not None and self.sample is None:
            raise UserError("--alone: trains every architecture that is ranked; give --sample N too")

    def judging(self, search: SearchSettings) -> Judging:
        """How the children of a run are judged that was searched so."""
        if self.recalibrate is None:
            return Judging.of(search)
        if self.recalibrate == 0:
            return BY_BATCH
        sizes = (search.batch_size,) * self.recalibrate
        return by_mean(sizes) if self.forgetting is None else by_forgetting(sizes, (self.forgetting,))

    @property
    def flags(self) -> dict[str, Any]:
        """The recipe's keys that it changes."""
        root = None if self.data_root is None else str(self.data_root)
        return {"data.root": root, "device": self.device, "extensions": list(self.extensions) or None}
