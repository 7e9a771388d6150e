"""Each guard by itself: what raises it, what does not, and that a resumed one goes on as if nothing had happened."""

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleave.data.folder import open_folder
from cleave.data.held_in_test import chance, held_in_test
from cleave.data.images import Images
from cleave.data.reading import Reading
from cleave.guards import GUARDS, Guard, LeafEnded, RunOpened, TrainingBegun, Watch
from cleave.guards.ranking import RankedByBatch
from cleave.guards.training import STILL, StillWeights
from cleave.guards.watch import EVERY
from cleave.run.alarm import Alarm, alarm_lines
from cleave.space import NetworkSize, find_space
from tests.data.made_folders import parts
from tests.fresh import fresh
from tests.reference import guards as slow

NB201 = find_space("nasbench201")
LAYOUT = NB201.layout(NetworkSize(2, 1), 3)
ARCH = dict.fromkeys((choice.name for choice in NB201.choices), "nor_conv_3x3")


def watch(found: list[Alarm], *only: str) -> Watch:
    return Watch([name for name in GUARDS if name not in only], found.append)


def wild(count: int = 200) -> list[float]:
    """Losses that fall, with a jump now and then."""
    random = fresh()
    jumps = np.where(random.random(count) < 0.03, random.uniform(1, 12, count), 1)
    return list(map(float, np.exp(random.normal(0, 0.2, count)) * np.linspace(3, 0.5, count) * jumps))


@pytest.mark.parametrize("classes", [2, 1000])
def test_the_first_loss_far_above_the_usual_one_is_told_once(classes: int) -> None:
    """Wherever the training is interrupted: what is known between steps is plain JSON."""
    told = 0
    for _ in range(20):
        losses, found = wild(), list[Alarm]()
        watching = watch(found, "exploding-loss")
        watching.begin("0", TrainingBegun(classes, "method"))
        for step, loss in enumerate(losses, start=1):
            if step % 7 == 0:
                state = json.loads(json.dumps(watching.state, allow_nan=False))
                watching = watch(found, "exploding-loss")
                watching.load("0", state)
            watching.step(step, torch.tensor(loss, dtype=torch.float64))
        expected = slow.first_explosion(losses, classes)
        assert [each.leaf for each in found] == ["0"] * (expected is not None)
        assert expected is None or f"at step {expected}," in found[0].says
        told += expected is not None
    assert told or classes == 1000


def test_losses_are_looked_at_now_and_then_where_they_would_have_to_be_waited_for() -> None:
    found = list[Alarm]()
    watching = watch(found, "exploding-loss")
    watching.begin("", TrainingBegun(10, "training"))

    class OnDevice:
        """A loss that lies elsewhere."""

        device = torch.device("cuda")
        asked = 0

        def item(self) -> float:
            OnDevice.asked += 1
            return 1.0

    for step in range(1, 2 * EVERY + 1):
        loss: Any = OnDevice()
        watching.step(step, loss)
    assert OnDevice.asked == 2


def test_a_loss_that_is_no_number_is_left_to_the_trainer_and_the_state_stays_json() -> None:
    found = list[Alarm]()
    watching = watch(found, "exploding-loss")
    watching.begin("", TrainingBegun(10, "training"))
    for step, loss in enumerate([2.0, float("nan"), float("inf"), 2.0], start=1):
        watching.step(step, torch.tensor(loss))
    assert found == []
    json.dumps(watching.state, allow_nan=False)


def ended(weights: dict[str, Tensor]) -> LeafEnded:
    return LeafEnded(LAYOUT, ARCH, weights, steps=3)


def test_weights_are_still_until_one_of_them_moves() -> None:
    before = {"a": torch.full((4,), 0.25), "b": torch.tensor([0.5, 0.5]), "alone": torch.ones(1)}
    one = StillWeights()
    one.at_beginning(TrainingBegun(10, "method", before))
    assert "in 3 steps" in str(one.at_end(ended(before)))
    moved = {**before, "b": before["b"] + torch.tensor([1.5, -1.5]) * STILL}
    assert one.at_end(ended(moved)) is None
    one.at_beginning(TrainingBegun(10, "method", {"alone": torch.ones(1)}))
    assert one.at_end(ended({"alone": torch.ones(1)})) is None, "there was nothing to learn"
    one.at_beginning(TrainingBegun(10, "method"))
    assert one.at_end(ended(before)) is None


