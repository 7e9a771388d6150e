"""Networks of timm's in training: as any other network, from scratch and from weights in files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

import cleave
from cleave.engine.progress import Callback
from cleave.retrain.norms import synchronise
from cleave.retrain.problem import open_training
from cleave.retrain.recipes import load_training, resolve_training
from cleave.retrain.trainer import RetrainTrainer
from tests.retrain.killing import Killed, Killer, outcome
from tests.retrain.test_command import write_parts
from tests.tiny import Ended

Capture = pytest.CaptureFixture[str]
NAME = "test_efficientnet"
SMALL: dict[str, Any] = {
    "space.side": 32, "training.epochs": 2, "training.batch_size": 12, "training.eval_batch_size": 7,
    "device": "cpu",
}  # fmt: skip
ALL_1X1 = "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~2|"
EVERYTHING = {
    "training.dropout": 0.2, "training.cutout": 8, "training.ema": 0.9, "training.mixup": 0.2, "training.accumulate": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a network that knows seven classes."""
    file = tmp_path_factory.mktemp("weights") / "seven.safetensors"
    made = timm.create_model(NAME, num_classes=7)
    for norm in made.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            assert norm.running_mean is not None
            norm.running_mean.normal_()
    save_file(made.state_dict(), str(file))
    return file


