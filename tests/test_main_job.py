"""The main job on the real images and the real table: GM-DARTS on CIFAR-10, looked up in NAS-Bench-201."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest

from cleave import cli
from tests.tiny import HERE

CHANGES = [
    "data.limit=400", "data.image_size=16", "space.channels=8", "space.cells=1", "search.epochs=1",
    "split.batches=1", "threads=1", "trust.control=2",
]  # fmt: skip


def test_gm_darts_on_cifar10_is_looked_up_in_the_table(
    shared: Path, cifar_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shared / "data" / "nasbench201" / "nb201_tss.npz"
    words = ["search", "--data", "cifar10", "--data-root", str(cifar_root), "--benchmark", str(file), "--json", *HERE]
    words += ["--out", str(tmp_path / "run"), *(word for change in CHANGES for word in ("--set", change))]
    assert cli.run(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert [len(found[key]) for key in ("leaves", "splits")] == [4, 3]
    table = numpy.load(file)
    tests = dict(zip(map(tuple, table["op_names"][table["ops"]].tolist()), table["cifar10_test"].tolist(), strict=True))
    for leaf in found["leaves"]:
        operations = tuple(part.split("~")[0] for part in leaf["arch"].replace("+", "").split("|") if part)
        assert leaf["benchmark"]["cifar10"]["test"] == pytest.approx(tests[operations], abs=1e-3)
    best = max(leaf["benchmark"]["cifar10"]["test"] for leaf in found["leaves"])
    assert found["oracle"]["benchmark"]["cifar10"]["test"] == best
    assert found["chosen"]["valid_accuracy"] == max(leaf["valid_accuracy"] for leaf in found["leaves"])
