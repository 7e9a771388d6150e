"""A run becomes files that run without cleave, or one line says why not."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cleave
from cleave import cli
from cleave.data.images import Images
from cleave.engine.progress import Callback
from cleave.export.formats import FORMATS
from cleave.export.handed import Handed
from cleave.export.onnx_file import opened
from cleave.export.subject import Whose, open_subject
from cleave.run.durable import write_json
from cleave.train import RECALIBRATED
from cleave.train.statistics import normalisations
from tests.test_extras import hide
from tests.tiny import RSPS, Ended, search, write_images

Capture = pytest.CaptureFixture[str]
QUICK = {**RSPS, "split.splits": 1, "trust.control": 0, "trust.panel": 0}
SMALL: dict[str, Any] = {"training.batch_size": 12, "training.eval_batch_size": 9, "device": "cpu"}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def searched(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("search") / "run"
    assert cli.run(search(images, out, QUICK)) == 0
    return out


@pytest.fixture(scope="module")
def trained(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> cleave.TrainResult:
    return cleave.train(searched, epochs=2, out=tmp_path_factory.mktemp("train") / "run", settings=SMALL)


@pytest.fixture(scope="module")
def exported(trained: cleave.TrainResult, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Whole, with int8."""
    pytest.importorskip("onnxscript")
    return cleave.export(trained, tmp_path_factory.mktemp("export") / "out", int8=True)


@pytest.fixture
def plainly(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Handed]]:
    """Has nothing written but a word, and the network itself opened, perhaps with other logits."""

    def use(change: float = 0.0) -> list[Handed]:
        seen: list[Handed] = []

        def write(handed: Handed, folder: Path) -> None:
            seen.append(handed)
            (folder / "model.py").write_text("# a network")

        def opened(folder: Path) -> Any:  # noqa: ANN401
            return lambda pixels: (None, seen[0].deployed(pixels)[1] + change * torch.arange(2))

        monkeypatch.setitem(FORMATS, "plain", replace(FORMATS["plain"], write=write, opened=opened))
        return seen

    return use


def held_out(run: Path) -> Images:
    return open_subject(Whose(run), Callback()).valid


def test_every_format_answers_as_the_trained_network(exported: dict[str, Any], trained: cleave.TrainResult) -> None:
    folder, network = Path(exported["folder"]), trained.network()
    pixels = torch.randint(256, (9, 3, 8, 8), dtype=torch.uint8)
    with torch.inference_mode():
        expected = network(pixels)
        for name in ("onnx", "torch", "plain"):
            classify = FORMATS[name].opened(folder)
            for batch in (1, 4, 9):
                found = [classify(piece) for piece in pixels.split(batch)]
                logits = torch.cat([each[1] for each in found])
                torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
                torch.testing.assert_close(
                    torch.cat([each[0] for each in found]), expected.softmax(1), atol=1e-4, rtol=0
                )


def test_in_int8_it_answers_nearly_the_same(exported: dict[str, Any], trained: cleave.TrainResult) -> None:
    pixels = open_subject(Whose(trained.run), Callback()).train.at(torch.arange(20))[0]
    float32, int8 = (opened(Path(exported["folder"]), f"model.{kind}onnx")(pixels)[1] for kind in ("", "int8."))
    assert not torch.equal(int8, float32)
    assert (int8 - float32).norm() < 0.5 * float32.norm()


def test_the_card_tells_what_it_is_for_programs_and_for_people(
    exported: dict[str, Any], trained: cleave.TrainResult, images: Path
) -> None:
    folder = Path(exported["folder"])
    card = json.loads((folder / "card.json").read_text())
    assert card["classes"] == ["class0", "class1"]
    assert (card["parameters"], card["multiply_adds"]) == (trained.parameters, trained.multiply_adds)
    assert card["held_out"]["accuracy"] == trained.accuracy
    assert card["held_out"]["interval"][0] <= trained.accuracy <= card["held_out"]["interval"][1]
    assert (card["arch"], card["space"]) == (trained.arch, "nasbench201")
    assert card["data"]["name"] == images.name
    assert card["check"]["images"] == card["held_out"]["images"] == len(held_out(trained.run))
    assert list(card["check"]["formats"]) == card["formats"] == ["onnx", "torch", "plain"]
    assert {*card["files"], "card.json", "README.md"} == {file.name for file in folder.iterdir()}
    assert set(card["int8"]["figures"]) == {"float32", "int8"}
    assert all(each["milliseconds"] > 0 for each in card["int8"]["figures"].values())
    text = (folder / "README.md").read_text()
    assert trained.arch in text
    assert all(f"## {name}" in text for name in card["formats"])


