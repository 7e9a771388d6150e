"""Training that goes on with the weights of a search's supernet."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn

import cleave
from cleave.data.stream import BatchStream, InOrder
from cleave.engine.progress import Callback
from cleave.net import extract, one_hot
from cleave.retrain.problem import TrainingProblem, open_training
from cleave.retrain.ranks import Ranks
from cleave.retrain.recipes import load_training, resolve_training
from cleave.retrain.trainer import RetrainTrainer
from cleave.space import Space
from cleave.space.darts import Darts, DartsSpaceSettings
from cleave.space.mobilenet import MobileNetProxyless
from cleave.space.ofa import MobileNetOfa, OfaSettings
from cleave.testing import Case, check_inheriting
from cleave.train import RECALIBRATED, Child, Evaluator
from tests.retrain.killing import Killed, Killer, outcome
from tests.tiny import RSPS, Ended, search, write_images

Capture = pytest.CaptureFixture[str]
Value = TypeVar("Value")
DARTS = {
    **RSPS, "space.name": "darts", "space.ops": "[max_pool_3x3, sep_conv_3x3]", "split.splits": 1,
    "split.choice": "normal/2<-0", "search.batch_size": 8, "trust.control": 0, "trust.panel": 0,
}  # fmt: skip
"""A search whose networks pool, which those trained from scratch do without a normalisation."""
SMALL: dict[str, Any] = {"training.batch_size": 12, "training.eval_batch_size": 5, "begin.images": 20, "device": "cpu"}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search with two leaves."""
    out = tmp_path_factory.mktemp("search") / "run"
    assert cleave.cli.run(search(images, out, DARTS)) == 0
    return out


