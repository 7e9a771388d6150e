"""`cleave train` and `cleave evaluate`, from the command line and from Python."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cleave
from cleave.data import sources
from cleave.data.folder import Folder
from cleave.data.images import Images, Part
from cleave.data.reading import Reading
from cleave.retrain import runner
from cleave.retrain.catalogue import FINETUNE, MOBILE, RECIPES
from cleave.retrain.recipes import load_training, resolve_training
from cleave.stats.intervals import wilson
from tests.fresh import fresh
from tests.registries import as_they_were
from tests.retrain.killing import Killed, Killer, outcome
from tests.retrain.small import GENOTYPE
from tests.tiny import RSPS, Ended, search, write_images

Capture = pytest.CaptureFixture[str]
SIZES = [
    "space.channels=2", "space.cells=3", "training.epochs=2", "training.batch_size=12", "training.eval_batch_size=7",
    "data.image_size=32",
]  # fmt: skip
EVERYTHING = [
    "training.auxiliary=.4", "training.drop_path=.2", "training.cutout=8", "training.ema=.9", "training.mixup=.2",
    "training.rand_augment=5", "training.accumulate=2",
]  # fmt: skip


def write_parts(folder: Path, classes: Sequence[str] = ("cat", "dog"), each: int = 14) -> Path:
    """A folder of random images with train/ and test/."""
    random = fresh()
    for part in ("train", "test"):
        for name in classes:
            for number in range(each):
                path = folder / part / name / f"{number:03d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts(tmp_path_factory.mktemp("images"))


def words(images: Path, out: Path, *changes: str) -> list[str]:
    """The arguments of a small training of a published genotype."""
    return ["train", GENOTYPE, *SIZES, *changes, "--space", "darts", "--data", str(images), "--out", str(out), "--json"]


@pytest.fixture(scope="module")
def whole(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training with everything that a recipe may ask for, left alone."""
    run = tmp_path_factory.mktemp("whole") / "run"
    cleave.train(GENOTYPE, space="darts", data=images, out=run, settings=settings_of(*SIZES, *EVERYTHING))
    return run


def settings_of(*changes: str) -> dict[str, Any]:
    pairs = (change.split("=") for change in changes)
    return {key: float(value) if "." in value else int(value) for key, value in pairs}


