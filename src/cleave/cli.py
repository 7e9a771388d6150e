"""The command line: one thin function per command. torch is only imported once a command needs it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from cleave.bench.command import app as benchmark_app
from cleave.bench.command import query
from cleave.common import (
    Address,
    Changes,
    Data,
    DataRoot,
    Device,
    EngineName,
    ExtensionFiles,
    Json,
    Latency,
    MaxLatency,
    MaxMacs,
    MaxParams,
    Out,
    Processes,
    RecipeFile,
    ResourceWords,
    Run,
    Seed,
    SkipDamaged,
    SlurmWords,
    SpaceName,
    TableFile,
    Trackers,
    Workers,
    flags_of,
    tell,
    words_of,
)
from cleave.cost_command import cost
from cleave.deploy.command import measure
from cleave.design.command import design, tell_design
from cleave.errors import Interrupted, UserError, refusal
from cleave.evolve.command import evolve
from cleave.export.command import export, predict
from cleave.memory import keep_memory, lacks_memory
from cleave.pages.command import report
from cleave.pareto.command import front
from cleave.process import DONE, WRONG, complain, run_process
from cleave.rank.command import rank
from cleave.reproduce.command import reproduce
from cleave.retrain.command import evaluate, resume_training, train
from cleave.retrain.compare_command import compare
from cleave.retrain.verdict_command import verdict
from cleave.search.draw_command import draw
from cleave.search.opponents_command import opponents
from cleave.signals import INTERRUPTED
from cleave.study.command import app as study_app

# On a shared or loaded machine OpenMP's threads would otherwise spin while they wait, at up to ten times the cost.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

tell_error = partial(complain, "cleave")

app = typer.Typer(
    help="Weight-sharing neural architecture search that decides which networks should share weights.",
    no_args_is_help=True,
    add_completion=False,
    epilog="Exit status: 0 done, 2 a mistake, said in one line, 130 interrupted, 141 nobody read the output.",
    pretty_exceptions_enable=False,
)
app.add_typer(benchmark_app, name="benchmark")
app.add_typer(study_app, name="study")


@app.command()
def search(
    recipe: RecipeFile = None,
    changes: Changes = None,
    data: Data = None,
    data_root: DataRoot = None,
    skip_damaged: SkipDamaged = False,
    benchmark: TableFile = None,
    seed: Seed = None,
    out: Out = None,
    device: Device = None,
    workers: Workers = None,
    engine: EngineName = "process",
    address: Address = None,
    resources: ResourceWords = None,
    slurm: SlurmWords = None,
    space: SpaceName = None,
    max_macs: MaxMacs = None,
    max_params: MaxParams = None,
    max_latency: MaxLatency = None,
    latency: Latency = None,
    extensions: ExtensionFiles = None,
    trackers: Trackers = None,
    as_json: Json = False,
) -> None:
    """Search an architecture.

    Without a recipe: NAS-Bench-201, DARTS, gradient matching, the bundled images.
    """
    from cleave import api
    from cleave.config import load_recipe
    from cleave.engine.stop import SignalStop
    from cleave.terminal import Terminal
    from cleave.tracking.tracking import Tracking

    flags = flags_of(
        data,
        data_root,
        benchmark,
        seed,
        device,
        skip_damaged,
        space,
        extensions,
        max_macs,
        max_params,
        max_latency,
        latency,
    )
    settings = load_recipe(recipe, changes or (), flags)
    with Terminal() as terminal:
        result = api.search(
            recipe=settings,
            out=out,
            workers=workers,
            engine=engine,
            address=address,
            resources=resources,
            slurm=slurm,
            callbacks=[terminal, Tracking(trackers, terminal.say)],
            stop=SignalStop(),
        )
    tell_run(result.to_json(), as_json)


@app.command()
def plan(
    context: typer.Context,
    recipe: RecipeFile = None,
    changes: Changes = None,
    data: Data = None,
    data_root: DataRoot = None,
    skip_damaged: SkipDamaged = False,
    device: Device = None,
    space: SpaceName = None,
    max_macs: MaxMacs = None,
    max_params: MaxParams = None,
    max_latency: MaxLatency = None,
    latency: Latency = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Tell what a search will take, before it runs: steps, seconds, memory.

    A few steps are timed on this machine; nothing is written.
    """
    from cleave import api
    from cleave.config import load_recipe
    from cleave.plan.text import text
    from cleave.terminal import Terminal

    flags = flags_of(
        data, data_root, None, None, device, skip_damaged, space, extensions, max_macs, max_params, max_latency, latency
    )
    settings = load_recipe(recipe, changes or (), flags)
    with Terminal() as terminal:
        found = api.plan(recipe=settings, callbacks=[terminal])
    tell(found, as_json, lambda: print(text(found), f"next: cleave search{words_of(context)}", sep="\n"))


app.command()(design)
app.command()(train)
app.command()(compare)
app.command()(evaluate)
app.command()(opponents)
app.command()(verdict)
app.command()(reproduce)