@pytest.fixture(scope="module")
def tuned(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fine-tuning of what it chose, left alone."""
    out = tmp_path_factory.mktemp("tuned") / "run"
    cleave.train(run, weights="supernet", epochs=2, out=out, settings=SMALL)
    return out


def problem(run: Path, **changes: object) -> TrainingProblem:
    keys = {**SMALL, "begin.weights": "supernet", **changes}
    return open_training(resolve_training(load_training(run, None, keys)), Callback())


def batches(task: TrainingProblem, seen: RetrainTrainer) -> list[Tensor]:
    """Those on which statistics are measured: 20 images in batches of 12."""
    each = task.task
    stream = BatchStream(each.train, 12, each.augment, each.normalise, seen.chance, "statistics")
    return [stream.batch(step)[0] for step in range(2)]


@pytest.mark.parametrize(
    ("space", "size"),
    [
        (Darts(), DartsSpaceSettings(channels=2, cells=3)),
        (MobileNetProxyless(), MobileNetProxyless().usual_size.model_copy(update={"width": 0.25})),
        (MobileNetOfa(), OfaSettings(width=0.25)),
    ],
    ids=["darts", "mobilenet-proxyless", "mobilenet-ofa"],
)
def test_before_any_step_a_network_computes_what_the_supernet_does(space: Space, size: object) -> None:
    """By statistics of the batch, in float64; `check_space` holds the other spaces and the toys to it."""
    case = Case(space, size, (3, 8, 8), 5, torch.Generator().manual_seed(int(torch.randint(10**6, ()))))
    network = case.network(space.region)
    for _ in range(3):
        check_inheriting(case, network, space.sample(space.region, case.generator))


def test_a_trainer_begins_with_the_weights_and_with_statistics_of_training_images(run: Path) -> None:
    """The statistics are the plain means over the batches, as hooks see them pass."""
    task = problem(run)
    made = RetrainTrainer(task.task)
    assert task.task.inherited is not None
    alone = extract(task.task.inherited.supernet, task.task.arch)
    for name, value in alone.named_parameters():
        assert torch.equal(value, made.network.get_parameter(name))
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def watch(name: str) -> Any:  # noqa: ANN401  a hook
        def hook(module: nn.Module, inputs: tuple[Tensor]) -> None:
            (x,) = inputs
            seen.setdefault(name, []).append((x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3))))

        return hook

    for name, module in alone.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(watch(name))
    with torch.no_grad():
        for each in batches(task, made):
            alone(each, one_hot(task.task.arch))
    assert any(not norm.affine for norm in alone.modules() if isinstance(norm, nn.BatchNorm2d))
    for name, found in seen.items():
        norm = made.network.get_submodule(name)
        assert isinstance(norm, nn.BatchNorm2d)
        for known, each in zip((norm.running_mean, norm.running_var), zip(*found, strict=True), strict=True):
            torch.testing.assert_close(known, torch.stack(each).mean(dim=0), rtol=1e-4, atol=1e-5)
        assert norm.affine
        assert norm.momentum == 0.1


def test_inherited_accuracy_is_that_of_the_recalibrated_child(run: Path, tuned: Path) -> None:
    """As the evaluator of searches tells it, in the supernet itself; it and every epoch are in the events."""
    task = problem(run)
    assert task.task.inherited is not None
    calibration = [(each, torch.zeros(12)) for each in batches(task, RetrainTrainer(task.task))]
    child = Child(task.task.inherited.supernet, one_hot(task.task.arch))
    hits = Evaluator(RECALIBRATED).hits([child], InOrder(task.valid, 5, task.task.normalise), calibration)
    first, *epochs = [json.loads(line) for line in (tuned / "events.jsonl").read_text().splitlines()]
    result = json.loads((tuned / "result.json").read_text())
    assert (first["kind"], first["epoch"]) == ("inherited", 0)
    assert first["held_out"] == pytest.approx(100 * int(hits.sum()) / len(task.valid))
    assert first["held_out"] == result["inherited"]["held_out"]["accuracy"]
    assert [each["epoch"] for each in epochs] == [1, 2]
    assert epochs[-1]["held_out"] == result["held_out"]["accuracy"]


def test_a_fine_tuning_that_is_killed_after_every_step_ends_in_the_same_bytes(
    run: Path, tuned: Path, tmp_path: Path
) -> None:
    again, done = tmp_path / "run", 1
    changes = {**SMALL, "checkpoint_seconds": 0.0}
    with pytest.raises((Killed, cleave.Interrupted)):
        cleave.train(run, weights="supernet", epochs=2, out=again, settings=changes, callbacks=[Killer(1)])
    while not (again / "result.json").exists():
        done += 1
        try:
            cleave.resume_training(again, callbacks=[Killer(done)])
        except (Killed, cleave.Interrupted):
            continue
    assert done > 4
    assert outcome(again) == outcome(tuned)


def test_which_weights_were_taken_is_in_the_result_and_beside_the_network(run: Path, tuned: Path) -> None:
    result = json.loads((tuned / "result.json").read_text())
    kept = json.loads((tuned / "leaves" / "network" / "meta.json").read_text())["supernet"]
    manifest = run / "leaves" / kept["leaf"] / "manifest.json"
    assert kept["weights"] == cleave.run.durable.hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert {key: result["inherited"][key] for key in kept} == kept
    assert kept["leaf"] == json.loads((run / "result.json").read_text())["chosen"]["path"]


class Second(Ranks):
    """The second of two processes, which is told what the first one has."""

    told_state: dict[str, Tensor]

    def told(self, value: Value) -> Value:
        assert not value, "it makes nothing itself"
        return self.told_state  # type: ignore[return-value]


def test_all_processes_begin_with_the_weights_of_the_first(run: Path) -> None:
    task = problem(run).task
    first, second = RetrainTrainer(task), Second(1, 2)
    object.__setattr__(second, "told_state", first.network.state_dict())
    other = RetrainTrainer(replace(task, seed=task.seed + 1), second)
    pairs = zip(first.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_what_was_fine_tuned_is_used_like_any_network(run: Path, tuned: Path, capsys: Capture) -> None:
    """Its normalisations behind poolings too, and with timm's interface."""
    network, pixels = cleave.resume_training(tuned).network(), torch.rand(3, 3, 8, 8)
    assert sum(parameter.numel() for parameter in network.parameters()) == cleave.resume_training(tuned).parameters
    told = cleave.timm_model(tuned).eval()
    config = told.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    torch.testing.assert_close(told((pixels - mean) / std), network(pixels), rtol=1e-4, atol=1e-5)
    text = Ended(["show", str(tuned)], capsys).out
    assert "begun with the weights of leaf" in text
    assert "before any step" in text
    assert Ended(["evaluate", str(tuned)], capsys).status == 0


def test_a_supernet_that_changed_is_refused(run: Path, tmp_path: Path, capsys: Capture) -> None:
    copy, out = tmp_path / "copy", tmp_path / "run"
    shutil.copytree(run, copy)
    with pytest.raises((Killed, cleave.Interrupted)):
        cleave.train(copy, weights="supernet", epochs=2, out=out, settings=SMALL, callbacks=[Killer(3)])
    leaf = json.loads((copy / "result.json").read_text())["chosen"]["path"]
    weights = copy / "leaves" / leaf / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert Ended(["resume", str(out)], capsys).refuses(str(weights))
    shutil.rmtree(copy)
    other = search(tmp_path / "images", copy, {**DARTS, "seed": 1})
    write_images(tmp_path / "images")
    assert Ended(other, capsys).status == 0
    assert Ended(["resume", str(out)], capsys).refuses("begin.run: not the weights that", "put them back")


def other_leaf(run: Path) -> dict[str, Any]:
    result = json.loads((run / "result.json").read_text())
    found: dict[str, Any] = next(leaf for leaf in result["leaves"] if leaf["path"] != result["chosen"]["path"])
    return found


def test_another_architecture_has_the_weights_of_a_leaf_that_holds_it(
    run: Path, tmp_path: Path, capsys: Capture
) -> None:
    chosen, other = json.loads((run / "result.json").read_text())["chosen"], other_leaf(run)
    (allowed,) = other["region"]["normal/2<-0"]
    arch = f"('{allowed}', 0)".join(other["arch"].split(first_edge(other["arch"]), 1))
    words = ["train", str(run), "--from", "supernet", "--arch", arch, "--epochs", "2", "--out", str(tmp_path / "run")]
    small = [f"{key}={value}" for key, value in SMALL.items()]
    hint = f"give --leaf {other['path']}"
    assert Ended([*words, *small], capsys).refuses(f"leaf {chosen['path']} of {run} does not hold it", hint)
    assert Ended([*words, *small, "--leaf", other["path"]], capsys).status == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["arch"] == cleave.space.find_space("darts").format(cleave.space.find_space("darts").parse(arch))
    assert result["inherited"]["leaf"] == other["path"]
    file = tmp_path / "found.json"
    file.write_text(json.dumps({"run": str(run), "leaf": other["path"], "arch": arch}))
    begin = load_training(str(file), None, {"begin.weights": "supernet"}).begin
    assert (begin.run, begin.leaf) == (str(run), other["path"]), "what evolve found has the weights of its leaf"


def first_edge(genotype: str) -> str:
    """The first of a genotype's edges, which goes into the first node of the normal cell; there are two."""
    return genotype[genotype.index("(", genotype.index("[")) : genotype.index(")", genotype.index("[")) + 1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["space.channels=3"], ["space.channels is 3, but 2 in the supernet of", "begin.weights=new"]),
        (["--recipe", "darts-cifar"], ["space.channels is 36, but 2 in the supernet of"]),
        (["begin.leaf=7"], ["begin.leaf=7: is no leaf of", "there are 0, 1"]),
        (["data.train_fraction=0.2"], ["to be held out were trained on by the supernet", "data.use=all"]),
        (["training.learning_rate_warmup=2"], ["learning_rate_warmup=2: must be below training.epochs=2; give 0"]),
        (["--arch", "none"], ["is no genotype"]),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(
    changes: list[str], said: list[str], run: Path, tmp_path: Path, capsys: Capture
) -> None:
    words = ["train", str(run), "--from", "supernet", "--epochs", "2", *changes, "--out", str(tmp_path / "run")]
    assert Ended(words, capsys).refuses(*said)
    assert not (tmp_path / "run" / "train.yaml").exists()


def test_images_of_other_classes_are_refused(run: Path, tmp_path: Path, capsys: Capture) -> None:
    others = write_images(tmp_path / "images", classes=3, each=4)
    words = ["train", str(run), "--from", "supernet", "--data", str(others), "--out", str(tmp_path / "run")]
    assert Ended(words, capsys).refuses(f"{run} knows 2 classes, and the images have 3", "begin.weights=new")


def test_what_has_no_supernet_is_refused(images: Path, run: Path, tmp_path: Path, capsys: Capture) -> None:
    alone = tmp_path / "alone"
    small = {"method.name": "random", "method.samples": 2, "split.splitter": "none", "trust.control": 0}
    assert Ended(search(images, alone, small), capsys).status == 0
    assert Ended(["train", str(alone), "--from", "supernet"], capsys).refuses("method.name=random shares no weights")
    begun = tmp_path / "begun"
    shutil.copytree(run, begun)
    (begun / "result.json").unlink()
    assert Ended(["train", str(begun), "--from", "supernet"], capsys).refuses("is not finished", "cleave resume")
    arch = json.loads((run / "result.json").read_text())["chosen"]["arch"]
    assert Ended(["train", arch, "--from", "supernet", "--space", "darts"], capsys).refuses("whose? Give the folder")
    assert Ended(["train", arch, "--arch", arch], capsys).refuses("--arch: is another architecture of a search")
    ended = Ended(["train", str(run), "begin.leaf=0"], capsys)
    assert ended.refuses("begin.leaf=0: needs begin.weights=supernet")
    halving = {**DARTS, "selection.by": "halving", "selection.schedule": "[1]", "selection.recipe": "finetune"}
    ended = Ended(search(images, tmp_path / "halving", halving), capsys)
    assert ended.refuses("selection.recipe=finetune", "in `cleave train` only; use short")
