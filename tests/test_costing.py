"""`cleave cost`: of architectures as text, in files, and of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleave.costing import cost_of
from cleave.errors import UserError
from tests.space.test_mobilenet import GM, GPU
from tests.tiny import Ended, search, write_images

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
GENOTYPE = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    "normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
    "('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=range(2, 6))"
)
"""DARTS V2 (Liu et al., 2019): 3.3 million parameters on CIFAR-10, 528 million multiply-adds."""


@pytest.mark.parametrize(
    ("arch", "space", "changes", "params", "macs"),
    [
        (GM, "mobilenet-proxyless", [], 4_895_208, 529_670_912),
        (GM, "mobilenet-proxyless", ["image_size=160"], 4_895_208, 270_867_200),
        (GPU, "mobilenet-proxyless", ["backbone=proxyless-gpu"], 7_119_848, 465_260_160),
        (CELL, None, [], 1_288_506, 184_730_240),
        (GENOTYPE, "darts", ["channels=36", "cells=20"], 3_349_342, 528_359_040),
    ],
)
def test_published_architectures_cost_what_is_known(
    arch: str, space: str | None, changes: list[str], params: int, macs: int
) -> None:
    found = cost_of(arch, space, changes)
    assert (found["params"], found["macs"]) == (params, macs)


def test_the_command_takes_size_and_width(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--space", "mobilenet-proxyless", "--resolution", "64", "--width", "0.5", "--json"]
    told = json.loads(Ended(["cost", GM, *flags], capsys).out)
    assert told == cost_of(GM, "mobilenet-proxyless", ["image_size=64", "width=0.5"])
    assert list(told) == ["space", "arch", "macs", "params", "image_size", "classes"]
    spoken = Ended(["cost", CELL], capsys).out.splitlines()
    assert spoken == ["1,288,506 parameters, 184,730,240 multiply-adds of an image", "32 pixels, 10 classes"]


def test_a_file_holds_an_architecture_as_the_command_prints_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "arch.json"
    file.write_text(Ended(["cost", GM, "--space", "mobilenet-proxyless", "--json"], capsys).out)
    assert Ended(["cost", str(file), "--json"], capsys).out == file.read_text()
    file.write_text(json.dumps({"space": "mobilenet-proxyless"}))
    assert Ended(["cost", str(file)], capsys).refuses(str(file), "arch")


def test_a_run_has_its_own_size_images_and_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    ended = Ended(
        search(write_images(tmp_path / "images"), run, {"split.splitter": "none", "trust.control": 0}), capsys
    )
    assert ended.status == 0, ended.err
    found = cost_of(str(run), None, [])
    assert (found["image_size"], found["classes"]) == (8, 2)
    arch, image = json.loads((run / "result.json").read_text())["chosen"]["arch"], ["image_size=8", "classes=2"]
    assert found == cost_of(arch, None, [*image, "channels=2", "cells=1", "ops=[none, skip_connect, nor_conv_1x1]"])
    assert cost_of(str(run), None, ["channels=4"])["params"] > found["params"]


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name another space than nasbench201: --space"):
        cost_of(GM, None, [])
    with pytest.raises(UserError, match=r"space\.width: has no meaning with this space\.name, nasbench201"):
        cost_of(CELL, None, ["space.width=2"])
    with pytest.raises(UserError, match=r"missing\.json"):
        cost_of(str(tmp_path / "missing.json"), None, [])
    with pytest.raises(UserError, match="image_size"):
        cost_of(CELL, None, ["image_size=0"])


def test_milliseconds_are_told_by_a_table_of_this_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.deploy.made import SMALL, write_latencies

    file = write_latencies(tmp_path / "table.json", SMALL, call=0.5, runtime="onnx")
    arch = "|nor_conv_1x1~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|"
    size = ["image_size=8", "classes=2", "channels=2", "cells=1"]
    found = cost_of(arch, None, size, str(file))
    plain = cost_of(arch, None, size)
    assert found["milliseconds"] == pytest.approx(0.5 + plain["macs"] / 1e6)
    assert plain.items() <= found.items()
    assert found["latency"] == {**found["latency"], "runtime": "onnx", "threads": 1, "batch": 1}
    idle = "|nor_conv_1x1~0|+|none~0|nor_conv_1x1~1|+|none~0|nor_conv_1x1~1|none~2|"  # its node 2 leads nowhere
    assert cost_of(idle, None, size, str(file))["milliseconds"] == pytest.approx(found["milliseconds"])
    assert cost_of(idle, None, size)["macs"] > plain["macs"]
    words = [word for change in size for word in ("--set", change)]
    spoken = Ended(["cost", arch, *words, "--latency", str(file)], capsys).out.splitlines()
    assert spoken[2].startswith(f"{found['milliseconds']:.3f} ms on ")
    assert spoken[2].endswith("(onnx, threads 1, batch 1)")
    assert Ended(["cost", arch, "--latency", str(file)], capsys).refuses(str(file), "is of space.channels 2")
