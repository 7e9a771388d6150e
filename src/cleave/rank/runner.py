"""`cleave rank`: from a run, or a recipe that is searched first, to rank correlations and a CSV file."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cleave.config import load_recipe
from cleave.data.given import Given
from cleave.engine.progress import Callback
from cleave.errors import Interrupted
from cleave.files import check_free, holds_text, refuse_pipe
from cleave.memory import memory_for
from cleave.rank.alone import forget, trained_alone
from cleave.rank.columns import Numbers
from cleave.rank.contest import SUPERNET, Contest, prepare
from cleave.rank.judge import judge
from cleave.rank.predictions import ARCH
from cleave.rank.question import RankQuestion
from cleave.rank.truth import ACCURACY, ALONE, JUDGED, TRUE, inputs_of
from cleave.run.durable import write_bytes
from cleave.search.finished import FinishedRun, open_finished, read_recipe
from cleave.search.judging import Judging
from cleave.search.opponents import training_of
from cleave.search.runner import start
from cleave.search.watching import raised_by_ranking
from cleave.split import Node
from cleave.stats.ranking import score
from cleave.torch_state import cpu_threads


def rank(source: Path, question: RankQuestion, callback: Callback, given: Given | None = None) -> dict[str, Any]:
    """Ranks the architectures of a finished run, or of a recipe after its search, and writes a CSV file.

    Returns {"run", "file", "dataset", "truth", "architectures", "images", "judged_by", "as_searched", "averaged",
    "seconds", "guards", "rows", "next" (the command that trains the best by the run's weights)}: `truth` as in
    `cleave.rank.truth`, with the held-out "images" where it was trained for here; `judged_by` and `guards` as in
    result.json, `as_searched` whether the search judged so too, rows by name as `cleave.stats.ranking.score` gives
    them. UserError for what the user can correct, most of it before anything runs; Interrupted when asked to stop:
    the file is then not there, and the same call goes on with what is trained alone.
    """
    path = searched(source, question, callback) if holds_text(source) else source
    began = time.monotonic()
    recipe = read_recipe(path, question.flags)
    file = question.out or path / "ranking.csv"
    check_free(file)
    contest = prepare(recipe, question, inputs_of(path))
    run = open_finished(path, recipe, callback, given)
    leaves, part = run.holders(contest.archs), file.with_name(f"{file.name}.part")
    true = true_accuracies(run, contest, question, part, callback)
    accuracy = judged(run, contest, leaves, question, callback)
    judging = question.judging(run.problem.recipe.search)
    images = min(question.images, len(run.problem.valid))
    rows = scored(contest, true, accuracy, question.seed)
    write_bytes(file, table(contest, leaves, true, accuracy, how(judging, images, question.average)))
    if question.alone is not None:
        forget(part)
    return {
        "run": str(path),
        "file": str(file),
        "dataset": contest.truth.dataset,
        "truth": truth_told(contest, run),
        "architectures": len(contest.archs),
        "images": images,
        "judged_by": judging.told,
        "as_searched": judging == run.problem.judging,
        "averaged": question.average,
        "seconds": round(time.monotonic() - began, 3),
        "guards": raised_by_ranking(run.problem, judging),
        "rows": rows,
        "next": training_of(str(path), contest.names[int(accuracy.argmax())]),
    }


def searched(recipe_file: Path, question: RankQuestion, callback: Callback) -> Path:
    """The folder of the recipe's search. What is wrong with the question is said before the search."""
    benchmark = None if question.benchmark is None else str(question.benchmark)
    recipe = load_recipe(recipe_file, (), {**question.flags, "benchmark": benchmark})
    for file in question.predictions:
        refuse_pipe("--predictions", file)
    if question.truth is not None:
        refuse_pipe("--truth", question.truth)
    if question.out is not None:
        check_free(question.out)
    prepare(recipe, question)
    return Path(start(recipe, None, callback)["run"])


def true_accuracies(
    run: FinishedRun, contest: Contest, question: RankQuestion, part: Path, callback: Callback
) -> Numbers:
    """What is known of each architecture trained alone, or else is found out now."""
    known = contest.truth.accuracies
    return trained_alone(run, contest, question, part, callback) if known is None else known


def truth_told(contest: Contest, run: FinishedRun) -> dict[str, Any]:
    """What the truth is."""
    told = contest.truth.told
    return {**told, "images": len(run.problem.valid)} if told["from"] == ALONE else {**told}


def judged(
    run: FinishedRun, contest: Contest, leaves: Sequence[Node], question: RankQuestion, callback: Callback
) -> Numbers:
    """Each architecture's held-out accuracy, unless a signal comes."""
    one = cpu_threads(1)  # children run side by side instead
    with one, callback.stop as stop, memory_for("ranking", "--threads or --images"):
        try:
            return judge(run, contest.archs, leaves, question, stop, callback)
        except (Interrupted, KeyboardInterrupt) as error:
            raise Interrupted("interrupted; no ranking was written") from error


def scored(contest: Contest, true: Numbers, accuracy: Numbers, seed: int) -> dict[str, dict[str, Any]]:
    """A row for the run, for each column of predictions, for each baseline, and for what was published."""
    predicted = {SUPERNET: accuracy, **contest.predictions, **contest.baselines}
    rows = {name: score(numbers, true, seed) for name, numbers in predicted.items()}
    return {**rows, **contest.truth.published}


def how(judging: Judging, images: int, average: int) -> str:
    """How architectures were judged, in few words: equal for rankings that may be compared."""
    told = judging.told
    return f"statistics={told['statistics']} batches={told['batches']} images={images} average={average}"


def table(contest: Contest, leaves: Sequence[Node], true: Numbers, accuracy: Numbers, judged_so: str) -> bytes:
    """The CSV file: every architecture with its leaf, accuracy, true accuracy and baselines; numbers in full."""
    columns = {ACCURACY: accuracy, TRUE: true, **contest.baselines}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([ARCH, "leaf", *columns, JUDGED])
    numbers = zip(*(column.tolist() for column in columns.values()), strict=True)
    for name, leaf, row in zip(contest.names, leaves, numbers, strict=True):
        writer.writerow([name, leaf.label, *row, judged_so])
    return text.getvalue().encode()
