"""The command: what it measures, says and refuses, and the small parts that it is made of."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from benchmarks.__main__ import main
from benchmarks.agree import Disagreement, agree
from benchmarks.catalogue import WORKS
from benchmarks.floor import recorded, replay
from benchmarks.naive_data import held_loader, shifted_and_flipped, training_loader
from benchmarks.problems import SHORT, problem_of
from benchmarks.report import spread, table
from benchmarks.works import warming

ROOT = Path(__file__).resolve().parents[2]
SCALE = SHORT["nasbench201"]
CHOSEN = ["weight-step", "memory"]
QUICK = ["--size", "short", "--repeats", "1"]

ALTERED = """
import sys, torch
from benchmarks import pairs
from benchmarks.__main__ import main

def slightly_other(source, target):
    copy(source, target)
    with torch.no_grad():
        target.classifier.weight.mul_(1.001)

copy, pairs.copy_weights = pairs.copy_weights, slightly_other
sys.exit(main(["--only", "weight-step", "--size", "short", "--repeats", "1"]))
"""

FORKED = """
import os, signal, sys
from benchmarks.__main__ import main

os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), int(sys.argv[1])))
sys.exit(main(["--only", "weight-step", "--size", "short", "--repeats", "1"]))
"""


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, *arguments]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    ended = command("-m", "benchmarks", "--json", "--only", *CHOSEN, *QUICK)
    assert ended.returncode == 0, ended.stderr
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


def test_each_work_has_both_sides_their_spread_and_the_ratio_of_their_medians(found: dict[str, Any]) -> None:
    assert [work["name"] for work in found["works"]] == CHOSEN
    assert found["versions"].keys() == {"python", "torch", "cleave"}
    assert found["machine"]["cpu"]
    for work in found["works"]:
        units = ["bytes"] if work["name"] == "memory" else ["cpu", "wall"]
        assert (work["threads"], work["repeats"], work["ratio"].keys()) == (1, 1, set(units))
        for unit in units:
            fast, naive = work["fast"][unit], work["naive"][unit]
            assert all(0 < side["low"] <= side["median"] <= side["high"] for side in (fast, naive))
            assert work["ratio"][unit] == pytest.approx(fast["median"] / naive["median"])


def test_the_table_shows_the_same_in_eighty_columns(found: dict[str, Any]) -> None:
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        console.print(table(found["works"]))
    text = console.export_text()
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    for work in found["works"]:
        row = next(line for line in text.splitlines() if line.startswith(work["name"]))
        unit = "bytes" if work["name"] == "memory" else "cpu"
        assert spread(work["fast"][unit], unit) in row
        assert spread(work["naive"][unit], unit) in row
        assert f"{work['ratio'][unit]:.2f}" in row


def test_other_numbers_are_told_in_one_line_and_nothing_is_measured() -> None:
    ended = command("-c", ALTERED)
    assert ended.returncode == 1
    assert ended.stdout == ""
    *above, line = ended.stderr.splitlines()
    assert above == ["weight-step, 1 thread"]
    assert line.startswith("benchmarks: weight-step: gradients: the two ways are ")


def test_ctrl_c_ends_it_without_a_traceback() -> None:
    words = [sys.executable, "-m", "benchmarks", "--only", "weight-step", "--size", "short", "--repeats", "1000000"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == "weight-step, 1 thread\n"
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, error) == (130, "", "benchmarks: interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_the_middle_of_a_fork_is_heard(number: signal.Signals) -> None:
    """Its hooks are where an exception is printed and forgotten."""
    ended = command("-c", FORKED, str(int(number)))
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "weight-step, 1 thread\nbenchmarks: interrupted\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "weight-stop"], ["--only", "did you mean 'weight-step'", *WORKS]),
        (["--only"], ["--only"]),
        (["--size", "huge"], ["--size", "paper", "short"]),
        (["--repeats", "0"], ["--repeats 0"]),
        (["--repeats", "some"], ["--repeats", "some"]),
        (["--threads", "1", "-1"], ["--threads"]),
        (["--threads", "1", "2", "1"], ["--threads: 1 is there twice; give each once"]),
        (["--only", "floor", "search", "floor"], ["--only: floor is there twice; give each once"]),
        (["--fast"], ["--fast"]),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    status = main(arguments)
    signal.signal(signal.SIGTERM, before)
    out, error = capsys.readouterr()
    assert (status, out) == (2, "")
    assert error.count("\n") == 1
    assert all(word in error for word in words)


@pytest.mark.parametrize("name", [name for name in WORKS if name != "search"])
def test_every_work_finds_the_same_both_ways(name: str) -> None:
    WORKS[name].pair(SHORT[WORKS[name].scale.space]).check()


def test_numbers_agree_up_to_rounding_and_nothing_else() -> None:
    tensor = torch.randn(10, dtype=torch.float64)
    agree("it", {"a": tensor}, {"a": tensor * (1 + 1e-12)})
    wrong = {"more": tensor * 1.001, "turned": tensor.flip(0), "nan": tensor * math.nan}
    for other in wrong.values():
        with pytest.raises(Disagreement, match=r"^it: the two ways are"):
            agree("it", {"a": tensor}, {"a": other})
    with pytest.raises(Disagreement, match="names"):
        agree("it", {"a": tensor}, {"b": tensor})


def test_the_floor_is_every_convolution_with_weights_once() -> None:
    learner = warming(problem_of(SCALE, "method.name=darts"))
    convolutions = recorded(learner.advance)
    weights = sum(weight[0].numel() * len(weight) for weight in learner.network.parameters() if weight.dim() == 4)
    assert sum(each.weight.numel() for each in convolutions) == weights
    assert all(len(each.images) == SCALE.batch for each in convolutions)
    replay(convolutions)


def test_a_published_augmentation_is_a_window_of_the_padded_image_mirrored_or_not() -> None:
    pixels = torch.randint(1, 256, (3, 8, 8), dtype=torch.uint8)
    padded = torch.zeros(3, 12, 12, dtype=torch.uint8)
    padded[:, 2:10, 2:10] = pixels
    windows = [padded[:, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
    kinds = [*windows, *(window.flip(2) for window in windows)]
    seen = set()
    for _ in range(100):
        drawn = shifted_and_flipped(pixels, 2)
        seen.add(next(number for number, kind in enumerate(kinds) if torch.equal(drawn, kind)))
    assert len(seen) > 20


def test_published_batches_hold_the_problems_images() -> None:
    problem = problem_of(SCALE)
    images, labels = next(iter(held_loader(problem)))
    torch.testing.assert_close(images, problem.normalise(problem.valid.pixels[: len(images)]))
    assert torch.equal(labels, problem.valid.labels[: len(images)])
    images, labels = next(iter(training_loader(problem, problem.train)))
    assert images.shape == (SCALE.batch, 3, SCALE.pixels, SCALE.pixels)
    assert len(labels) == SCALE.batch
