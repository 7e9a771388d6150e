"""The ImageNet recipes of retraining, whole, on a tiny tree: exact resume, a teacher, and what is refused."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, log_softmax, softmax

import cleave
from cleave import extras
from cleave.data.augment import Normalise
from cleave.engine.progress import Progress
from cleave.errors import UserError
from cleave.retrain.catalogue import RECIPES
from cleave.retrain.recipes import load_training, resolve_training
from cleave.retrain.settings import RetrainSettings, check_settings
from cleave.retrain.teacher import Teacher, open_teacher
from cleave.retrain.trainer import optimiser_of
from tests.retrain.mobile import ARCH, SIZES, tree
from tests.retrain.small import in_doubles
from tests.tiny import Ended

NEEDS_TIMM = pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
TEACHER = "test_resnet"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(tmp_path_factory.mktemp("images"))


def weights_of(path: Path, classes: int = 3, name: str = TEACHER) -> Path:
    """A file of random weights of a network of timm's."""
    import timm

    state = timm.create_model(name, num_classes=classes).state_dict()
    if path.suffix == ".pth":
        torch.save({"state_dict": state}, path)
    else:
        save_file(state, path)
    return path


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What asks for a teacher."""
    pytest.importorskip("timm", reason="timm is not installed")
    file = weights_of(tmp_path_factory.mktemp("teacher") / "teacher.safetensors")
    return {"training.teacher": TEACHER, "training.teacher_weights": str(file)}


def outcome(run: Path) -> dict[str, str]:
    """SHA-256 of all that a training leaves but times."""
    names = ["result.json", "events.jsonl", "leaves/network/weights.safetensors"]
    return {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in names}


class Stopper(cleave.Callback):
    """Asks a training to stop after so many more steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def see(self, progress: Progress) -> None:
        if progress.doing.startswith("train"):
            self.left -= 1
            if self.left <= 0:
                raise cleave.Interrupted


def train(
    images: Path, out: Path, recipe: str, keys: dict[str, Any], *callbacks: cleave.Callback
) -> cleave.TrainResult:
    settings = {**SIZES, **keys}
    return cleave.train(ARCH, recipe=recipe, data=images, out=out, settings=settings, callbacks=callbacks)


@NEEDS_TIMM
def test_the_recipe_of_gm_nas_goes_on_from_anywhere_and_ends_in_the_same_bytes(
    images: Path, taught: dict[str, Any], tmp_path: Path
) -> None:
    """RMSprop, averages, RandAugment, erasing, crops, a teacher."""
    keys = {**taught, "training.ema": 0.9, "training.epochs": 2, "training.learning_rate_warmup": 1}
    whole, run = train(images, tmp_path / "whole", "gm-imagenet", keys), tmp_path / "run"
    with pytest.raises(cleave.Interrupted):
        train(images, run, "gm-imagenet", {**keys, "checkpoint_seconds": 0.0}, Stopper(1))
    stops = 1
    while not (run / "result.json").exists():
        try:
            cleave.resume_training(run, callbacks=[Stopper(3)])
        except cleave.Interrupted:
            stops += 1
    assert stops > 1
    assert outcome(run) == outcome(whole.run)
    assert whole.network()(torch.rand(2, 3, 32, 32)).shape == (2, 3)
    assert cleave.evaluate(whole)["images"] == 24  # of val/, 36 pixels, the middle of which is seen


