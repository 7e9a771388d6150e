"""What a training tells; of test images only if it was asked about them before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from cleave.data.images import Images, fingerprint
from cleave.errors import UserError
from cleave.pages.answers import answer_sections, test_sentence
from cleave.pages.drawings import architecture_section
from cleave.pages.facts import Answered, Curve, Facts, Standing
from cleave.pages.kinds import Asked, kind
from cleave.pages.verdicts import held_out_standing, judged_by_test
from cleave.report import Series
from cleave.retrain.answers import Said, kept_answers
from cleave.retrain.compare import of_images
from cleave.retrain.evaluate import check_images, judged
from cleave.retrain.recipes import recipe_of, trained_layout
from cleave.retrain.result import read_training
from cleave.retrain.settings import RetrainRecipe
from cleave.retrain.text import made_lines
from cleave.run.alarm import alarm_lines
from cleave.run.origin import TRAIN, holds, read_origin
from cleave.run.reading import names_in
from cleave.run.view import events_of
from cleave.search.drawn import Drawn, refuse_unasked
from cleave.space import find_space
from cleave.terminal import accuracy_text

CHARTS = {"loss": "Training loss", "held_out": "Held-out accuracy, %"}
"""By what events have."""


def is_training(path: Path) -> bool:
    return holds(path, TRAIN)


@kind(TRAIN, is_training)
def of_training(path: Path, name: str, asked: Asked) -> Sequence[Facts]:
    told, origin = read_training(path).to_json(), read_origin(path, TRAIN)
    refuse_unasked(path, origin.recipe["space"]["name"], asked.space)
    recipe, held = recipe_of(origin), told["held_out"]
    facts = Facts(
        name,
        "Training of one network",
        summary=made_lines(told),
        verdicts=held_out_sentences(told),
        warnings=alarm_lines(told.get("guards", [])),
        standings=[] if held is None else [held_out_standing(name, held, recipe.data.name, **costs_of(told))],
        curves=curves(name, events_of(path)),
        costs={"seconds": told["seconds"], "epochs": told["epochs"], "training images": told["train"]["images"]},
        environment=origin.environment,
        used=[f"space {told['space']}", f"data {recipe.data.name}"],
        sections=architecture_section(drawn(recipe, len(origin.environment["mean"]))),
    )
    return [with_answers(facts, path, told, asked)]


def held_out_sentences(told: dict[str, Any]) -> list[str]:
    held = told["held_out"]
    if held is None:
        return []
    accuracy = accuracy_text(held["accuracy"], of_images(held))
    balanced = f"balanced accuracy {held['balanced_accuracy']:.2f} %"
    return [f"Held-out accuracy {accuracy} of {held['images']} images, {balanced}."]


def costs_of(told: dict[str, Any]) -> dict[str, Any]:
    return {key: told[key] for key in ("multiply_adds", "parameters")}


def curves(name: str, events: Sequence[dict[str, Any]]) -> list[Curve]:
    """Epoch by epoch; of held-out images from before the first step, where weights were good already."""
    return [
        Curve(chart, Series(name, [(each["epoch"], each[key]) for each in events if each.get(key) is not None]))
        for key, chart in CHARTS.items()
    ]


def drawn(recipe: RetrainRecipe, channels: int) -> Drawn:
    space = find_space(recipe.space)
    return Drawn(space, trained_layout(space, recipe, channels), space.parse(recipe.arch))


class JudgedAnswers(NamedTuple):
    """What a training said of test images: `found` as `cleave evaluate --json` prints it, and of what it is."""

    found: dict[str, Any]
    data: str
    images: Images
    said: Said


def judged_answers(path: Path, asked: Asked) -> JudgedAnswers | None:
    """None where a training was not asked about test images; with a word where these are not to be had."""
    if not any(file.startswith("answers-") for file in names_in(path)):
        return None
    origin = read_origin(path, TRAIN)
    try:
        data, images = asked.test_images(recipe_of(origin).data)
        check_images(images, origin, path, data)
    except UserError as error:
        asked.callback.say(f"{path}: nothing is told of test images: {error}")
        return None
    said = kept_answers(path, images)
    if said is None:
        asked.callback.say(f"{path}: was not asked about the test images of {data}: cleave evaluate {path}")
        return None
    return JudgedAnswers(judged(str(path), data, images, said.predicted), data, images, said)


def with_answers(facts: Facts, path: Path, told: dict[str, Any], asked: Asked) -> Facts:
    """The same with what it said of test images."""
    answered = judged_answers(path, asked)
    if answered is None:
        return facts
    found, data, images, said = answered
    interval = (found["interval"][0], found["interval"][1])
    tested = Standing(facts.name, judged_by_test(len(images), data), found["accuracy"], interval, **costs_of(told))
    return replace(
        facts,
        verdicts=[test_sentence(found), *facts.verdicts],
        standings=[tested, *facts.standings],
        sections=[*facts.sections, *answer_sections(found, images, said)],
        answered=Answered(path, fingerprint((images,))),
    )
