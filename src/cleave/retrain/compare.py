"""`cleave compare`: what a supernet's weights are worth, fine-tuned and against new ones, on held-out images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from cleave.data.given import Given
from cleave.engine.progress import Callback
from cleave.errors import Interrupted, UserError, refuse_repeats
from cleave.extras import need_extra
from cleave.given import RecipeLike
from cleave.retrain.recipes import load_training, resolve_training
from cleave.retrain.runner import start_or_resume
from cleave.retrain.settings import RetrainRecipe
from cleave.run.durable import write_json
from cleave.run.folder import make_folder
from cleave.run.origin import differences
from cleave.stats.intervals import student, wilson

INHERITED, TUNED, SCRATCH = "inherited", "fine-tuned", "from scratch"
"""The rows: without training, trained from the supernet's weights, trained from new ones."""
TRAINED = (TUNED, SCRATCH)
FILE = "comparison.json"
Results = Mapping[str, Sequence[Mapping[str, Any]]]
"""Of the trainings of a row, seed by seed."""


@dataclass(frozen=True)
class ComparisonRequest:
    """What is compared: the architecture that a finished search chose, or that a JSON file of `cleave evolve` names.

    recipe: of fine-tuning; None: finetune. scratch: of training from scratch, for as many epochs; None: short. keys: of
    both. out: None for a folder in runs/ that has the search's name.
    """

    source: Path
    seeds: Sequence[int] = (0,)
    recipe: RecipeLike | None = None
    scratch: RecipeLike | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)
    out: Path | None = None


def compare(request: ComparisonRequest, callback: Callback, given: Given | None = None) -> dict[str, Any]:
    """Trains what is not there yet, writes comparison.json, and returns it with "folder".

    UserError for what the user can correct; Interrupted when asked to stop: the same request goes on from there.
    """
    check_request(request)
    recipes = {row: [recipe_of_row(request, row, seed) for seed in request.seeds] for row in TRAINED}
    check_alike(recipes[TUNED][0], recipes[SCRATCH][0])
    out = make_folder(request.out or Path("runs") / f"compare-{request.source.resolve().name.removesuffix('.json')}")
    callback.say(f"folder: {out}")
    try:
        results = {row: trained(row, recipes[row], out, callback, given) for row in TRAINED}
    except (Interrupted, KeyboardInterrupt) as error:  # the second one between two trainings
        raise Interrupted("interrupted; the same command goes on from there") from error
    report = report_of(request, results)
    write_json(out / FILE, report)
    return {"folder": str(out), **report}


def check_request(request: ComparisonRequest) -> None:
    """UserError for seeds of which nothing can be told, for keys that the rows differ in, and under torchrun."""
    refuse_repeats("--seeds", request.seeds)
    if not request.seeds:
        raise UserError("--seeds: give one or more, as in --seeds 0,1,2")
    if len(request.seeds) > 1:
        need_extra("compare", "cleave compare --seeds")
    for key in {"seed", "begin.weights"} & request.keys.keys():
        raise UserError(f"{key}: differs from row to row of a comparison; leave it out, and give --seeds for seeds")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("cleave compare: trains in one process; start it without torchrun")


def recipe_of_row(request: ComparisonRequest, row: str, seed: int) -> RetrainRecipe:
    """How a row is trained: fine-tuning as asked, training from scratch for as many epochs."""
    tuned = {**request.keys, "begin.weights": "supernet", "seed": seed}
    tuning = load_training(request.source, request.recipe, tuned)
    if row == TUNED:
        return tuning
    epochs = {"training.epochs": tuning.training.epochs, "begin.weights": "new", "seed": seed}
    common = {key: value for key, value in request.keys.items() if not key.startswith("begin.")}
    return load_training(request.source, request.scratch, {**common, **epochs})


def check_alike(tuning: RetrainRecipe, scratch: RetrainRecipe) -> None:
    """UserError where the two are of other images or sizes, or none are held out."""
    one, other = (resolve_training(each).model_dump(mode="json") for each in (tuning, scratch))
    for section in ("data", "space"):
        odd = list(differences(one[section], other[section], f"{section}."))
        if odd:
            raise UserError(f"{odd[0]} in fine-tuning: give both recipes the same images and sizes")
    if tuning.data.use == "all":
        raise UserError("data.use=all: leaves no images to compare by; give data.use=train")


def trained(
    row: str, recipes: Sequence[RetrainRecipe], out: Path, callback: Callback, given: Given | None
) -> list[dict[str, Any]]:
    """The outcomes of a row's trainings, each in a run folder of its own."""
    results = []
    for recipe in recipes:
        callback.say(f"{row}, seed {recipe.seed}")
        results.append(start_or_resume(recipe, folder_of(out, row, recipe.seed), callback, given))
    return results


def folder_of(out: Path, row: str, seed: int) -> Path:
    return out / f"{row.replace(' ', '-')}-seed{seed}"


def report_of(request: ComparisonRequest, results: Results) -> dict[str, Any]:
    """{"run", "space", "arch", "epochs", "leaf", "seeds", "images", "rows", "differences"}.

    Accuracies are in percent of the held-out images.
    """
    first = results[TUNED][0]
    held = {
        INHERITED: [each["inherited"]["held_out"] for each in results[TUNED]],
        **{row: [each["held_out"] for each in results[row]] for row in TRAINED},
    }
    pairs = ((TUNED, INHERITED), (TUNED, SCRATCH))
    return {
        "run": str(request.source),
        **{key: first[key] for key in ("space", "arch", "epochs")},
        "leaf": first["inherited"]["leaf"],
        "seeds": list(request.seeds),
        "images": first["held_out"]["images"],
        "rows": {row: row_json(found) for row, found in held.items()},
        "differences": [difference(pair, held) for pair in pairs],
    }


def row_json(held: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Accuracies seed by seed with their mean. "interval": 95 %, of the mean over seeds (Student's t), or of the images
    (Wilson) where there is one seed; null where all seeds are equal."""
    accuracies = [each["accuracy"] for each in held]
    return {
        "accuracies": accuracies,
        "balanced_accuracies": [each["balanced_accuracy"] for each in held],
        "mean": mean(accuracies),
        "interval": student(accuracies) if len(held) > 1 else of_images(held[0]),
    }


def of_images(held: Mapping[str, Any]) -> tuple[float, float]:
    """The 95 % interval of an accuracy of so many images, percent."""
    low, high = wilson(round(held["accuracy"] / 100 * held["images"]), held["images"])
    return 100 * low, 100 * high


def difference(pair: tuple[str, str], held: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """By how many points the first row is above the second, seed by seed; the interval needs several."""
    one, other = ([each["accuracy"] for each in held[row]] for row in pair)
    points = [a - b for a, b in zip(one, other, strict=True)]
    return {"rows": list(pair), "mean": mean(points), "interval": student(points), "n": len(points)}
