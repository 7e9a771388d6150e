"""Which network is used: the best on held-out images; then test images tell how good it is, once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

from cleave.data.parts import NoTestPart
from cleave.design.latency import milliseconds
from cleave.design.trainings import Candidate, folder_of
from cleave.design.work import Work
from cleave.errors import UserError
from cleave.export.runner import ExportRequest, export
from cleave.export.subject import Whose
from cleave.opening import find_part, reading_of
from cleave.retrain.result import finished_trainings, read_training
from cleave.retrain.verdict import find_verdict

EXPORT = "export"
"""The folder of the chosen network's files."""
KEPT = ("arch", "space", "parameters", "multiply_adds", "epochs", "held_out", "inherited", "pretrained", "seconds")
"""What of a training's outcome is told of a network."""


def ordered(work: Work, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best on held-out images first, but our best before all: it is what others are compared with."""
    names = [each.run.name for each in finished_trainings(work.path)]
    ranked = sorted(candidates, key=lambda each: names.index(each.slug))
    best = next((each for each in ranked if each.ours), ranked[0])
    return [best, *(each for each in ranked if each is not best)]


def chosen_of(work: Work, candidates: Sequence[Candidate]) -> Candidate:
    """The network to use."""
    name = finished_trainings(work.path)[0].run.name
    return next(each for each in candidates if each.slug == name)


def no_test_part(work: Work) -> str | None:
    """Why there are no test images; None where there are some."""
    if work.given is not None:
        return "images that were given in Python have no test part"
    try:
        find_part(work.recipe.data, "test", reading_of(work.recipe.data, work.callback), None)
    except NoTestPart as error:
        return str(error)
    return None


def verdict_on(work: Work, listed: Sequence[Candidate]) -> dict[str, Any]:
    """What test images say of all networks, the first against the others; {"none": why} where nothing can be said."""
    if (why := no_test_part(work)) is not None:
        return {"none": why}
    if len(listed) < 2:
        return {"none": "there is one network alone, and nothing to compare it with"}
    found = find_verdict([folder_of(work, each) for each in listed], work.callback)
    return {"test": found["test"]}


def exported(work: Work, chosen: Candidate) -> dict[str, Any]:
    """The card of the chosen network's files; {"error": why} where they could not be made, or answered otherwise."""
    out = work.path / EXPORT
    shutil.rmtree(out, ignore_errors=True)  # of a design that was killed before this was noted down
    try:
        card = export(ExportRequest(Whose(folder_of(work, chosen)), out), work.callback, work.given)
    except UserError as error:
        work.callback.say(f"export: {error}")
        return {"error": str(error)}
    return {**card, "folder": EXPORT}


def facts(work: Work, candidate: Candidate, verdict: dict[str, Any]) -> dict[str, Any]:
    """What there is to say of a network; places are relative to the folder of the design."""
    told = read_training(folder_of(work, candidate)).to_json()
    tested = {each["name"]: each for each in verdict.get("test", {}).get("networks", ())}
    return {
        "name": candidate.name,
        "ours": candidate.ours,
        "run": str(folder_of(work, candidate).relative_to(work.path)),
        "recipe": candidate.recipe,
        **{key: told.get(key) for key in KEPT},
        "latency_ms": milliseconds(work, candidate),
        "test": tested.get(candidate.slug),
    }