@pytest.fixture(scope="module")
def whole(images: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training from these weights with all that a recipe may ask for."""
    run = tmp_path_factory.mktemp("whole") / "run"
    cleave.train(f"timm:{NAME}", pretrained=weights, data=images, out=run, settings={**SMALL, **EVERYTHING})
    return run


def test_a_training_that_is_killed_and_stopped_ends_in_the_same_bytes(
    images: Path, weights: Path, whole: Path, tmp_path: Path
) -> None:
    again = tmp_path / "run"
    changes = {**SMALL, **EVERYTHING, "checkpoint_seconds": 0.0}
    with pytest.raises((Killed, cleave.Interrupted)):
        cleave.train(
            f"timm:{NAME}", pretrained=weights, data=images, out=again, settings=changes, callbacks=[Killer(1)]
        )
    with pytest.raises((Killed, cleave.Interrupted)):
        cleave.resume_training(again, callbacks=[Killer(4)])
    cleave.resume_training(again)
    assert outcome(again) == outcome(whole)


def test_it_is_judged_and_told_as_any_other(whole: Path, weights: Path, capsys: Capture) -> None:
    told = json.loads(Ended(["show", str(whole), "--json"], capsys).out)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (told["space"], told["arch"], told["inherited"]) == ("timm", NAME, None)
    assert told["pretrained"] == {"weights": digest, "source": "file", "license": None}
    assert f"begun with pretrained weights: file, SHA-256 {digest[:8]}" in Ended(["show", str(whole)], capsys).out
    cost = json.loads(
        Ended(
            ["cost", f"timm:{NAME}", "--resolution", "32", "--set", "classes=2", "--set", "space.side=32", "--json"],
            capsys,
        ).out
    )
    assert (cost["params"], cost["macs"]) == (told["parameters"], told["multiply_adds"])
    found = cleave.evaluate(whole)
    assert (found["images"], [each["name"] for each in found["classes"]]) == (28, ["cat", "dog"])
    environment = json.loads((whole / "environment.json").read_text())
    assert environment["mean"] == pytest.approx([0.485, 0.456, 0.406]), "images are normalised as the weights know them"


@pytest.mark.parametrize("channels", [1, 3])
def test_it_begins_as_timms_own_network_with_these_weights(channels: int, weights: Path) -> None:
    """But for its classifier. Grey images go in as timm has it: the sum of the first convolution's weights."""
    pixels = torch.randint(256, (30, channels, 32, 32), dtype=torch.uint8)
    keys = {**SMALL, "begin.weights": "pretrained", "begin.file": str(weights), "data.name": "tensors"}
    recipe = resolve_training(load_training(f"timm:{NAME}", None, keys))
    given = cleave.given.images_from((pixels, torch.arange(30) % 3))[1]
    network = RetrainTrainer(open_training(recipe, Callback(), given).task).network.eval()
    known = timm.create_model(NAME, num_classes=7)
    timm.models.load_checkpoint(known, str(weights))
    known.eval()
    if channels == 1:
        first = known.get_submodule("conv_stem")
        first.weight = torch.nn.Parameter(first.weight.sum(dim=1, keepdim=True))
    x = torch.randn(2, channels, 32, 32)
    with torch.no_grad():
        expected = network.classifier(known.forward_head(known.forward_features(x), pre_logits=True))
        torch.testing.assert_close(network(x, {}), expected, rtol=1e-4, atol=1e-5)


def test_weights_in_timms_cache_are_found_and_named(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    words = [
        "train",
        "timm:test_resnet",
        "--data",
        str(images),
        "--pretrained",
        "cache",
        "--out",
        str(tmp_path / "run"),
    ]
    words += [f"{key}={value}" for key, value in SMALL.items()]
    assert Ended(words, capsys).refuses("the weights of test_resnet are not in timm's cache", "nothing is downloaded")
    place = tmp_path / "hub" / "models--timm--test_resnet.r160_in1k"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("abc")
    (place / "snapshots" / "abc").mkdir(parents=True)
    save_file(timm.create_model("test_resnet").state_dict(), str(place / "snapshots" / "abc" / "model.safetensors"))
    ended = Ended([*words, "training.epochs=1", "--json"], capsys)
    assert ended.status == 0, ended.err
    known = json.loads(ended.out)["pretrained"]
    assert (known["source"], known["license"]) == ("timm/test_resnet.r160_in1k", "apache-2.0")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["timm:test_resnet", "--pretrained", "FILE"], ["has no fc.weight, so it is not of test_resnet"]),
        (["timm:tinynet_e", "--pretrained", "FILE"], ["begin.file: is not of tinynet_e", "give the name"]),
        (["timm:test_vit", "--pretrained", "nowhere.pth"], ["nowhere.pth: cannot be read (no such file"]),
        (["timm:test_resnet", "--from", "supernet"], ["begin.weights=supernet: is not for networks of timm"]),
        (["timm:test_resnet", "--from", "new", "--pretrained", "FILE"], ["leave one of them out"]),
        (["timm:test_resnet", "begin.file=x.pth"], ["begin.file=x.pth: needs begin.weights=pretrained"]),
        (["timm:test_resnet", "begin.weights=pretrained", "space.network=resnet18"], ["is not space.network=resnet18"]),
        (["timm:mobilenetv3_small_100", "space.width=.5", "--pretrained", "FILE"], ["space.width=0.5: there are"]),
        (["resnet18", "--space", "timm"], ["write timm:NAME for any of timm's networks"]),
        (["--pretrained", "cache", ALL_1X1], ["begin.weights=pretrained: is not for networks of nasbench201"]),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    words: list[str], said: list[str], images: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = [word.replace("FILE", str(weights)) for word in words]
    ended = Ended(["train", *words, "--data", str(images), "--out", "run", "--device", "cpu"], capsys)
    assert ended.refuses(*said), ended.err
    assert not (tmp_path / "run").exists()


def test_another_file_than_the_training_began_with_is_refused(images: Path, weights: Path, tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(weights.read_bytes())
    with pytest.raises((Killed, cleave.Interrupted)):
        cleave.train(
            f"timm:{NAME}", pretrained=file, data=images, out=tmp_path / "run", settings=SMALL, callbacks=[Killer(1)]
        )
    save_file(timm.create_model(NAME, num_classes=7).state_dict(), str(file))
    with pytest.raises(cleave.UserError, match=r"begin\.file: not the weights that .* was started with"):
        cleave.resume_training(tmp_path / "run")


def test_there_is_nothing_to_search_in_a_network(images: Path, tmp_path: Path, capsys: Capture) -> None:
    ended = Ended(["search", "--space", "timm", "--data", str(images), "--out", str(tmp_path / "run")], capsys)
    assert ended.refuses("space.name=timm: has one architecture, so there is nothing to search")


def test_normalisations_of_another_kind_are_not_shared_among_processes() -> None:
    with pytest.raises(cleave.UserError, match="one process has to train it"):
        synchronise(timm.create_model(NAME))
