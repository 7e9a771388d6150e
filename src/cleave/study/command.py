"""The commands `cleave study ...`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cleave.common import (
    Address,
    Changes,
    Data,
    DataRoot,
    Device,
    EngineName,
    ExtensionFiles,
    Json,
    Out,
    ResourceWords,
    Seed,
    SkipDamaged,
    SlurmWords,
    SpaceName,
    Trackers,
    flags_of,
    tell,
)
from cleave.errors import UserError
from cleave.extras import need_extra
from cleave.study.log_command import Truth, metrics, report

SIZES = "tiny (seconds), small or paper."
Budget = Annotated[str, typer.Option(metavar="B", help=f"Of all studies: {SIZES}")]
NamedBudget = Annotated[
    str | None,
    typer.Option("--budget", metavar="B", help=f"Of a study by name: {SIZES} Default: small.", show_default=False),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Processes that share the supernets; they change no figure. Default: as many as there are CPU cores for.",
        show_default=False,
    ),
]


class StudyGroup(TyperGroup):
    """`cleave study RECIPE` is short for `cleave study run RECIPE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  typer does not export its type
        first = args[0] if args else ""
        short = first not in self.commands and first not in ("--help", "")
        found: list[str] = super().parse_args(ctx, ["run", *args] if short else args)
        return found


app = typer.Typer(
    cls=StudyGroup,
    no_args_is_help=True,
    help="How weight sharing ranks architectures. `cleave study RECIPE` is short for `cleave study run RECIPE`; "
    "`cleave study run` lists the studies of the paper.",
)


@app.command()
def run(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE.yaml|NAME", help="Without it and --space: a list.", show_default=False),
    ] = None,
    budget: NamedBudget = None,
    changes: Changes = None,
    data: Data = None,
    data_root: DataRoot = None,
    skip_damaged: SkipDamaged = False,
    truth: Truth = None,
    seed: Seed = None,
    out: Out = None,
    device: Device = None,
    workers: Workers = None,
    engine: EngineName = "process",
    address: Address = None,
    resources: ResourceWords = None,
    slurm: SlurmWords = None,
    space: SpaceName = None,
    extensions: ExtensionFiles = None,
    trackers: Trackers = None,
    recipe_only: Annotated[bool, typer.Option("--recipe", help="Only print the whole recipe.")] = False,
    as_json: Json = False,
) -> None:
    """Train supernets under a policy of sharing and look at all children again and again.

    Interrupted, it goes on with `cleave resume`.
    """
    from cleave import api
    from cleave.engine.stop import SignalStop
    from cleave.study.record.catalogue import ENTRIES, listing
    from cleave.study.record.recipes import as_yaml, read
    from cleave.study.telling.metrics_text import print_metrics
    from cleave.terminal import Terminal
    from cleave.tracking.tracking import Tracking

    if recipe is None and space is None:
        tell({"studies": list(ENTRIES)}, as_json, lambda: print(listing()))
        return
    flags = flags_of(data, data_root, None, seed, device, skip_damaged, space, extensions)
    settings = read(recipe, budget, changes or (), {**flags, "truth": truth and str(truth)})
    if recipe_only:
        tell(settings.model_dump(mode="json"), as_json, lambda: print(as_yaml(settings), end=""))
        return
    with Terminal() as terminal:
        found = api.study(
            settings,
            out=out,
            workers=workers,
            engine=engine,
            address=address,
            resources=resources,
            slurm=slurm,
            callbacks=[terminal, Tracking(trackers, terminal.say)],
            stop=SignalStop(),
        )
    tell(found, as_json, lambda: print_metrics(found))


@app.command()
def table(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="As in table1; without it they are listed.", show_default=False)
    ] = None,
    budget: Budget = "small",
    only: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Only studies with these words in their name; repeatable.")
    ] = None,
    changes: Changes = None,
    data_root: DataRoot = None,
    truth: Truth = None,
    seed: Seed = None,
    out: Out = None,
    device: Device = None,
    workers: Workers = None,
    engine: EngineName = "process",
    address: Address = None,
    resources: ResourceWords = None,
    slurm: SlurmWords = None,
    as_json: Json = False,
) -> None:
    """Run all studies of a table of the paper: its figures, ours, the difference.

    The same command goes on where an interrupted one stopped.
    """
    from cleave.study.record.catalogue import TITLES

    if name is None:
        lines = [f"{table:8}  {title}" for table, title in TITLES.items()]
        tell({"tables": list(TITLES)}, as_json, lambda: print(*lines, sep="\n"))
        return
    need_extra("study")
    from cleave.engine.engine import engine_of
    from cleave.engine.progress import Callbacks
    from cleave.engine.stop import SignalStop
    from cleave.study.tables import TableRequest, make_table
    from cleave.study.telling.tables_text import print_table
    from cleave.terminal import Terminal

    flags = {**flags_of(None, data_root, None, seed, device), "truth": truth and str(truth)}
    request = TableRequest(
        name, budget, only or (), changes or (), flags, out, engine_of(workers, engine, address, slurm, resources)
    )
    with Terminal() as terminal:
        found = make_table(request, Callbacks([terminal], SignalStop()))
    tell(found, as_json, lambda: print_table(found))


app.command()(metrics)
app.command()(report)


@app.command()
def groups(
    source: Annotated[Path, typer.Argument(metavar="LOG|CSV|STUDY", help="Whose curves are clustered.")],
    count: Annotated[int, typer.Option(metavar="M", min=1, help="How many groups.")],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="Where to; nothing is overwritten.")],
    as_json: Json = False,
) -> None:
    """Group children whose accuracies rise and fall together, for sharing.by=given.

    Average linkage on 1 - Pearson's correlation of the curves.
    """
    need_extra("study")
    from cleave.stats.clusters import clusters
    from cleave.study.record.log import read_log
    from cleave.study.record.partition import write_partition
    from cleave.study.record.truth import log_file
    from cleave.study.record.views import correlation_to_cluster, never_vary

    log = read_log(log_file(source))
    matrix = correlation_to_cluster(log, str(source))
    if os.path.lexists(out):
        raise UserError(f"{out}: is there already; nothing is overwritten, so give --out a new file")
    found = clusters(matrix, count)
    write_partition(out, log.children, found)
    named = [[log.children[number] for number in group] for group in found]
    lines = [f"group {number}: {', '.join(group)}" for number, group in enumerate(named)]
    constant = never_vary(log)
    if constant:
        lines.append(f"never vary, and count as uncorrelated with all others: {', '.join(constant)}")
    answer = {"groups": named, "never_vary": list(constant), "file": str(out)}
    tell(answer, as_json, lambda: print(*lines, f"written to {out}", sep="\n"))