def test_a_published_genotype_trains_twice_to_the_same_bytes(
    images: Path, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    ended = Ended(words(images, tmp_path / "again", *EVERYTHING), capsys)
    assert ended.status == 0, ended.err
    assert outcome(tmp_path / "again") == outcome(whole)
    told = json.loads(ended.out)
    assert told["train"]["images"] + told["held_out"]["images"] == 28
    assert told["guards"] == []
    assert [json.loads(line)["epoch"] for line in (whole / "events.jsonl").read_text().splitlines()] == [1, 2]


def test_a_training_that_is_killed_after_every_step_ends_in_the_same_bytes(
    images: Path, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Averages, order, mixed images, dropped paths and all."""
    run, done = tmp_path / "run", 0
    changes = {**settings_of(*SIZES, *EVERYTHING), "checkpoint_seconds": 0.0}
    with pytest.raises((Killed, cleave.Interrupted)):
        cleave.train(GENOTYPE, space="darts", data=images, out=run, settings=changes, callbacks=[Killer(1)])
    while not (run / "result.json").exists():
        done += 1
        assert done < 20
        ended = Ended(["show", str(run)], capsys)
        assert f"go on with: cleave resume {run}" in ended.out
        try:
            cleave.resume_training(run, callbacks=[Killer(done + 1)])
        except (Killed, cleave.Interrupted):
            continue
    assert done > 4
    found = outcome(run)
    assert found == outcome(whole)


def test_epochs_for_which_there_is_no_time_are_left_out(images: Path, tmp_path: Path) -> None:
    """The learning rate ends where it should; interrupted after that, it ends in the same bytes."""
    keys = {**settings_of(*SIZES, "training.epochs=5"), "space.name": "darts", "data.name": str(images)}
    recipe, outcomes = load_training(GENOTYPE, "darts-cifar", keys), []
    for name in ("whole", "run"):
        out, killer = tmp_path / name, Killer(4)  # in the second epoch, after the cut
        if name == "run":
            with pytest.raises(Killed):
                runner.start(recipe, out, killer, until=lambda: 0.0)
            told = runner.resume(out, cleave.Callback())
        else:
            told = runner.start(recipe, out, cleave.Callback(), until=lambda: 0.0)
        assert (told["epochs"], told["planned_epochs"]) == (2, 5)
        outcomes.append(outcome(out))
    assert outcomes[0] == outcomes[1]
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [each["kind"] for each in events] == ["epoch", "shortened", "epoch"]
    assert {key: events[1][key] for key in ("epoch", "epochs")} == {"epoch": 1, "epochs": 2}


def test_a_training_with_time_enough_has_all_its_epochs(images: Path, tmp_path: Path) -> None:
    keys = {**settings_of(*SIZES), "space.name": "darts", "data.name": str(images)}
    told = runner.start(
        load_training(GENOTYPE, "darts-cifar", keys), tmp_path / "run", cleave.Callback(), until=lambda: 1e9
    )
    assert (told["epochs"], "planned_epochs" in told) == (2, False)


def test_a_finished_training_is_told_and_what_was_lost_is_made_again(
    whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = tmp_path / "copy"
    shutil.copytree(whole, run)
    before, told = outcome(run), Ended(["show", str(run)], capsys)
    assert told.status == 0
    assert "held-out accuracy" in told.out
    assert f"cleave evaluate {run}" in told.out
    (run / "result.json").unlink()
    assert "unfinished" in Ended(["show", str(run)], capsys).out
    assert Ended(["resume", str(run)], capsys).status == 0
    assert outcome(run) == before
    assert Ended(["resume", str(run), "--workers", "2"], capsys).refuses("--workers: a training has one")
    (run / "leaves" / "network" / "weights.safetensors").write_bytes(b"0")
    assert Ended(["evaluate", str(run)], capsys).refuses("weights.safetensors")


def test_an_evaluation_is_that_of_the_network(images: Path, whole: Path, capsys: Capture) -> None:
    """On all test images; the auxiliary head and the averages are where they belong."""
    found = json.loads(Ended(["evaluate", str(whole), "--json"], capsys).out)
    network = cleave.resume_training(whole).network()
    assert not network.training
    assert not any("auxiliary" in name for name, _ in network.named_parameters())
    test = sources.find(str(images), "test", None, 32)
    pixels, labels = test.take_each(torch.arange(len(test)))[0].at(torch.arange(len(test)))
    with torch.no_grad():
        alone = torch.cat([network(image[None]) for image in pixels])  # an answer does not depend on the others
    hits = int((alone.argmax(dim=1) == labels).sum())
    assert (found["images"], found["hits"]) == (28, hits)
    assert found["accuracy"] == pytest.approx(100 * hits / 28)
    assert found["interval"] == pytest.approx([100 * end for end in wilson(hits, 28)])
    assert [each["name"] for each in found["classes"]] == ["cat", "dog"]
    text = Ended(["evaluate", str(whole)], capsys).out
    assert f"{hits} of 28 images" in text
    assert "95 % interval" in text


def test_images_of_other_classes_or_sizes_are_refused(whole: Path, tmp_path: Path, capsys: Capture) -> None:
    others = write_parts(tmp_path / "others", ("cat", "bird"), each=3)
    ended = Ended(["evaluate", str(whole), "--data", str(others)], capsys)
    assert ended.refuses("has 2 classes, among them bird", "was trained on 2 others")
    grey = (torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]), ["cat", "dog"])
    with pytest.raises(cleave.UserError, match=r"images of 1 channels and 32 pixels .* was trained on 3 and 32"):
        cleave.evaluate(whole, data=grey)


def test_training_never_opens_the_test_part(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = sources.find

    def watched(data: str, part: Part, root: Path | None, size: int | None, reading: Reading) -> Images | Folder:
        assert part == "train"
        return find(data, part, root, size, reading=reading)

    monkeypatch.setattr(sources, "find", watched)
    found = cleave.train(
        GENOTYPE, space="darts", data=images, out=tmp_path / "run", settings={**settings_of(*SIZES), "data.use": "all"}
    )
    assert found.accuracy is None
    assert found.to_json()["train"]["images"] == 28
    with pytest.raises(AssertionError):
        cleave.evaluate(found)


def test_a_search_is_the_input_of_a_training(tmp_path: Path, capsys: Capture) -> None:
    """Its architecture, space and images; the last line names the next command."""
    folder, run = write_images(tmp_path / "images"), tmp_path / "search"
    small = {**RSPS, "split.splits": 1, "trust.control": 0, "trust.panel": 0}
    searched = json.loads(Ended(search(folder, run, small), capsys).out)
    ended = Ended(["train", str(run), "training.epochs=1", "--out", str(tmp_path / "run")], capsys)
    assert ended.status == 0, ended.err
    assert ended.out.splitlines()[-1].endswith(f"cleave evaluate {tmp_path / 'run'}")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["arch"] == searched["chosen"]["arch"]
    assert result["classes"] == ["class0", "class1"]
    assert Ended(["evaluate", str(tmp_path / "run")], capsys).status == 0
    refused = Ended(["train", str(run), "--recipe", "darts-cifar", "--out", str(tmp_path / "no")], capsys)
    assert refused.refuses("the recipe is of darts", "nasbench201", "short")
    assert not (tmp_path / "no").exists()
    (run / "result.json").unlink()
    assert Ended(["train", str(run)], capsys).refuses("is not finished", f"cleave resume {run}")


THREE = GENOTYPE.replace("('dil_conv_3x3', 2)]", "('dil_conv_3x3', 2), ('skip_connect', 3)]")


@pytest.mark.parametrize(
    ("arch", "changes", "said"),
    [
        (GENOTYPE.replace("dil_conv", "dil_conf"), [], ["normal, node 5: operation", "did you mean 'dil_conv_3x3'"]),
        (THREE, [], ["normal: has 9 edges; give 2 for each of 4 nodes"]),
        (GENOTYPE.replace("('sep_conv_3x3', 1), ('skip", "('sep_conv_3x3', 0), ('skip"), [], ["takes from 0 twice"]),
        (GENOTYPE, ["training.auxiliary=.4", "data.image_size=16"], ["29 pixels or more on a side, not 16"]),
        (GENOTYPE, ["training.learning_rate_min=1"], ["training.learning_rate_min=1.0: is above"]),
        (GENOTYPE, ["epochs=3"], ["epochs: unknown key; did you mean training.epochs?"]),
        (GENOTYPE, ["short"], ["'short': write key=value, as in training.epochs=5"]),
        (GENOTYPE, ["most_multiply_adds=1000"], ["most_multiply_adds=1000: this architecture has", "fewer channels"]),
        (GENOTYPE, ["training.precision=float16", "device=cpu"], ["training.precision=float16: is for GPUs"]),
        ("runs/none", [], ["is no genotype"]),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_in_a_line(
    arch: str, changes: list[str], said: list[str], images: Path, tmp_path: Path, capsys: Capture
) -> None:
    arguments = ["train", arch, *SIZES, *changes, "--space", "darts", "--data", str(images)]
    assert Ended([*arguments, "--out", str(tmp_path / "run")], capsys).refuses(*said)
    assert not (tmp_path / "run").exists()


def test_a_space_in_a_file_is_trained_and_judged(images: Path, tmp_path: Path, capsys: Capture) -> None:
    """The file is run again by whoever needs the space."""
    run, chain = tmp_path / "run", Path(__file__).parents[2] / "docs" / "examples" / "chain.py"
    small = ["training.epochs=1", "space.channels=2", "data.image_size=8", "training.batch_size=12"]
    arguments = ["train", "psnpsnps", *small, "--space", f"{chain}:Chain", "--data", str(images), "--out", str(run)]
    with as_they_were():
        ended = Ended(arguments, capsys)
        assert ended.status == 0, ended.err
        assert "training.drop_path has no meaning in a network without cells" in ended.err
    with as_they_were():
        assert Ended(["evaluate", str(run)], capsys).status == 0
        assert Ended(["train", "psn", *small, "--space", f"{chain}:Chain"], capsys).refuses(
            "'psn': is none of the space"
        )


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path, capsys: Capture) -> None:
    ended = Ended(["train", GENOTYPE, "--recipe", "darts-cifr"], capsys)
    assert ended.refuses("recipe 'darts-cifr': is neither a file nor one of short, finetune, darts-cifar")


def test_a_recipe_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("space: {name: darts, channels: 4}\ntraining: {epochs: 7, ema: 0.99}\n")
    found = load_training(GENOTYPE, file, {"training.batch_size": 3})
    assert (found.training.epochs, found.training.ema, found.training.batch_size, found.space.size.channels) == (
        7,
        0.99,
        3,
        4,
    )


ALONE = [name for name in RECIPES if name != FINETUNE and RECIPES[name].get("space") != MOBILE]
"""Recipes that need no search, and images of no size."""


@pytest.mark.parametrize("name", ALONE)
def test_every_recipe_resolves_and_trains_when_it_is_cut_down(name: str, images: Path, tmp_path: Path) -> None:
    size = 64 if name == "darts-imagenet" else 32
    found = load_training(GENOTYPE, name, {"space.name": "darts", "device": "cpu"})
    resolved = resolve_training(found)
    assert resolve_training(resolved) == resolved
    small = {**settings_of(*SIZES), "training.epochs": 1, "data.image_size": size, "data.name": str(images)}
    auxiliary = {"training.auxiliary": 0.0} if name == "darts-imagenet" else {}  # its head needs larger images
    told = runner.start(
        load_training(GENOTYPE, name, {**small, **auxiliary, "space.name": "darts", "device": "cpu"}),
        tmp_path / "run",
        cleave.Callback(),
    )
    assert told["epochs"] == 1


def test_interruptions_say_how_to_go_on(images: Path, tmp_path: Path) -> None:
    with pytest.raises(cleave.Interrupted, match=f"go on with: cleave resume {tmp_path / 'run'}"):
        cleave.train(
            GENOTYPE,
            space="darts",
            data=images,
            out=tmp_path / "run",
            settings=settings_of(*SIZES),
            callbacks=[Killer(1)],
        )
