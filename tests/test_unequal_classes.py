"""Random pixels, one class fifteen times as large as the other: a high accuracy that says nothing, and is said to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fresh import fresh
from tests.tiny import Ended, search

COUNTS = {"big": 90, "small": 6}


def test_an_accuracy_that_no_image_is_needed_for_is_not_told_as_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    random = fresh()
    for name, count in COUNTS.items():
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number:03d}.png")
    searched = Ended(search(tmp_path / "images", tmp_path / "run"), capsys)
    assert searched.status == 0
    told = json.loads(searched.out)
    trust = told["trust"]
    assert trust["majority_share"] > 90
    assert any("always answering the most frequent class" in line for line in trust["warnings"])
    shown = " ".join(Ended(["show", str(tmp_path / "run")], capsys).out.split())
    assert f"the most frequent class alone: {trust['majority_share']:.2f} %" in shown
    assert f"balanced accuracy {told['chosen']['valid_balanced_accuracy']:.2f} %" in shown
