"""The command `cleave reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import (
    Address,
    DataRoot,
    Device,
    EngineName,
    Json,
    Out,
    ResourceWords,
    SlurmWords,
    TableFile,
    Workers,
    flags_of,
    given_in,
    numbers,
    tell,
)
from cleave.extras import need_extra


def reproduce(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="As in table1; all: the results that come with cleave; without it the experiments are listed.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[str, typer.Option(metavar="B", help="tiny (seconds), small (two CPU cores) or paper.")] = "small",
    seeds: Annotated[str, typer.Option(metavar="0,1,...", help="Default: the budget's own.", show_default=False)] = "",
    only: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Only rows with these words in their name; repeatable.")
    ] = None,
    data_root: DataRoot = None,
    benchmark: TableFile = None,
    device: Device = None,
    workers: Workers = None,
    engine: EngineName = "process",
    address: Address = None,
    resources: ResourceWords = None,
    slurm: SlurmWords = None,
    out: Out = None,
    plan_only: Annotated[bool, typer.Option("--plan", help="Only tell how long it would take here.")] = False,
    difference: Annotated[
        float | None,
        typer.Option(
            "--tell", metavar="D", help="Only tell how many seeds would see this difference, by those in --out."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run an experiment of the paper again: a table with its figures, ours and the difference, and a picture.

    `all` runs nothing: it writes the tables and pictures of the results that come with cleave.
    """
    from cleave.reproduce.catalogue import EXPERIMENTS, listing

    if name is None:
        tell({"experiments": list(EXPERIMENTS)}, as_json, lambda: print(listing()))
        return
    need_extra("reproduce")
    from cleave.engine.engine import engine_of
    from cleave.engine.progress import Callbacks
    from cleave.engine.stop import SignalStop
    from cleave.reproduce.runner import ReproduceRequest, folder_of, plan_experiment
    from cleave.reproduce.runner import reproduce as run_experiment
    from cleave.reproduce.seeds import needed_seeds, seeds_text
    from cleave.reproduce.stored import EVERY, check_alone, stored_text, write_stored
    from cleave.reproduce.text import plan_text, report_text
    from cleave.terminal import Terminal

    flags = flags_of(None, data_root, benchmark, None, device)
    if name == EVERY:
        check_alone(given_in(context))
        written = write_stored(budget, out or Path("runs") / f"reproduce-{EVERY}-{budget}")
        tell(written, as_json, lambda: print(stored_text(written)))
        return
    chosen = engine_of(workers, engine, address, slurm, resources)
    folder = out or folder_of(name, budget)
    if difference is not None:
        needed = needed_seeds(name, folder, difference)
        tell(needed, as_json, lambda: print(seeds_text(needed)))
        return
    request = ReproduceRequest(name, budget, numbers("--seeds", seeds), only or (), flags, folder, chosen)
    if plan_only:
        planned = plan_experiment(request)
        tell(planned, as_json, lambda: print(plan_text(planned)))
        return
    with Terminal() as terminal:
        report = run_experiment(request, Callbacks([terminal], SignalStop()))
    tell(report, as_json, lambda: report_text(report))
