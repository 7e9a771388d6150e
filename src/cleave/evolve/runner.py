"""`cleave evolve`: from a trained supernet to the best architecture under other limits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Any

from cleave.data.given import Given
from cleave.engine.progress import Callback
from cleave.errors import Interrupted, UserError, named, unknown
from cleave.evolve.bench import Bench, Diverged, images_of
from cleave.evolve.evaluators import EVALUATORS, ArchitectureEvaluator
from cleave.evolve.part import Part
from cleave.evolve.question import EvolveQuestion, told_as
from cleave.evolve.shifting import Shifting
from cleave.evolve.worth import Worth, weighed
from cleave.files import check_free
from cleave.memory import memory_for
from cleave.method.evolution import Evolution, Plan
from cleave.run.durable import write_json
from cleave.search.finished import FinishedRun, open_finished, read_recipe
from cleave.search.latency import hash_of, resolve_latency
from cleave.search.selection import chosen_leaf
from cleave.search.watching import raised_by_ranking
from cleave.settings import COST_OF, Recipe
from cleave.space import Arch
from cleave.split import Node
from cleave.torch_state import cpu_threads

EVOLVED = "evolved.json"
BEST = 5
"""So many are told."""


def evolve(path: Path, question: EvolveQuestion, callback: Callback, given: Given | None = None) -> dict[str, Any]:
    """The architecture that an evolution finds in a leaf of a finished run, which is also written to a file.

    Returns {"run", "file", "space", "leaf", "arch", "macs", "params", with a limit on it "latency" (ms), "limits",
    "accuracy" (percent of the "images" that it was found by), "checked_accuracy" with its "interval" (of the
    "checked_images" others), "by", "fallback" (why it is not by what was asked for), "evaluators" (Kendall's tau of
    each, and of "macs", on "check" architectures), "plan", "best" (architectures with their scores, of which the first
    is "arch"), "history" (the best score after each generation), "judged", "spent" (passes of the search, and images
    that went through networks here), "samples" (accuracies, by architecture), "of" (what these are of), "judged_by",
    "as_searched" and "guards" (as of `cleave.rank`), with `--shift` "shift" (see `Shifting.told`; accuracies and
    "history" are then by shifted weights, and "spent" has passes too), "next" (the command that trains it), "seconds"}.
    UserError for what the user can correct; Interrupted when asked to stop: the same call then goes on.
    """
    began = time.monotonic()
    names, file = names_of(question), question.out or path / EVOLVED
    recipe = recipe_for(path, question)
    check_free(file)
    run = open_finished(path, recipe, callback, given)
    leaf = leaf_of(run, question)
    of = origin_of(run, leaf, question)
    part = Part(file.with_name(f"{file.name}.part"), {**of, **asked(run, question, names[0])})
    with cpu_threads(1), callback.stop as stop, memory_for("evolution", "--threads or --images"):
        try:
            bench = Bench(run, leaf, question, part, callback, stop)
            found = searched(bench, names, of)
        except (Interrupted, KeyboardInterrupt) as error:
            kept = f"; the same command goes on from {part.file}" if part.known else ", and nothing was measured yet"
            raise Interrupted(f"interrupted{kept}") from error
        except Diverged:
            part.give_up()
            raise
        finally:  # after an error too: what was measured is not measured again with another --fallback
            part.save()
    told = {"run": str(path.absolute()), "file": str(file), **found}
    told |= {"next": f"cleave train {quote(str(file))}", "seconds": round(time.monotonic() - began, 3)}
    check_free(file)
    write_json(file, told)
    part.remove()
    return told


def names_of(question: EvolveQuestion) -> list[str]:
    """The evaluator that is asked for, then the one that takes its place; UserError for a name that there is not, and
    for what has no meaning with them."""
    given = {"--by": question.by, "--fallback": question.fallback}
    known = {name: name for name in EVALUATORS}
    names = [named(what, name, known) for what, name in given.items() if name is not None]
    if question.fallback is not None and not EVALUATORS[names[0]].floors:
        raise UserError(f"--fallback: has no meaning with --by {names[0]}, which is always used; leave it out")
    learns = [name for name in names if EVALUATORS[name].learns]
    if learns and question.shift is not None:
        raise UserError(
            f"--shift: {learns[0]} predicts by what it has learned of other weights; give --by accuracy or --by loss, "
            "or leave --shift out"
        )
    if not learns:
        for what, value in (("--samples", question.samples), ("--predictor", question.predictor)):
            if value is not None:
                raise UserError(f"{what}: has no meaning with --by {names[0]}, which learns nothing; leave it out")
    return names


def recipe_for(path: Path, question: EvolveQuestion) -> Recipe:
    """The run's recipe with the limits that are asked for."""
    recipe = read_recipe(path, question.flags)
    if question.max_latency is not None:
        recipe = recipe.model_copy(update={"latency": resolve_latency(recipe)})
    return recipe


