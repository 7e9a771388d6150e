"""The networks of others: all are trained a little, and the best of them as long as ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cleave.design.latency import within
from cleave.design.settings import DesignRecipe
from cleave.design.trainings import Candidate, dealt, epochs_in, held_out, pace_of, train
from cleave.design.work import FIRST, LONG, Work
from cleave.net.sized import Sized
from cleave.ops.timm_body import config_of
from cleave.search.opponents import Opponent, opponents
from cleave.settings import COST_OF
from cleave.space.timm_networks import PREFIX


def check_names(recipe: DesignRecipe) -> None:
    """UserError for a name that timm has not."""
    for name in recipe.against:
        config_of(name)


def find_others(work: Work, asked: Sized) -> list[dict[str, Any]]:
    """Those within the limits, as JSON; `asked`: our space at its size."""
    most = {COST_OF[key]: limit for key, limit in work.recipe.limits.given.items() if key != "latency"}
    found = opponents(asked, most, work.recipe.against, work.recipe.seed)
    for each in found:
        if not each.within:
            work.callback.say(f"{each.name} is above the limits; it is left out")
    return [candidate_of(each, asked).to_json() for each in found if each.within]


def candidate_of(other: Opponent, asked: Sized) -> Candidate:
    """With pretrained weights where they are at hand."""
    keys: dict[str, Any] = {}
    if not other.arch.startswith(PREFIX):
        keys = {f"space.{key}": value for key, value in dict(asked.size).items()}
    elif other.width != 1:
        keys = {"space.width": other.width}
    elif other.weights is not None:
        keys = {"begin.weights": "pretrained"}
    return Candidate(other.name.replace(f" of {asked.space.name}", ""), other.arch, keys)


def first_round(work: Work, asked: Sized) -> list[Candidate]:
    """All others for which there is time are trained, the quickest first; returns those that were."""
    listed = work.once("others", lambda: find_others(work, asked))
    others = [each for each in (Candidate(**told) for told in listed) if within(work, each)]
    paces = {each.name: pace_of(work, each) for each in others}
    epochs = work.once(FIRST, lambda: dealt(work.share(FIRST), paces))
    for each in sorted(others, key=lambda each: paces[each.name]):
        if epochs[each.name]:
            train(work, each, epochs[each.name])
        else:
            work.callback.say(f"{each.name}: an epoch takes {paces[each.name]:.0f} s; there is no time for it")
    return [each for each in others if epochs[each.name]]


def long_round(work: Work, others: list[Candidate]) -> list[Candidate]:
    """The best of the others so far, from the beginning again and for longer, if there is time for more epochs.

    It is the last, and ends in time: what took longer before, or takes longer now, makes it shorter.
    """
    if not others:
        return []
    name = work.once("best other", lambda: max(others, key=lambda each: held_out(work, each)).name)
    best = next(each for each in others if each.name == name)
    epochs = work.once(LONG, lambda: epochs_in(work.share(LONG), pace_of(work, best)))
    if epochs <= work.known[FIRST][name]:
        return []
    longer = replace(best, name=f"{name} longer")
    train(work, longer, epochs, until=lambda: work.left - work.reserve)
    return [longer]
