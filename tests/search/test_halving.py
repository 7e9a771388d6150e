"""Successive halving of retrained networks: who is trained for how long, from what, and what follows from it alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from cleave.config import load_recipe
from cleave.engine.progress import Callback
from cleave.errors import UserError
from cleave.plan import plan_search
from cleave.resolve import resolve
from cleave.result import read_result
from cleave.retrain.trainer import RetrainTrainer
from cleave.run.generations import read_record
from cleave.search.problem import open_problem
from cleave.search.retraining import retrain_steps, retraining
from cleave.search.runner import start
from cleave.search.scope import Standalone
from cleave.settings import Recipe
from cleave.space import find_space
from tests.reference.halving import halved
from tests.tiny import HALVING, RSPS, SIZES, leaves, same, write_images


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def recipe(images: Path, changes: dict[str, Any]) -> Recipe:
    settings = {**SIZES, **RSPS, **HALVING, **changes, "data.name": images}
    return load_recipe(None, [f"{key}={value}" for key, value in settings.items()], {})


@pytest.fixture(scope="module")
def run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("halving") / "run"
    start(recipe(images, {}), out, Callback())
    return out


def told(run: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((run / "result.json").read_text())
    return result


def test_each_rung_keeps_the_better_half_and_the_best_of_the_last_one_is_chosen(run: Path) -> None:
    result = told(run)
    first = {leaf["arch"]: leaf["path"] for leaf in reversed(result["leaves"])}
    figures = {leaf["path"]: leaf["retrained"] for leaf in result["selection"]["leaves"]}
    names = [path for path in figures if path in first.values()]
    expected = halved(names, 2, lambda name, rung: figures[name][rung]["valid_accuracy"])
    for rung, epochs in enumerate((1, 3)):
        reached = [name for name in names if len(figures[name]) > rung]
        assert reached == expected[rung]
        assert all(figures[name][rung]["epochs"] == epochs for name in reached)
    best = max(expected[-1], key=lambda name: figures[name][-1]["valid_accuracy"])
    assert result["chosen"]["path"] == result["selection"]["chosen"]["halving"] == best
    kept = {path.name for path in (run / "leaves").iterdir() if path.name.startswith("retrained")}
    assert kept == {f"retrained {name}@{(1, 3)[rung]}" for rung, each in enumerate(expected) for name in each}


def test_a_rung_goes_on_where_the_one_before_ended(run: Path, images: Path) -> None:
    """The chosen network, trained here in one go on the same schedule, has the very weights that were kept."""
    result = told(run)
    asked = recipe(images, {})
    problem = open_problem(resolve(asked, find_space(asked.space))[0])
    scope = Standalone(f"retrained {result['chosen']['path']}", problem.space.parse(result["chosen"]["arch"]))
    trainer = RetrainTrainer(retraining(problem, scope, epochs=3))
    while trainer.step < trainer.steps:
        trainer.advance()
    kept = read_record(run / "leaves" / f"{scope.label}@3")
    weights = trainer.network.state_dict()
    assert weights.keys() == kept.weights.keys()
    assert all(torch.equal(weights[name], kept.weights[name]) for name in weights)
    accuracy = trainer.judge(problem.valid)
    leaf = next(leaf for leaf in result["selection"]["leaves"] if leaf["path"] == result["chosen"]["path"])
    assert leaf["retrained"][-1]["valid_accuracy"] == accuracy.overall
    sizes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    assert any(3 in shape for shape in sizes.values()), "the networks have the size of their own"


def test_the_network_that_was_chosen_is_the_retrained_one(run: Path, images: Path) -> None:
    """As it was judged: by its running statistics, and by the averages of its weights."""
    asked = recipe(images, {})
    problem = open_problem(resolve(asked, find_space(asked.space))[0])
    network = read_result(run).network()
    with torch.no_grad():
        right = network(problem.valid.pixels).argmax(dim=1) == problem.valid.labels
    chosen = told(run)["chosen"]["path"]
    leaf = next(leaf for leaf in told(run)["trust"]["leaves"] if leaf["path"] == chosen)
    off = abs(100 * float(right.double().mean()) - leaf["retrained_accuracy"]) / 100 * len(problem.valid)
    assert off <= 1, "a tie of two logits may fall otherwise in another batch"


def test_all_work_is_counted_and_planned_and_the_control_spends_as_much(run: Path, images: Path) -> None:
    result = told(run)
    asked = recipe(images, {})
    problem = open_problem(resolve(asked, find_space(asked.space))[0])
    each = retrain_steps(problem)
    assert each == -(-len(problem.train) // 6)
    rungs = [leaf["retrained"] or [] for leaf in result["selection"]["leaves"]]
    distinct = {leaf["arch"]: rung for leaf, rung in zip(result["leaves"], rungs, strict=True)}
    epochs = sum(rung[-1]["epochs"] for rung in distinct.values())
    assert result["cost"]["retrain_steps"] == epochs * each
    control = result["trust"]["control"]
    assert control["control_passes"] == (control["architectures"] + 1) * control["epochs"] * each
    assert control["search_passes"] >= result["cost"]["retrain_steps"] + result["cost"]["weight_steps"]
    planned = plan_search(asked)["phases"]
    halving = [phase for phase in planned if phase["name"].startswith("halving")]
    assert [(phase["name"], phase["count"], phase["epochs"], phase["steps"]) for phase in halving] == [
        ("halving to 1", 4, 1, each),
        ("halving to 3", 2, 2, 2 * each),
    ]
    if len(distinct) == 4:
        assert sum(phase["count"] * phase["steps"] for phase in halving) == result["cost"]["retrain_steps"]
        (of_control,) = [phase for phase in planned if phase["name"] == "control"]
        assert of_control["epochs"] == control["epochs"]
    assert all(phase["seconds"] > 0 for phase in halving)


def test_only_the_choice_and_what_is_measured_of_it_depend_on_halving(run: Path, images: Path, tmp_path: Path) -> None:
    start(recipe(images, {"selection.by": "accuracy"}), tmp_path / "plain", Callback())
    plain, retrained = told(tmp_path / "plain"), told(run)
    assert plain["leaves"] == retrained["leaves"]
    assert plain["splits"] == retrained["splits"]
    assert plain["selection"]["chosen"] == {**retrained["selection"]["chosen"], "halving": None}


def test_the_labels_of_test_images_change_no_byte(tmp_path: Path) -> None:
    """Of a folder with a test part, and of the same one whose test images have exchanged their classes."""
    outcomes = []
    write_images(tmp_path / "images" / "train")
    write_images(tmp_path / "images" / "test", each=5)
    for name in ("as they are", "permuted"):
        start(recipe(tmp_path / "images", {"data.train_fraction": 0.5}), tmp_path / name, Callback())
        outcomes.append(tmp_path / name)
        test = tmp_path / "images" / "test"
        shutil.move(test / "class0", test / "aside")
        shutil.move(test / "class1", test / "class0")
        shutil.move(test / "aside", test / "class1")
    assert same(*outcomes)
    assert leaves(outcomes[0]) == leaves(outcomes[1])


def test_a_single_leaf_is_retrained_through_every_rung(images: Path, tmp_path: Path) -> None:
    changes = {"split.splitter": "none", "trust.control": 0, "selection.schedule": "[1, 2, 3]"}
    result = start(recipe(images, changes), tmp_path / "run", Callback())
    (leaf,) = result["selection"]["leaves"]
    assert [rung["epochs"] for rung in leaf["retrained"]] == [1, 2, 3]
    assert result["chosen"]["path"] == leaf["path"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"selection.by": "fortune"}, "selection.by: unknown 'fortune'"),
        ({"selection.schedule": "[]"}, "selection.by=halving needs the epochs"),
        ({"selection.schedule": "null"}, "selection.by=halving needs the epochs"),
        ({"selection.schedule": "[2, 2]"}, "selection.schedule=[2, 2]: every rung must be longer"),
        ({"selection.schedule": "[3, 1]"}, "selection.schedule=[3, 1]: every rung must be longer"),
        ({"selection.schedule": "[1, 2, 3]"}, "selection.schedule=[1, 2, 3]: has 3 rungs, but 4 leaves fill 2"),
        ({"selection.schedule": "[0, 2]"}, "selection.schedule.0"),
        ({"selection.training": "{batchsize: 3}"}, "selection.training.batchsize: unknown key"),
        ({"selection.training": "{batch_size: none}"}, "selection.training.batch_size"),
        ({"selection.training": "{epochs: 7}"}, "selection.training.epochs=7"),
        ({"selection.training": "{auxiliary: 0.4}"}, "selection.training.auxiliary=0.4"),
        ({"selection.training": "{learning_rate_min: 1}"}, "selection.training.learning_rate_min=1"),
        ({"selection.space": "{chanels: 3}"}, "selection.space.chanels: unknown key"),
        ({"selection.space": "{ops: [none, nor_conv_3x3]}"}, "selection.space: has other choices"),
        ({"selection.space": "{name: darts}"}, "selection.space."),
        ({"selection.recipe": "nowhere.yaml"}, "nowhere.yaml"),
        ({"selection.by": "mixture-loss", "method.name": "random"}, "method.name=random trains no supernet"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    changes: dict[str, Any], words: str, images: Path, tmp_path: Path
) -> None:
    method = {} if "method.name" in changes else RSPS
    settings = {**SIZES, **method, **HALVING, **changes, "data.name": images}

    def begin() -> None:
        words = [f"{key}={value}" for key, value in settings.items()]
        start(load_recipe(None, words, {}), tmp_path / "run", Callback())

    with pytest.raises(UserError) as refused:
        begin()
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_a_network_that_diverges_names_the_keys_of_its_training(images: Path, tmp_path: Path) -> None:
    wild = recipe(images, {"selection.training": "{learning_rate: 1.0e+30, clip: 1.0e+30, batch_size: 6}"})
    words = (
        r"retrained [01]\.[01], step \d+: the loss is (nan|inf); try a smaller selection\.training\.learning_rate or"
    )
    with pytest.raises(UserError, match=words):
        start(wild, tmp_path / "run", Callback())


def test_keys_of_halving_without_halving_are_named(images: Path) -> None:
    asked = recipe(images, {"selection.by": "mixture-loss"})
    _, notes = resolve(asked, find_space(asked.space))
    named = [note.partition(" ")[0] for note in notes if note.startswith("selection.")]
    assert named == ["selection.schedule", "selection.training", "selection.space"]


def test_a_resolved_recipe_says_all_of_retraining_and_resolves_to_itself(images: Path) -> None:
    asked = recipe(images, {})
    resolved, _ = resolve(asked, find_space(asked.space))
    assert resolve(resolved, find_space(asked.space))[0] == resolved
    assert resolved.selection.training["epochs"] == 3
    assert resolved.selection.training["batch_size"] == 6
    assert resolved.selection.space["channels"] == 3


def test_a_recipe_of_cleave_train_is_taken_with_its_size(images: Path, tmp_path: Path) -> None:
    """A named one on its own space, a file on any; what is given in the search's recipe comes before it."""
    darts = ["space.name=darts", "selection.by=halving", "selection.schedule=[5, 20]"]
    asked = load_recipe(None, [*darts, "selection.recipe=darts-cifar", "selection.space={channels: 8}"], {})
    resolved = resolve(asked, find_space(asked.space))[0].selection
    assert (resolved.space["cells"], resolved.space["channels"]) == (20, 8)
    assert resolved.training["cutout"] == 16
    assert resolved.training["epochs"] == 20
    file = tmp_path / "mine.yaml"
    file.write_text("training: {momentum: 0.5, batch_size: 7}\nspace: {channels: 5}\n")
    asked = recipe(images, {"selection.recipe": file})
    resolved = resolve(asked, find_space(asked.space))[0].selection
    assert resolved.recipe == str(file)
    assert (resolved.training["momentum"], resolved.training["batch_size"]) == (0.5, 6)
    assert resolved.space["channels"] == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("trainig: {momentum: 0.5}", "trainig: unknown key; did you mean training?"),
        ("training: 3", "training: "),
        ("space: 3", "space: "),
        ("training: {momentum: 5}", "training.momentum: "),
        ("space: {name: darts}", "is of the space darts, and the search is in nasbench201"),
    ],
)
def test_a_recipe_of_retraining_that_is_none_is_named(content: str, words: str, images: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    asked = recipe(images, {"selection.recipe": file})
    with pytest.raises(UserError) as refused:
        resolve(asked, find_space(asked.space))
    assert str(refused.value).startswith(f"selection.recipe={file}: ")
    assert words in str(refused.value)