def leaf_of(run: FinishedRun, question: EvolveQuestion) -> Node:
    """The leaf that is searched; UserError where there is none, or it has nothing within the limits."""
    recipe, leaves = run.problem.recipe, {leaf.label: leaf for leaf in run.state.searched}
    if run.problem.method.alone:
        raise UserError(f"{run.folder.path}: method.name={recipe.method.name} keeps no weights to evolve in")
    if question.leaf is not None and question.leaf not in leaves:
        raise unknown("--leaf", question.leaf, leaves)
    leaf = chosen_leaf(recipe, run.state) if question.leaf is None else leaves[question.leaf]
    if not run.problem.space.holds_valid(leaf.region):
        raise UserError(f"leaf {leaf.label}: no architecture of it is within the limits; allow more, or give --leaf")
    return leaf


def origin_of(run: FinishedRun, leaf: Node, question: EvolveQuestion) -> dict[str, Any]:
    """What measured accuracies are of."""
    return {
        "space": run.problem.space.name,
        "run": run.folder.identity,
        "leaf": leaf.label,
        "images": images_of(question, len(run.problem.valid)),
        "recalibrate": question.recalibrate,
        "forgetting": question.forgetting,
        "seed": question.seed,
    }


def asked(run: FinishedRun, question: EvolveQuestion, by: str) -> dict[str, Any]:
    """What else an evolution hangs on."""
    recipe = run.problem.recipe
    return {
        "limits": recipe.limits.model_dump(mode="json"),
        **(hash_of(recipe) if recipe.limits.latency is not None else {}),
        "by": by,
        "samples": question.samples,
        "predictor": None if question.predictor is None else str(question.predictor),
        "check": question.check,
        "plan": asdict(question.plan(EVALUATORS[by].generations)),
    }


def searched(bench: Bench, names: list[str], of: dict[str, Any]) -> dict[str, Any]:
    """What an evolution in the leaf finds, by the first of these evaluators that is worth it."""
    worth = weighed(bench, names, of)
    by = worth.used(names)
    if by != names[0]:
        bench.callback.say(f"--by {names[0]}: {worth.against(names[0])}; {by} is used instead")
    plan = bench.question.plan(EVALUATORS[by].generations)
    bench.total += plan.most
    shifting = shifting_for(bench, plan)
    evolution = run_evolution(bench, plan, by, worth.evaluators[by], shifting)
    found = facts(bench, evolution.best)
    shift = {} if shifting is None else {"shift": shifting.told(evolution.best)}
    return {
        **found,
        **shift,
        "by": by,
        "fallback": None if by == names[0] else {"asked": names[0], "why": worth.against(names[0])},
        **worth_json(bench, worth),
        "plan": asdict(plan),
        "best": [{"arch": text, "score": score} for text, score in evolution.ranked[:BEST]],
        "history": evolution.history,
        "judged": sum(evolution.sizes),
        "spent": {"search": asdict(bench.run.state.cost), "evolve": dict(bench.part.spent)},
        "of": of,
        "judged_by": bench.judging.told,
        "as_searched": bench.judging == bench.problem.judging,
        "guards": raised_by_ranking(bench.problem, bench.judging),
    }


def shifting_for(bench: Bench, plan: Plan) -> Shifting | None:
    """What shifts the weights between generations; None where that is not asked for."""
    rate, steps = bench.question.shift, bench.question.shift_steps
    if rate is None:
        return None
    bench.total += plan.generations * plan.kept
    return Shifting(bench, rate, steps or 1)


def run_evolution(
    bench: Bench, plan: Plan, by: str, evaluator: ArchitectureEvaluator, shifting: Shifting | None = None
) -> Evolution:
    """An evolution to its end, from where it was left; it is kept after each generation."""
    evolution, how = Evolution(bench.space, bench.region, plan), bench.question.how(by)
    if (kept := bench.part.evolution) is not None:
        if other := [told_as(key, kept[key]) for key in how if kept[key] != how[key]]:
            raise UserError(f"{bench.part.file}: is of an evolution {other[0]}; remove it or give another --out")
        evolution.load_state_dict(kept)
        again = 0 if shifting is None else plan.kept * (len(evolution.sizes) - 1)
        bench.done += sum(evolution.sizes) + again
    while not evolution.done:
        bench.stop.check()
        number = len(evolution.sizes)
        doing = f"generation {number} of {plan.generations}"
        if shifting is not None and number:
            shifting.renew(evolution, evaluator, doing)
        children = evolution.next(bench.chance.generator("generation", number))
        evolution.tell(children, evaluator.scores(children, "evolution", doing))
        bench.part.evolution = {**how, **evolution.state_dict()}
        bench.part.save_sometimes()
    return evolution


def facts(bench: Bench, arch: Arch) -> dict[str, Any]:
    """What is known of the architecture that was found."""
    cost, limits = bench.costs.of(arch), bench.problem.recipe.limits
    latency = {} if limits.latency is None else {"latency": cost.milliseconds}
    return {
        "space": bench.space.name,
        "leaf": bench.leaf.label,
        "arch": bench.space.format(arch),
        "macs": cost.multiply_adds,
        "params": cost.parameters,
        **latency,
        "limits": {key: {"most": most, "found": getattr(cost, COST_OF[key])} for key, most in limits.given.items()},
        **bench.found(arch),
    }


def worth_json(bench: Bench, worth: Worth) -> Mapping[str, Any]:
    texts = [bench.space.format(arch) for arch in worth.samples.archs]
    samples = dict(zip(texts, worth.samples.accuracies, strict=True))
    return {"evaluators": dict(worth.rows), "check": worth.architectures, "samples": samples}