def test_the_recipe_of_proxylessnas_trains_by_one_command_and_drops_out(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No timm is needed."""
    keys = {**SIZES, "training.epochs": 2}
    words = ["train", ARCH, *(f"{key}={value}" for key, value in keys.items()), "--recipe", "proxyless-imagenet"]
    ended = Ended([*words, "--data", str(images), "--out", str(tmp_path / "one"), "--json"], capsys)
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["held_out"] is None  # all images are trained on
    other = train(images, tmp_path / "other", "proxyless-imagenet", {**keys, "training.dropout": 0.9})
    assert outcome(tmp_path / "one") != outcome(other.run)


@NEEDS_TIMM
def test_published_constants_are_in_the_recipes() -> None:
    gm, proxyless = (load_training(ARCH, name, {}) for name in ("gm-imagenet", "proxyless-imagenet"))
    one, other = gm.training, proxyless.training
    assert (one.epochs, one.batch_size, one.optimizer, one.rmsprop_alpha, one.rmsprop_eps) == (
        450, 1024, "rmsprop", 0.9, 1e-3,
    )  # fmt: skip
    assert (one.momentum, one.weight_decay, one.spare_norms, one.ema, one.label_smoothing) == (
        0.9, 1e-5, True, 0.9999, 0.1,
    )  # fmt: skip
    assert (one.auto_augment, one.erasing, one.erasing_noise) == ("rand-m9-mstd0.5", 0.2, True)
    assert (other.epochs, other.learning_rate, other.weight_decay, other.dropout) == (300, 0.05, 4e-5, 0.1)
    for recipe in (gm, proxyless):
        assert resolve_training(resolved := resolve_training(recipe)) == resolved
        assert (recipe.data.image_size, recipe.data.view, recipe.data.resample) == (256, 224, "bicubic")
        assert recipe.data.view == 0.875 * 256
        assert (recipe.space.size.width, recipe.space.size.stem) == (1.0, "imagenet")


@NEEDS_TIMM
def test_rmsprop_spares_what_has_one_dimension() -> None:
    settings = RetrainSettings.model_validate(RECIPES["gm-imagenet"]["training"])
    parameters = [torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))]
    optimiser = optimiser_of(settings).optimizer(parameters, 0.1)
    for parameter in parameters:
        parameter.grad = torch.full_like(parameter, 0.3)
    optimiser.step()
    for parameter, decay in zip(parameters, (1e-5, 0.0), strict=True):
        gradient = 0.3 + decay
        moved = 0.1 * gradient / (1 + 0.1 * (gradient**2 - 1) + 1e-3) ** 0.5
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, 1 - moved))


def test_a_step_with_a_teacher_is_that_of_plain_torch() -> None:
    """9 to 1, softened; the teacher sees the same images, normalised its own way."""
    changes = {"teacher_share": 0.9, "temperature": 2.0, "label_smoothing": 0.1, "clip": None, "momentum": 0.0}
    fast, slow = in_doubles(**changes), in_doubles(**changes)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 3)).double()
    own = Normalise(torch.tensor([0.1, 0.2, 0.3]).double(), torch.tensor([0.5, 0.6, 0.7]).double())
    fast.task = replace(fast.task, teacher=Teacher(network, own, ""))
    pixels, labels = slow.batches.batch(0)
    theirs = slow.task.normalise
    raw = pixels * theirs.std.view(1, 3, 1, 1) + theirs.mean.view(1, 3, 1, 1)
    answers = network((raw - own.mean.view(1, 3, 1, 1)) / own.std.view(1, 3, 1, 1)).detach()
    logits = slow.network(pixels, slow.gates)
    soft = -(softmax(answers / 2, dim=1) * log_softmax(logits / 2, dim=1)).sum(dim=1).mean()
    loss = 0.9 * 4 * soft + 0.1 * cross_entropy(logits, labels, label_smoothing=0.1)
    slow.weights.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    slow.weights.optimizer.step()
    fast.advance()
    assert fast.means()[0] == pytest.approx(loss.item(), rel=1e-9)
    for one, two in zip(fast.network.parameters(), slow.network.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)


@NEEDS_TIMM
def test_other_weights_of_a_teacher_are_refused_when_going_on(images: Path, tmp_path: Path) -> None:
    file, run = weights_of(tmp_path / "teacher.pth"), tmp_path / "run"
    keys = {"training.teacher": TEACHER, "training.teacher_weights": str(file), "training.optimizer": "sgd"}
    with pytest.raises(cleave.Interrupted):
        train(images, run, "gm-imagenet", keys, Stopper(1))
    weights_of(file)
    with pytest.raises(UserError, match=r"training\.teacher: not the weights that .* was started with; put them back"):
        cleave.resume_training(run)


@NEEDS_TIMM
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"teacher": "test_resnat"},
            r"training\.teacher: timm has no network 'test_resnat'; did you mean 'test_resnet'",
        ),
        ({}, r"training\.teacher=test_resnet: knows 5 classes, and the images have 3, cats and so on"),
        ({"teacher_weights": None}, r"training\.teacher=test_resnet: knows 1000 classes, and the images have 3"),
        (
            {"teacher": "test_vit"},
            r"teacher_weights: .*five\.safetensors: has no head\.weight, so it is not of test_vit",
        ),
        ({"teacher": "resnet18"}, r"training\.teacher_weights: .*three\.safetensors: is not of resnet18"),
        (
            {"teacher_weights": "nowhere.pth"},
            r"training\.teacher_weights: .*nowhere\.pth: cannot be read \(no such file",
        ),
        ({"teacher_weights": "text.pth"}, r"training\.teacher_weights: .*text\.pth: holds no weights that can be read"),
        ({"teacher": None}, r"training\.teacher_weights: needs training\.teacher"),
    ],
)
def test_a_teacher_that_cannot_teach_is_a_line_before_anything_starts(
    changes: dict[str, Any], words: str, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    three = changes.get("teacher") == "resnet18"
    file = weights_of(tmp_path / ("three.safetensors" if three else "five.safetensors"), 3 if three else 5)
    asked = {"teacher": TEACHER, "teacher_weights": str(file), **changes}
    if asked["teacher_weights"] is not None:
        asked["teacher_weights"] = str(tmp_path / asked["teacher_weights"])
    with pytest.raises(UserError, match=words) as caught:
        train(images, tmp_path / "run", "gm-imagenet", {f"training.{key}": value for key, value in asked.items()})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@NEEDS_TIMM
def test_weights_that_are_nowhere_are_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreached(*_: object, **__: object) -> None:
        raise FileNotFoundError("no connection")

    monkeypatch.setattr("timm.create_model", unreached)
    settings = RetrainSettings(teacher=TEACHER)
    with pytest.raises(UserError, match=r"not in timm's cache and were not downloaded \(no connection\); name a file"):
        open_teacher(settings, [str(number) for number in range(1000)])


@NEEDS_TIMM
def test_a_teacher_of_one_size_is_told(images: Path, tmp_path: Path) -> None:
    keys = {
        "training.teacher": "test_vit",
        "training.teacher_weights": str(weights_of(tmp_path / "v.pth", 3, "test_vit")),
    }
    with pytest.raises(
        UserError, match=r"training\.teacher=test_vit: takes images of 160 pixels on a side only, not 32"
    ):
        train(images, tmp_path / "run", "gm-imagenet", keys)


def test_without_timm_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"needs timm, huggingface_hub, not installed here; pip install 'cleave-nas\[train\]'"
    ):
        resolve_training(load_training(ARCH, "gm-imagenet", {"device": "cpu"}))
    with pytest.raises(UserError, match=r"pip install 'cleave-nas\[train\]'"):
        cleave.timm_model(ARCH)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate_warmup_from": 1e-6}, r"learning_rate_warmup_from=1e-06: needs training\.learning_rate_warmup"),
        ({"learning_rate_decay_epochs": 2.4}, r"learning_rate_decay_epochs=2\.4: needs training\.learning_rate_decay"),
        ({"optimizer": "rmsprop", "nesterov": True}, r"nesterov=true: is of sgd"),
        ({"temperature": 2.0}, r"training\.temperature=2\.0: needs training\.teacher"),
        ({"rmsprop_eps": 1e-8}, r"training\.rmsprop_eps=1e-08: needs training\.optimizer=rmsprop"),
        ({"auto_augment": "rand-m9", "rand_augment": 9}, r"auto_augment: is another form of training\.rand_augment"),
        ({"auto_augment": "m9"}, r"training\.auto_augment: 'm9' is not of the form rand-m9-mstd0\.5"),
        ({"erasing_noise": True}, r"erasing_noise=true: needs training\.erasing"),
    ],
)
def test_keys_that_contradict_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_settings(RetrainSettings(**changes), "cpu")
