"""Searches that begin with timm's weights: in every new supernet, on images as these know them, once and for all."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import cleave
from cleave.config import load_recipe
from cleave.engine.progress import Progress
from cleave.errors import UserError
from cleave.net import one_hot
from cleave.pretrained.mobilenetv3 import arch_in
from cleave.resolve import resolve
from cleave.run.folder import RunFolder
from cleave.run.origin import SEARCH, read_origin
from cleave.search.beginning import begun, opened
from cleave.search.finished import open_finished, read_recipe
from cleave.search.problem import open_problem
from cleave.search.schedule import schedule
from cleave.search.trainer import NodeTrainer
from cleave.settings import BeginSettings, Recipe
from cleave.space import find_space
from cleave.split import Node
from tests.test_docs import ROOT, blocks
from tests.tiny import Ended, same

pytest.importorskip("timm", reason="timm is not installed")

from tests.pretrained.nets import hub, network, write

SMALL: dict[str, Any] = {
    "space.name": "mobilenet-ofa", "space.kernels": [3, 5], "space.expansions": [6], "space.depths": [4],
    "data.limit": 24, "data.image_size": 8, "search.batch_size": 12, "search.epochs": 1, "threads": 1,
    "search.statistics": "batch", "method.name": "rsps", "method.samples": 1, "trust.control": 0, "trust.panel": 0,
    "method.learning_rate": 1e-9, "method.learning_rate_min": 0.0, "method.weight_decay": 0.0,
    "split.splitter": "random", "split.splits": 1,
}  # fmt: skip
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.3]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the classes of the bundled images."""
    return write(tmp_path_factory.mktemp("weights") / "w.safetensors", network(10).state_dict())


def search(out: Path, weights: Path, **more: Any) -> cleave.SearchResult:  # noqa: ANN401
    return cleave.search(data="bundled", out=out, settings={**SMALL, "begin.weights": str(weights)}, **more)


def resolved(weights: object, *changes: str) -> tuple[Recipe, list[str]]:
    words = [*(f"{key}={value}" for key, value in SMALL.items()), f"begin.weights={weights}", *changes]
    recipe = load_recipe(None, words, {})
    return resolve(recipe, find_space(recipe.space))


def kept(run: Path, label: str) -> dict[str, Tensor]:
    return load_file(run / "leaves" / label / "weights.safetensors")


