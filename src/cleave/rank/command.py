"""The command `cleave rank`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import DataRoot, Device, ExtensionFiles, Json, TableFile, tell


def rank(
    source: Annotated[Path, typer.Argument(metavar="RUN|RECIPE.yaml", help="A finished run, or what to search first.")],
    sample: Annotated[int | None, typer.Option(metavar="N", min=2, help="Only N of them, drawn by the seed.")] = None,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Seed of all that is random.")] = 0,
    connected: Annotated[bool, typer.Option("--connected", help="Only architectures that compute something.")] = False,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Compare with its columns arch and true (or accuracy), not a benchmark."),
    ] = None,
    alone: Annotated[
        int | None,
        typer.Option(metavar="EPOCHS", min=1, help="Compare with each of the sample trained alone for so long."),
    ] = None,
    images: Annotated[int, typer.Option(metavar="N", min=1, help="Held-out images, at most.")] = 500,
    recalibrate: Annotated[
        int | None,
        typer.Option(
            metavar="BATCHES",
            min=0,
            help="Estimate each child's statistics from training batches; 0: take those of each held-out batch. "
            "Default: as the search judged.",
            show_default=False,
        ),
    ] = None,
    forgetting: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of a new batch in these statistics; default: plain means.")
    ] = None,
    average: Annotated[int, typer.Option(metavar="K", min=1, help="Mean over each leaf's last K snapshots.")] = 1,
    benchmark: TableFile = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Score by this one's test accuracy; default: the run's.")
    ] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.csv", help="Score its other columns than arch too; repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Where to; default: ranking.csv in the run folder.")
    ] = None,
    data_root: DataRoot = None,
    device: Device = None,
    extensions: ExtensionFiles = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Architectures evaluated at once; default: one per core.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rank architectures by their accuracy under a run's weights.

    Compared with their accuracy when trained alone, and with trivial baselines. An interrupted --alone goes on with the
    same command.
    """
    from cleave import api
    from cleave.engine.stop import SignalStop
    from cleave.rank.text import print_ranking
    from cleave.terminal import Terminal

    with Terminal() as terminal:
        found = api.rank(
            source,
            sample=sample,
            seed=seed,
            connected=connected,
            truth=truth,
            alone=alone,
            images=images,
            recalibrate=recalibrate,
            forgetting=forgetting,
            average=average,
            benchmark=benchmark,
            dataset=dataset,
            predictions=predictions or (),
            out=out,
            data_root=data_root,
            device=device,
            threads=threads,
            extensions=extensions or (),
            callbacks=[terminal],
            stop=SignalStop(),
        )
    tell(found, as_json, lambda: print_ranking(found))
