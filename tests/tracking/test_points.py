"""Events of a run, as points of curves."""

from __future__ import annotations

import random
from pathlib import Path

from cleave.tracking.points import Following, Point, flat
from tests.tracking.made import FLAT, FLAT_RESULT, RESULT, SETTINGS, epoch, write


def told(following: Following) -> list[tuple[str, int]]:
    return [(point.series, point.epoch) for point in following.new()]


def test_numbers_are_told_under_names_that_every_tracker_takes(tmp_path: Path) -> None:
    events = [
        epoch("0.1", 1, "warm-up", loss=2.5, accuracy=10, held_out=None, strengths={"a": [1.0]}, panel=[1.0]),
        {"kind": "split", "leaf": "root", "choice": "a", "groups": [["x"], ["y"]]},
        {"kind": "leaf", "leaf": "a|b=1", "arch": "x", "valid_accuracy": 50.0},
    ]
    write(tmp_path / "events.jsonl", *events)
    assert list(Following(tmp_path, {}).new()) == [
        Point("0.1/warm-up", 1, {"loss": 2.5, "accuracy": 10}),
        Point("a_b_1/leaf", 0, {"valid_accuracy": 50.0}),
    ]


def test_a_point_is_told_once_wherever_it_is_read(tmp_path: Path) -> None:
    """At random moments: parts grow, are merged into the run's own file and removed, or go back to a checkpoint."""
    leaves = {label: [epoch(label, number) for number in range(1, 8)] for label in ("0", "1", "2")}
    done = dict.fromkeys(leaves, 0)
    known = dict[str, int]()
    following, found = Following(tmp_path, known), list[tuple[str, int]]()
    merged = []
    while done:
        label = random.choice(sorted(done))
        part = tmp_path / "parts" / label / "events.jsonl"
        done[label] = max(0, done[label] + random.choice((-1, 1, 1, 2)))
        if done[label] < 8:
            write(part, *leaves[label][: done[label]], end=random.choice(("", '{"kind": "ep')))
        else:
            merged += leaves[label]
            write(tmp_path / "events.jsonl", *merged)
            part.unlink(missing_ok=True)
            del done[label]
        if random.random() < 0.5:
            found += told(following)
        if random.random() < 0.2:
            following = Following(tmp_path, known)  # the run is resumed
    found += told(following)
    assert sorted(found) == sorted((f"{label}/search", number) for label in leaves for number in range(1, 8))


def test_settings_and_results_are_flat() -> None:
    assert flat(SETTINGS) == FLAT
    assert flat(RESULT) == FLAT_RESULT