def test_the_onnx_file_says_its_classes_and_takes_any_size(exported: dict[str, Any]) -> None:
    import onnx

    for file in ("model.onnx", "model.int8.onnx"):
        model = onnx.load(Path(exported["folder"]) / file)
        onnx.checker.check_model(model)
        told = {each.key: each.value for each in model.metadata_props}
        assert json.loads(told["classes"]) == ["class0", "class1"]
        assert [each.version for each in model.opset_import if each.domain == ""] == [18]
        (given,) = model.graph.input
        sizes = [dim.dim_param or dim.dim_value for dim in given.type.tensor_type.shape.dim]
        assert (given.name, sizes) == ("images", ["n", 3, "height", "width"])
        assert [each.name for each in model.graph.output] == ["probabilities", "logits"]
    kinds = {node.op_type for node in model.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds


@pytest.mark.parametrize("name", ["onnx", "torch", "plain"])
def test_the_lines_of_the_readme_tell_the_class_of_a_picture(
    name: str,
    exported: dict[str, Any],
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(exported["folder"], tmp_path / "copy")
    picture = Image.open(images / "class1" / "004.png").resize((30, 21))
    picture.save(tmp_path / "copy" / "image.png")
    (code,) = re.findall(rf"## {name}\n\n```python\n(.*?)```", (tmp_path / "copy" / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.syspath_prepend(tmp_path / "copy")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(code, "README.md", "exec"), {})
    sys.modules.pop("model", None)
    (answer,) = cleave.predict(exported["folder"], [tmp_path / "copy" / "image.png"])["images"]
    assert said.getvalue().strip() == answer["class"]


def test_predict_tells_the_likeliest_classes_and_what_cannot_be_used(
    exported: dict[str, Any], trained: cleave.TrainResult, images: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "broken.png").write_bytes((images / "class0" / "000.png").read_bytes()[:60])
    good, folder = images / "class0" / "000.png", exported["folder"]
    told = Ended(["predict", folder, str(good), str(tmp_path / "broken.png"), str(tmp_path / "absent.png")], capsys)
    assert told.status == 0, told.err
    first, second, third, last = told.out.splitlines()
    assert first.startswith(str(good))
    assert "%" in first
    assert "truncated" in second
    assert "no such file" in third
    assert last == f"next: cleave evaluate {trained.run}"
    found = json.loads(Ended(["predict", folder, str(good), "--json"], capsys).out)
    (answer,) = found["images"]
    with torch.inference_mode():
        pixels = torch.from_numpy(np.array(Image.open(good))).permute(2, 0, 1)[None]
        expected = trained.network()(pixels).softmax(dim=1)[0]
    assert list(answer["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-4)
    assert answer["class"] == ["class0", "class1"][int(expected.argmax())]
    assert Ended(["predict", folder, str(tmp_path / "broken.png")], capsys).refuses("broken.png", "truncated")


def test_predict_refuses_what_is_no_export_or_was_altered(
    exported: dict[str, Any], images: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = str(images / "class0" / "000.png")
    assert Ended(["predict", str(tmp_path), good], capsys).refuses(str(tmp_path), "is no export", "cleave export")
    copy = tmp_path / "copy"
    shutil.copytree(exported["folder"], copy)
    hide(monkeypatch, "onnxruntime")
    assert cleave.predict(copy, [good])["format"] == "torch"
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"more")
    assert Ended(["predict", str(copy), good], capsys).refuses("model.onnx", "not as it was exported")


def test_the_last_line_is_a_command_that_runs(
    plainly: Callable[..., list[Handed]],
    exported: dict[str, Any],
    trained: cleave.TrainResult,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    words = exported["next"].split()
    assert words[:3] == ["cleave", "predict", exported["folder"]]
    assert Ended(words[1:], capsys).status == 0
    plainly()
    told = Ended(["export", str(trained.run), "--format", "plain", "--out", str(tmp_path / "out")], capsys)
    assert told.status == 0, told.err
    assert told.out.splitlines()[-1].startswith(f"next: cleave predict {tmp_path / 'out'} ")


def test_a_network_of_a_search_has_statistics_of_training_images(searched: Path) -> None:
    """Those of the means over whole batches, as `cleave train --from supernet` begins."""
    subject = open_subject(Whose(searched), Callback())
    norms = normalisations(subject.network)
    assert norms
    assert all(norm.track_running_stats and norm.num_batches_tracked for norm in norms)
    told = cleave.load(searched)
    assert subject.space.format(subject.arch) == told.arch
    pixels, labels = subject.valid.at(torch.arange(len(subject.valid)))
    with torch.inference_mode():
        together = subject.network(pixels)
        apart = torch.cat([subject.network(each) for each in pixels.split(1)])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)  # an answer is the image's own
    assert subject.held is not None
    assert subject.held["accuracy"] == pytest.approx(100 * float((together.argmax(1) == labels).double().mean()))
    tuned = cleave.load(searched).network()  # the same weights, by the statistics of the batch
    state = tuned.state_dict()
    for name, value in subject.network.named_parameters():
        assert name not in state or torch.equal(value, state[name])
    twin = RECALIBRATED.of(tuned)
    assert len(normalisations(twin)) == len(norms)


def test_another_architecture_and_leaf_may_be_asked_for(searched: Path, tmp_path: Path) -> None:
    told = cleave.load(searched)
    other = next(leaf for leaf in told.leaves if leaf["path"] != told.to_json()["chosen"]["path"])
    subject = open_subject(Whose(searched, other["arch"], other["path"]), Callback())
    assert subject.space.format(subject.arch) == other["arch"]
    file = tmp_path / "evolved.json"
    write_json(file, {"arch": other["arch"], "run": str(searched), "leaf": other["path"]})
    found = open_subject(Whose(file), Callback())
    expected = subject.network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in found.network.state_dict().items())


def test_a_failing_export_leaves_nothing(
    plainly: Callable[..., list[Handed]], trained: cleave.TrainResult, tmp_path: Path, capsys: Capture
) -> None:
    plainly(0.01)
    out = tmp_path / "new" / "out"
    ended = Ended(["export", str(trained.run), "--out", str(out), "--format", "plain"], capsys)
    assert ended.refuses("--format plain: answers otherwise", "nothing was exported")
    assert list(tmp_path.rglob("*")) == [tmp_path / "new"]


def test_a_full_disk_is_one_line_and_leaves_nothing(trained: cleave.TrainResult, tmp_path: Path) -> None:
    """The system takes no file above a size, as it takes none where the disk is full."""
    whole = Path(cleave.export(trained, tmp_path / "whole", formats=["plain"])["folder"])
    weights, text = (whole / name for name in ("weights.safetensors", "model.py"))
    assert weights.stat().st_size > text.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (weights.stat().st_size - 1, before[1]))
    try:
        with pytest.raises(cleave.UserError, match="cannot be saved: file too large"):
            cleave.export(trained, tmp_path / "out", formats=["plain"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_an_interrupted_export_leaves_nothing(
    plainly: Callable[..., list[Handed]], trained: cleave.TrainResult, tmp_path: Path
) -> None:
    plainly()
    stop = cleave.Stop()
    stop.requested = True
    with pytest.raises(cleave.Interrupted, match="nothing was exported"):
        cleave.export(trained, tmp_path / "out", formats=["plain"], stop=stop)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(trained: cleave.TrainResult, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "out").mkdir()
    assert Ended(["export", str(trained.run), "--out", str(tmp_path / "out")], capsys).refuses("is there already")
    (tmp_path / "file").touch()
    ended = Ended(["export", str(trained.run), "--out", str(tmp_path / "file" / "out")], capsys)
    assert ended.refuses(str(tmp_path / "file" / "out"), "cannot be made")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(trained: cleave.TrainResult, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    out = tmp_path / "locked" / "out"
    assert Ended(["export", str(trained.run), "--out", str(out)], capsys).refuses(str(out), "cannot be made")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--format", "onxx"], ["--format", "'onxx'", "onnx"]),
        (["--format", "plain,tflite"], ["--format", "'tflite'"]),
        (["--opset", "11"], ["--opset 11", "18"]),
        (["--opset", "99"], ["--opset 99", "18 to 25"]),
        (["--format", "plain", "--opset", "18"], ["--opset", "--format onnx"]),
        (["--format", "torch", "--format", "plain", "--int8"], ["--int8", "--format onnx"]),
        (["--arch", "x"], ["--arch", "is a training of one network"]),
    ],
)
def test_what_cannot_be_is_one_line(
    flags: list[str], words: list[str], trained: cleave.TrainResult, tmp_path: Path, capsys: Capture
) -> None:
    out = str(tmp_path / "out")
    assert Ended(["export", str(trained.run), "--out", out, *flags], capsys).refuses(*words)
    assert list(tmp_path.iterdir()) == []


def test_runs_without_a_network_are_named(
    images: Path, trained: cleave.TrainResult, tmp_path: Path, capsys: Capture
) -> None:
    words = ["export", str(tmp_path / "absent"), "--out", str(tmp_path / "out")]
    assert Ended(words, capsys).refuses(str(tmp_path / "absent"), "holds no run")
    alone = tmp_path / "random"
    changes = {**QUICK, "method.name": "random", "method.samples": 2, "split.splits": 0, "split.splitter": "none"}
    assert cli.run(search(images, alone, changes)) == 0
    ended = Ended(["export", str(alone), "--out", str(tmp_path / "out")], capsys)
    assert ended.refuses("method.name=random", "keeps no weights", f"cleave train {alone}")
    half = tmp_path / "half"
    shutil.copytree(trained.run, half)
    (half / "result.json").unlink()
    ended = Ended(["export", str(half), "--out", str(tmp_path / "out")], capsys)
    assert ended.refuses("not finished", f"cleave resume {half}")
    assert not (tmp_path / "out").exists()


def test_without_its_extra_the_other_formats_are_written(
    plainly: Callable[..., list[Handed]],
    trained: cleave.TrainResult,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plainly()
    monkeypatch.delitem(FORMATS, "torch")
    hide(monkeypatch, "onnx", "onnxscript")
    words = ["export", str(trained.run), "--out", str(tmp_path / "out")]
    refused = Ended([*words, "--format", "onnx"], capsys)
    assert refused.refuses("cleave export --format onnx: needs onnx, onnxscript", "pip install 'cleave-nas[export]'")
    told = Ended([*words, "--json"], capsys)
    assert told.status == 0, told.err
    assert "no ONNX file" in told.err
    assert json.loads(told.out)["formats"] == ["plain"]


def test_a_run_of_tensors_is_checked_by_them(plainly: Callable[..., list[Handed]], tmp_path: Path) -> None:
    data = torch.randint(256, (40, 1, 8, 8), dtype=torch.uint8), torch.arange(40) % 2, ("odd", "even")
    arch = "|nor_conv_1x1~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|"
    settings = {**SMALL, "space.channels": 2, "space.cells": 1, "training.epochs": 1, "data.image_size": None}
    run = cleave.train(
        arch, data=data, space="nasbench201", out=tmp_path / "run", settings={**settings, "data.use": "all"}
    )
    seen = plainly()
    found = cleave.export(run, tmp_path / "out", formats=["plain"], data=data)
    assert (found["check"]["images"], found["check"]["held_out"], found["held_out"]) == (40, False, None)
    assert seen[0].classes == ("odd", "even")
    assert found["input"]["channels"] == 1
    assert found["next"] == f"cleave evaluate {run.run}"
    others = (255 - data[0], *data[1:])
    with pytest.raises(cleave.UserError, match="not the images"):
        cleave.export(run, tmp_path / "other", formats=["plain"], data=others)