@app.command()
def resume(
    run: Run,
    workers: Workers = None,
    engine: EngineName = "process",
    address: Address = None,
    resources: ResourceWords = None,
    slurm: SlurmWords = None,
    processes: Processes = None,
    device: Device = None,
    changed_extensions: Annotated[
        bool,
        typer.Option("--changed-extensions", help="Go on even if a Python file that the run names has changed."),
    ] = False,
    trackers: Trackers = None,
    as_json: Json = False,
) -> None:
    """Go on with an interrupted search, study, training or design; it ends as if nothing had happened.

    Python files that the run names (extensions, its space) are run: of a run folder from somebody else, look first.
    """
    from cleave import api
    from cleave.engine.stop import SignalStop
    from cleave.terminal import Terminal
    from cleave.tracking.tracking import Tracking

    hands: dict[str, Any] = {"engine": engine, "address": address, "resources": resources, "slurm": slurm}
    if api.is_training(run):
        if workers is not None:
            raise UserError("--workers: a training has one; for several GPUs give --processes")
        how = {**hands, "processes": processes or 1, "device": device, "changed_extensions": changed_extensions}
        resume_training(run, how, trackers, as_json)
        return
    if processes is not None:
        raise UserError("--processes: is for a training; this run has --workers")
    if api.is_design(run):
        if workers is not None or device is not None:
            raise UserError("--workers, --device: a design goes on as it was begun; leave them out")
        with Terminal() as terminal:
            callbacks = [terminal, Tracking(trackers, terminal.say, usual=False)]
            designed = api.resume_design(run, **hands, callbacks=callbacks, stop=SignalStop())
        tell_design(designed, as_json)
        return
    study = api.is_study(run)
    with Terminal() as terminal:
        found = (api.resume_study if study else api.resume)(
            run,
            workers=workers,
            **hands,
            device=device,
            changed_extensions=changed_extensions,
            callbacks=[terminal, Tracking(trackers, terminal.say, usual=False)],
            stop=SignalStop(),
        )
    if isinstance(found, dict):
        from cleave.study.telling.metrics_text import print_metrics

        tell(found, as_json, lambda: print_metrics(found))
    else:
        tell_run(found.to_json(), as_json)


@app.command()
def show(run: Run, as_json: Json = False) -> None:
    """Show what a run found, or how far it is."""
    from cleave.retrain.text import print_training
    from cleave.run.origin import DESIGN, TRAIN, holds
    from cleave.run.view import view

    if holds(run, DESIGN):
        tell_design(view(run, DESIGN), as_json)
    elif holds(run, TRAIN):
        found = view(run, TRAIN)
        tell(found, as_json, lambda: print_training(found))
    else:
        tell_run(view(run), as_json)


app.command()(draw)
app.command()(report)
app.command()(cost)
app.command()(measure)
app.command()(front)
app.command()(evolve)
app.command()(export)
app.command()(predict)
app.command()(rank)


@app.command()
def space(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE.py:CLASS", help="The space, as in nasbench201; of a file, which is run.")
    ],
    changes: Changes = None,
    extensions: ExtensionFiles = None,
    check: Annotated[bool, typer.Option("--check", help="First hold it to what every space promises.")] = False,
    as_json: Json = False,
) -> None:
    """Describe a search space: choices, size, parameters of its supernet."""
    from cleave.describe import describe, text
    from cleave.extensions import load_all

    load_all(extensions or ())
    description = describe(name, changes or (), check)
    tell(description, as_json, lambda: print(text(description)))


@app.command()
def partition(
    matrix: Annotated[Path, typer.Argument(metavar="MATRIX.csv", help="Its header row names the candidates.")],
    parts: Annotated[int, typer.Option(metavar="B", help="How many groups.")],
    distance: Annotated[
        bool,
        typer.Option("--distance", help="Entries are distances: cut as much as possible, in their unit."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Cut a matrix of similarities into balanced groups, exactly."""
    from cleave import api

    found = api.partition(matrix, parts, distance=distance)
    lines = [f"group {i}: {', '.join(group)}" for i, group in enumerate(found["groups"])]
    tell(found, as_json, lambda: print(*lines, f"cut: {found['cut']:g}", sep="\n"))


app.command()(query)


def tell_run(result: dict[str, Any], as_json: bool) -> None:
    """A run's outcome, as JSON or as tree, table and drawing."""
    from cleave.terminal import print_run

    tell(result, as_json, lambda: print_run(result))


def main() -> None:
    """Exit 0 done; 2 the user's mistake, said in one line; 130 interrupted; 141 nobody reads what is printed."""
    keep_memory()
    run_process("cleave", run)


def run(arguments: list[str]) -> int:
    """Runs one command and returns its exit status."""
    try:
        status = app(arguments, standalone_mode=False)
    except (UserError, TyperException) as error:
        return tell_error(error.format_message() if isinstance(error, TyperException) else str(error), WRONG)
    except (Interrupted, KeyboardInterrupt, typer.Abort) as error:
        return tell_error(str(error) or "interrupted", INTERRUPTED)
    except OSError as error:
        return tell_error(refusal(error), WRONG)
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        return tell_error(f"there is not enough memory ({error or 'no more is to be had'})", WRONG)
    if status == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
        return tell_error("interrupted", INTERRUPTED)
    return status if isinstance(status, int) else DONE