@pytest.mark.parametrize(
    ("ranked_by", "asked", "raised"),
    [("batch", "forgetting", True), ("batch", "batch", False), ("mean", "forgetting", False), (None, None, False)],
)
def test_statistics_of_batches_are_an_alarm_where_others_are_asked_for(
    ranked_by: str | None, asked: str | None, raised: bool
) -> None:
    assert (RankedByBatch().at_opening(RunOpened(ranked_by=ranked_by, asked=asked)) is not None) is raised


def repeated(held: Images, size: int) -> list[Alarm]:
    order, found = torch.randperm(len(held)), list[Alarm]()
    drawn = order.repeat(4 * size)
    watch(found, "repeated-batch").look(
        RunOpened(held_out=held, validation=lambda step: drawn[step * size : (step + 1) * size])
    )
    return found


def some_images(count: int, copies: int = 1) -> Images:
    pixels = torch.arange(count, dtype=torch.uint8).repeat(copies)[:, None, None, None].expand(-1, 3, 4, 4).contiguous()
    return Images(pixels, torch.arange(len(pixels)) % 2, ("a", "b"), shuffled=True)


def test_batches_repeat_where_all_pictures_fit_in_one() -> None:
    assert "the same 8 pictures" in repeated(some_images(8), 8)[0].says
    assert "the same 4 pictures" in repeated(some_images(4, copies=9), 8)[0].says
    assert repeated(some_images(9), 8) == []
    assert repeated(some_images(40), 8) == []


def in_test(folder: Path) -> dict[str, Any] | None:
    source = open_folder(folder, "train", 8, Reading())
    return held_in_test(source, source.files[source.held_out_from or 0 :])


@pytest.mark.parametrize("held", ["val", "train"])
def test_held_out_files_that_were_copied_into_the_test_part_are_found(tmp_path: Path, held: str) -> None:
    """Three quarters of them; without val/ those held out are some of train/."""
    parts(tmp_path, ("train", "test") if held == "train" else ("train", "val", "test"), 12)
    assert in_test(tmp_path) == {"looked_at": 36, "held_out": 0, "files": []}
    for number, file in enumerate((tmp_path / held).rglob("*.png")):
        if number % 4:
            shutil.copy(file, tmp_path / "test" / file.relative_to(tmp_path / held))
    found = in_test(tmp_path)
    assert found is not None
    same = slow.same_files(tmp_path, held, "test")
    assert len(same) >= 27
    assert found["held_out"] >= len(same)
    first = found["files"][0][0]
    assert found["files"][0] == [first, first.replace(held, "test", 1)]


def test_files_of_one_size_are_no_sign_but_links_are(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        for name, number in product("ab", range(20)):
            path = tmp_path / part / name / f"{number}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(fresh().bytes(100))
    assert in_test(tmp_path) == {"looked_at": 40, "held_out": 0, "files": []}
    shutil.rmtree(tmp_path / "test")
    (tmp_path / "test").symlink_to("val")
    assert in_test(tmp_path) == {
        "looked_at": 40,
        "held_out": 40,
        "files": [[f"val/a/{each}.bmp", f"test/a/{each}.bmp"] for each in (0, 1, 10)],
    }


def test_the_chance_of_equal_sizes_is_an_upper_bound(tmp_path: Path) -> None:
    """Held against what is drawn."""
    sizes = fresh().integers(0, 3, 6)
    for number, size in enumerate(sizes):
        (tmp_path / str(number)).write_bytes(bytes(int(size)))
    drawn = sizes[fresh().integers(0, 6, (20_000, 6))]
    hits = (drawn == fresh().permutation(sizes)).sum(axis=1)
    for alike in range(7):
        bound = chance(str(tmp_path), [str(number) for number in range(6)], alike)
        assert (hits >= alike).mean() <= bound + 0.02


def test_nothing_is_compared_without_a_folder_for_the_test_part(tmp_path: Path) -> None:
    parts(tmp_path, ("train",), 6)
    assert in_test(tmp_path) is None
    assert held_in_test(some_images(4), []) is None
    parts(tmp_path, ("test",), 6)
    shutil.rmtree(tmp_path / "test" / "owls")
    assert in_test(tmp_path) == {"looked_at": 18, "held_out": 0, "files": []}


def test_lines_name_all_leaves_that_a_sentence_is_about() -> None:
    raised = [
        {"guard": "a", "leaf": "", "says": "one thing"},
        {"guard": "b", "leaf": "0", "says": "another"},
        {"guard": "b", "leaf": "1", "says": "another"},
    ]
    assert alarm_lines(raised) == ["one thing (guard: a)", "leaf 0, 1: another (guard: b)"]


def test_every_guard_has_a_sentence_on_what_it_watches() -> None:
    assert all(issubclass(kind, Guard) and kind.__doc__ and kind.name == name for name, kind in GUARDS.items())