@pytest.fixture(scope="module")
def whole(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that learns next to nothing, in two leaves that would else begin with new weights."""
    search(run := tmp_path_factory.mktemp("whole") / "run", file)
    return run


def test_every_new_supernet_begins_with_them(file: Path, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = load_file(file)
    for label in ("0", "1"):
        ours = kept(whole, label)
        for one, other in (("blocks.stem.op.0", "conv_stem"), ("head.0.0", "conv_head"), ("classifier", "classifier")):
            torch.testing.assert_close(ours[f"{one}.weight"], theirs[f"{other}.weight"])
    found = cleave.load(whole)
    told = found.to_json()["begin"]
    assert (told["source"], told["licence"], told["classifier"]) == (str(file), "unknown", True)
    assert told["arch"].startswith("k3_e6 k3_e6 k3_e6 k3_e6 | k5_e6 k5_e6 k5_e6 k3_e6 | k3_e6")
    environment = json.loads((whole / "environment.json").read_text())
    assert environment["begin"]["sha256"] == told["sha256"]
    imagenet = torch.tensor([0.485, 0.456, 0.406])
    torch.testing.assert_close(torch.tensor(environment["mean"]), imagenet)
    torch.testing.assert_close(found.network().mean.flatten(), imagenet)
    shown = Ended(["show", str(whole)], capsys).out
    assert (
        f"Begun with {file}, licence: unknown, SHA-256 {told['sha256']}\n  that network here: {told['arch']}" in shown
    )


@torch.no_grad()
def test_they_see_images_as_they_know_them(file: Path) -> None:
    """A root's supernet, on pixels, gives what timm's network gives on pixels less their mean by their deviation."""
    recipe, _ = resolved(file, f"begin.mean={MEAN}", f"begin.std={STD}")
    problem = opened(open_problem(recipe), lambda _: None)
    trainer, pixels = NodeTrainer(problem, Node((), problem.space.region), schedule(recipe, 0)), problem.train.pixels
    trainer.begin()
    arch = arch_in(problem.space, recipe.space.size)
    theirs = network(10, "cifar").double().train()
    theirs.load_state_dict(load_file(file))
    images = pixels.double().div(255).sub(torch.tensor(MEAN).view(-1, 1, 1)).div(torch.tensor(STD).view(-1, 1, 1))
    ours = trainer.network.double()(problem.normalise(pixels).double(), one_hot(arch))
    torch.testing.assert_close(ours, theirs(images), rtol=1e-3, atol=1e-3)


class Stopper(cleave.Callback):
    """Stops a search once so many passes are done."""

    def __init__(self, done: int) -> None:
        self.done = done

    def see(self, progress: Progress) -> None:
        if progress.done >= self.done:
            raise cleave.Interrupted


def test_the_file_is_needed_once(file: Path, whole: Path, tmp_path: Path) -> None:
    """An interrupted search goes on without it and ends with the same weights, and so does what asks a finished one."""
    run, copy = tmp_path / "run", Path(shutil.copy(file, tmp_path / "copy.safetensors"))
    with pytest.raises(cleave.Interrupted):
        search(run, copy, callbacks=[Stopper(1)])
    needs_the_same(run, copy, file)
    copy.unlink()
    assert cleave.resume(run).to_json()["begin"]["source"] == str(copy)
    assert (run / "events.jsonl").read_bytes() == (whole / "events.jsonl").read_bytes()
    for label in ("0", "1"):
        assert all(torch.equal(each, kept(run, label)[name]) for name, each in kept(whole, label).items())
    assert len(open_finished(run, read_recipe(run, {}), cleave.Callback()).problem.normalise.mean) == 3


def needs_the_same(run: Path, copy: Path, file: Path) -> None:
    """The file, where the run's own copy came to harm, or the search was ended before there was one."""
    folder, problem = RunFolder(run, read_origin(run, SEARCH)), open_problem(resolved(copy)[0])
    (run / "leaves" / "begin" / "weights.safetensors").write_bytes(b"\0")
    write(copy, network(10).state_dict())
    with pytest.raises(UserError, match=rf"begin.weights: {copy} is not the file that {run} was started with; put it"):
        begun(problem, folder)
    shutil.copy(file, copy)
    again = begun(problem, folder).begin
    assert again is not None
    assert all(torch.equal(again.tensors[name], each) for name, each in load_file(file).items())


def test_workers_get_them_too(whole: Path, file: Path, tmp_path: Path) -> None:
    search(tmp_path / "run", file, workers=2)
    assert same(tmp_path / "run", whole)
    assert kept(tmp_path / "run", "1").keys() == kept(whole, "1").keys()
    assert all(torch.equal(each, kept(whole, "1")[name]) for name, each in kept(tmp_path / "run", "1").items())


def test_weights_in_the_cache_are_found_by_themselves(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = hub(tmp_path, monkeypatch)
    recipe, notes = resolved("auto")
    assert recipe.begin == BeginSettings()
    assert (recipe.space.size.width, recipe.space.size.head_bias) == (1.0, True)
    assert "begin.weights=auto: timm's mobilenetv3_large_100 is in no cache on this machine" in notes[-1]
    place("mobilenetv3_large_100.ra_in1k", load_file(file))
    recipe, notes = resolved("auto")
    assert recipe.begin.weights == "timm:mobilenetv3_large_100.ra_in1k"
    assert recipe.begin.std == (0.229, 0.224, 0.225)
    assert [note.partition("=")[0] for note in notes] == ["space.width", "space.head_bias"]
    assert resolve(recipe, find_space(recipe.space)) == (recipe, [])
    assert resolved("timm:mobilenetv3_large_100")[0] == recipe
    problem = opened(open_problem(recipe), lambda _: None)
    assert problem.begin is not None
    assert (problem.begin.source, problem.begin.licence) == ("timm/mobilenetv3_large_100.ra_in1k", "apache-2.0")
    assert resolved("timm:mobilenetv3_large_100.miil_in21k")[0].begin.mean == (0.0, 0.0, 0.0)


def test_the_command_of_the_guide_begins_with_them() -> None:
    _, command = blocks(ROOT / "docs" / "once-for-all.md", "sh")
    words = shlex.split(command)
    assert words[:4] == ["cleave", "search", "--space", "mobilenet-ofa"]
    assert words[4::2] == ["--set"] * len(words[5::2])
    recipe = load_recipe(None, words[5::2], {"space.name": words[3]})
    assert resolve(recipe, find_space(recipe.space))[0].begin.weights == "timm:mobilenetv3_large_100.ra_in1k"


def test_what_is_assumed_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    recipe, notes = resolved(file.name)
    assert recipe.begin.weights == str(file)
    assert notes[-1].startswith("begin.mean and begin.std: ImageNet's; give them if the weights know images")
    assert resolved(file.name, f"begin.mean={MEAN}")[1][-1].startswith("begin.std: ImageNet's")
    assert resolved("new", f"begin.mean={MEAN}")[1] == [
        "begin.mean has no meaning with begin.weights=new; it is not used"
    ]


def test_other_classes_get_a_new_classifier_and_a_word(tmp_path: Path) -> None:
    said: list[str] = []
    recipe, _ = resolved(write(tmp_path / "w.pth", network(7).state_dict()))
    opened(open_problem(recipe), said.append)
    assert said[-1] == "the classifier is new: these weights know 7 classes, and the images have 10"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space.name": "nasbench201"}, ["nasbench201 has no place for pretrained weights", "or use mobilenet-ofa"]),
        ({"method.name": "random"}, ["method.name=random trains no supernet"]),
        ({"space.width": 0.5}, ["space.width=0.5: mobilenetv3_large_100 has 1.0"]),
        ({"space.expansions": "[3, 4]"}, ["space.expansions=[3, 4]: mobilenetv3_large_100 needs 6 among them"]),
        ({"begin.weights": "nowhere.pth"}, ["nowhere.pth: cannot be read (no such file"]),
        ({"begin.weights": "timm:resnet18"}, ["begin.weights: unknown 'timm:resnet18'"]),
        ({"begin.mean": "[1, 2, 3]"}, ["begin.mean"]),
        ({"begin.std": "[0, 1, 1]"}, ["begin.std"]),
    ],
)
def test_what_cannot_begin_is_a_line_before_anything_starts(
    changes: dict[str, Any], words: list[str], file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"space.name": "mobilenet-ofa", "begin.weights": file, "data.limit": 200, **changes}
    given = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    assert Ended(["search", "--out", str(tmp_path / "run"), *given], capsys).refuses(*words)
    assert not (tmp_path / "run").exists()
    assert Ended(["plan", *given], capsys).refuses(*words)
