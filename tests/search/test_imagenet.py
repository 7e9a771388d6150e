"""The search on ImageNet, whole and small, on a tree of class folders: it ends in the same bytes whatever befalls."""

from __future__ import annotations

from pathlib import Path

import pytest

import cleave
from cleave.cli import run as run_command
from cleave.config import load_recipe
from cleave.engine.progress import Progress
from cleave.run.origin import SEARCH, read_origin
from tests.data.made_folders import parts
from tests.tiny import leaves, same

RECIPE = Path(__file__).parents[2] / "recipes" / "mobilenet-gm-proxyless-paper.yaml"
SMALL = [
    "data.image_size=20", "data.view=16", "data.held_out=18", "space.width=0.1", "space.stem=cifar",
    "space.ops=[3x3_e3, 5x5_e3, 7x7_e3]", "search.epochs=2", "search.batch_size=8", "split.warmup_epochs=1",
    "split.batches=1", "search.eval_batch_size=6", "trust.panel=0",
]  # fmt: skip


class Stopper(cleave.Callback):
    """Asks a search to stop after so many more steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def see(self, progress: Progress) -> None:
        self.left -= progress.kind != ""
        if self.left <= 0:
            raise cleave.Interrupted


def test_it_ends_in_the_same_bytes_however_often_it_is_interrupted(tmp_path: Path) -> None:
    images = parts(tmp_path / "images", ("train", "val"), 12)
    words = ["search", str(RECIPE), "--data", str(images), "--out", str(tmp_path / "whole"), "--workers", "1"]
    assert run_command([*words, *(word for change in SMALL for word in ("--set", change))]) == 0
    recipe, whole = load_recipe(RECIPE, SMALL, {"data.name": str(images)}), cleave.load(tmp_path / "whole")
    run = tmp_path / "run"
    with pytest.raises(cleave.Interrupted):
        cleave.search(recipe=recipe, out=run, callbacks=[Stopper(2)])
    stops = 1
    while not (run / "result.json").exists():
        try:
            cleave.resume(run, callbacks=[Stopper(60)])
        except cleave.Interrupted:
            stops += 1
    assert stops > 2
    assert same(run, whole.run)
    assert leaves(run) == leaves(whole.run)
    told = whole.to_json()
    assert len(told["leaves"]) == 6
    assert read_origin(run, SEARCH).environment["held_out_images"] == 18
    assert cleave.train(
        whole, recipe="proxyless-imagenet", out=tmp_path / "trained", settings={
            "training.epochs": 1, "training.batch_size": 16, "space.width": 0.1, "space.stem": "cifar",
        },
    ).arch == whole.arch  # fmt: skip
