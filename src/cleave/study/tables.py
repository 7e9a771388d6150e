"""Tables of the paper: several studies in one folder, what was found and what the paper found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cleave.config import load
from cleave.engine.engine import ONE, Engine
from cleave.engine.progress import Callback
from cleave.errors import Interrupted, UserError
from cleave.reproduce.grid import chosen_rows, slug
from cleave.reproduce.runner import SHOWN
from cleave.run.durable import write_bytes, write_json
from cleave.run.folder import make_folder
from cleave.run.origin import STUDY, holds, newest_meta
from cleave.run.reading import Timing, read_json
from cleave.study.analysis.metrics_report import report
from cleave.study.record.catalogue import TITLES, StudyEntry, at_budget, find_table
from cleave.study.record.log import read_log
from cleave.study.record.settings import StudyRecipe
from cleave.study.record.truth import read_truth
from cleave.study.runner import is_told, read_recipe, resolve, resume, start
from cleave.study.telling.figures import Subject, draw, save
from cleave.study.telling.page import read_made, write_page
from cleave.study.telling.tables_text import RANKS, markdown


@dataclass(frozen=True)
class TableRequest:
    """What is asked for: a table at a budget; `only` empty for all of its studies."""

    name: str
    budget: str
    only: Sequence[str] = ()
    changes: Sequence[str] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    out: Path | None = None
    engine: Engine = ONE


def make_table(request: TableRequest, callback: Callback) -> dict[str, Any]:
    """Runs what is not there yet, writes table.json, table.md and report.html, and returns the table with "folder".

    UserError for what the user can correct; Interrupted when asked to stop: the same request goes on from there.
    """
    entries = chosen(request)
    recipes = [recipe_of(entry, request) for entry in entries]
    out = request.out or Path("runs") / f"study-{entries[0].table}-{request.budget}"
    make_folder(out / "studies")
    callback.say(f"folder: {out}")
    for number, (entry, recipe) in enumerate(zip(entries, recipes, strict=True), start=1):
        callback.say(f"{number} of {len(entries)}: {entry.name}")
        perform(folder_of(out, entry), recipe, callback, request.engine)
    truth = Path(recipes[0].truth) if recipes[0].truth else None
    found = compile_table(out, entries, request.budget, truth)
    write_json(out / "table.json", found)
    write_bytes(out / "table.md", markdown(found).encode())
    draw_together(out, entries, truth)
    return {"folder": str(out), **found}


def chosen(request: TableRequest) -> list[StudyEntry]:
    """The studies that are asked for and can be run at the budget."""
    return chosen_rows(at_budget(find_table(request.name), request.budget), request.only)


def recipe_of(entry: StudyEntry, request: TableRequest) -> StudyRecipe:
    return load(StudyRecipe, entry.recipe(request.budget), request.changes, request.flags)


def folder_of(out: Path, entry: StudyEntry) -> Path:
    return out / "studies" / slug(entry.name.partition("/")[2])


def perform(folder: Path, recipe: StudyRecipe, callback: Callback, engine: Engine) -> None:
    """Runs a study, goes on with it, or sees that it is done; UserError where the folder is of another recipe."""
    try:
        if not holds(folder, STUDY):
            start(recipe, folder, callback, engine)
            return
        if essence(read_recipe(folder)) != essence(resolve(recipe)):
            raise UserError(f"{folder}: was run by another recipe; give --out a new folder")
        if not (folder / "report.html").exists() or not is_told(folder):
            resume(folder, callback, engine)
    except Interrupted as error:
        raise Interrupted("interrupted and saved; the same command goes on from there") from error


def essence(recipe: StudyRecipe) -> StudyRecipe:
    """A recipe without paths, device, places of images and the time between checkpoints, which change no figure."""
    data = recipe.data.model_copy(update={"root": None, "storage": "auto"})
    others = {"truth": None, "device": "cpu", "threads": 1, "checkpoint_seconds": 0.0}
    return recipe.model_copy(update={"data": data, **others})


def compile_table(out: Path, entries: Sequence[StudyEntry], budget: str, truth: Path | None) -> dict[str, Any]:
    """{"table", "title", "budget", "truth", "rows": [...], "environment", "seconds"}; see `row`."""
    rows = [row(folder_of(out, entry), entry, truth) for entry in entries]
    environment = newest_meta(folder_of(out, entries[0]))["origin"]["environment"]
    return {
        "table": entries[0].table,
        "title": TITLES[entries[0].table],
        "budget": budget,
        "truth": str(truth) if truth else None,
        "rows": rows,
        "environment": {name: environment.get(name) for name in SHOWN},
        "seconds": sum(each["seconds"] for each in rows),
    }


def row(folder: Path, entry: StudyEntry, truth: Path | None) -> dict[str, Any]:
    """{"name", "title", "instances", "dense_looks", "mini_batches", "per_child", "seconds", "measures": {name: {...,
    "published", "published_sd", "difference"}}}, see `measures`; `per_child`: mini-batches, mean over children."""
    log = read_log(folder / "log.parquet")
    found = report(log, read_truth(truth, log) if truth else None, seed=0)
    ledger = read_made(folder).ledger
    trained = [part for part in ledger if "-tune" not in part["what"]]
    mini_batches = sum(part["mini_batches"] for part in trained)
    return {
        "name": entry.name,
        "title": entry.title,
        "instances": len(log.instances),
        "dense_looks": found["n"]["dense_looks"],
        "mini_batches": mini_batches,
        "per_child": mini_batches / (len(log.instances) * len(log.children)),
        "seconds": read_json(folder / "timing.json", Timing)["seconds"],
        "measures": {
            name: beside(ours, None if name in RANKS and len(log.children) != CHILDREN else entry.published.get(name))
            for name, ours in measures(found).items()
        },
    }


EXTREMES = ("max", "min")
TNR = ("t1r", "t3r")
CHILDREN = 64
"""Of the paper: ranks among fewer or more are no match for its own."""


def measures(found: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """What Tables 1 to 3 tell of a study, by name: {"ours", "sd", "low", "high"}.

    Means of tau also have "defined" and "of": in how many looks, or pairs of them, it is defined, also for the
    deviation and extremes that follow.

    s_tau, _max, _min: between instances at their last look. gt_tau_last, t1r, t3r: of the last looks, the deviation
    over instances. s_tau_epochs, _max, _min, gt_tau_epochs, _std: within an instance over its last epochs.
    gt_tau_mean, _std, _max, _min: over the last dense looks, mean over instances.
    """
    stability, last, epochs = found["s_tau"], found["instances"], found["epochs"]
    return {
        **stable("s_tau", stability["instances"]),
        **({"gt_tau_last": bounded(last["gt_tau"])} if last else {}),
        **({name: across(last[name]) for name in TNR} if last else {}),
        **stable("s_tau_epochs", stability["epochs"]),
        **({"gt_tau_epochs": of_looks(epochs)} if epochs else {}),
        **({"gt_tau_epochs_std": across(epochs["gt_tau"]["std"])} if epochs else {}),
        **({f"{name}_epochs": across(epochs[name]) for name in TNR} if epochs else {}),
        **(window(found["looks"][0]) if found["looks"] else {}),
    }


def stable(name: str, part: Mapping[str, Any] | None) -> dict[str, dict[str, float | None]]:
    """S-Tau and the extremes of its pairs."""
    if part is None:
        return {}
    return {name: bounded(part), **{f"{name}_{extreme}": figure(part[extreme]) for extreme in EXTREMES}}


def window(part: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """GT-Tau over dense looks."""
    spread = {f"gt_tau_{name}": across(part["gt_tau"][name]) for name in ("std", *EXTREMES)}
    return {"gt_tau_mean": of_looks(part), **spread}


def of_looks(part: Mapping[str, Any]) -> dict[str, float | None]:
    """The mean GT-Tau over a window of looks."""
    return {**across(part["gt_tau"]["mean"]), "defined": part["defined"], "of": part["looks"]}


def bounded(estimate: Mapping[str, Any]) -> dict[str, float | None]:
    known = {"defined": estimate["defined"], "of": estimate["of"]}
    return {**figure(estimate["value"], estimate.get("std"), estimate["low"], estimate["high"]), **known}


def across(part: Mapping[str, Any]) -> dict[str, float | None]:
    return figure(part["mean"], part["std"])


def figure(
    ours: float | None, deviation: float | None = None, low: float | None = None, high: float | None = None
) -> dict[str, float | None]:
    return {"ours": ours, "sd": deviation, "low": low, "high": high}


def beside(ours: dict[str, float | None], published: tuple[float, float | None] | None) -> dict[str, float | None]:
    """Our figure next to the paper's, where it has one."""
    mean, deviation = published or (None, None)
    value = ours["ours"]
    difference = None if mean is None or value is None else value - mean
    return {**ours, "published": mean, "published_sd": deviation, "difference": difference}


def draw_together(out: Path, entries: Sequence[StudyEntry], truth: Path | None) -> None:
    """The page of the table's first study, with the S-Tau of the others drawn too (Figure 2 of the paper)."""
    logs = {entry.name: read_log(folder_of(out, entry) / "log.parquet") for entry in entries}
    (_, first), *others = logs.items()
    true = read_truth(truth, first) if truth else None
    subject = Subject(first, true, dict(others))
    drawings = draw(subject)
    save(drawings, out / "figures")
    folder = folder_of(out, entries[0])
    write_page(out / "report.html", subject, report(first, true), read_made(folder), drawings)
