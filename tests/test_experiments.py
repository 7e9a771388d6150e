"""The experiments behind docs/results/first-search.md still run."""

from __future__ import annotations

import pytest
import torch

from experiments import operations_apart
from tests.search.test_trainer import problem, root


def test_operations_are_cut_apart_for_every_edge_count_and_average(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations_apart, "COUNTS", (1, 2))
    trainer = root(problem("split.splits=1", "split.batches=2"))
    rows = operations_apart.measure(trainer, "darts", seed=0)
    keys = {(row["choice"], row["shared"], row["average"], row["batches"]) for row in rows}
    assert len(rows) == len(keys) == 6 * 2 * 2 * 2
    first = {
        row["average"]: row["cut"]
        for row in rows
        if (row["choice"], row["shared"], row["batches"]) == ("1<-0", "all", 1)
    }
    assert first["gradients"] == pytest.approx(first["similarities"])  # of one mini-batch there is no mean
    assert torch.tensor([row["cut"] for row in rows]).isfinite().all()
    assert len(operations_apart.summary(rows)) == 2 * 2 * 2
