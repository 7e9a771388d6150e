"""The command `cleave evolve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleave.common import DataRoot, Device, Json, Latency, MaxLatency, MaxMacs, MaxParams, Run, tell, whole


def evolve(
    run: Run,
    leaf: Annotated[str | None, typer.Option(metavar="LEAF", help="Whose weights; default: the chosen one's.")] = None,
    max_macs: MaxMacs = None,
    max_params: MaxParams = None,
    max_latency: MaxLatency = None,
    latency: Latency = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="accuracy or loss, measured; predictor or ridge, learned from measured samples."
        ),
    ] = "accuracy",
    fallback: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Instead of a predictor that is worth less than multiply-adds; else that is an error."
        ),
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(metavar="N", help="Held-out images that it goes by, the others check it; default: half."),
    ] = None,
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
    samples: Annotated[
        int | None, typer.Option(metavar="N", help="Architectures measured for a predictor; default: 1000.")
    ] = None,
    predictor: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="An earlier answer whose samples are taken instead.")
    ] = None,
    check: Annotated[int, typer.Option(metavar="N", help="Architectures by which evaluators are compared.")] = 30,
    population: Annotated[int, typer.Option(metavar="N", help="Architectures of a generation.")] = 100,
    generations: Annotated[
        int | None,
        typer.Option(metavar="N", help="After the first one; default: 20, and 500 where nothing is measured."),
    ] = None,
    parents: Annotated[float, typer.Option(metavar="SHARE", help="Of a generation that is kept, the best.")] = 0.25,
    mutants: Annotated[
        float, typer.Option(metavar="SHARE", help="Of new architectures that are mutants; the others are crossed.")
    ] = 0.5,
    mutation: Annotated[
        float, typer.Option(metavar="CHANCE", help="Of each choice of a mutant to be drawn anew.")
    ] = 0.1,
    shift: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="Train a copy of the weights by each generation's losses, at this learning rate; default: do not.",
        ),
    ] = None,
    shift_steps: Annotated[
        int | None, typer.Option(metavar="N", help="Steps of SGD after each generation; default: 1.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Seed of all that is random.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Where to; default: evolved.json in the run folder.")
    ] = None,
    data_root: DataRoot = None,
    device: Device = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Architectures evaluated at once; default: one per core.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find an architecture under other limits in a finished run, by evolution in its trained supernet.

    The run is not changed, and nothing is trained unless --shift is given. An interrupted evolution goes on with the
    same command.
    """
    from cleave import api
    from cleave.engine.stop import SignalStop
    from cleave.evolve.text import print_evolved
    from cleave.terminal import Terminal

    with Terminal() as terminal:
        found = api.evolve(
            run,
            leaf=leaf,
            max_macs=whole(max_macs),
            max_params=whole(max_params),
            max_latency=max_latency,
            latency=latency,
            by=by,
            fallback=fallback,
            images=images,
            recalibrate=recalibrate,
            forgetting=forgetting,
            samples=samples,
            predictor=predictor,
            check=check,
            population=population,
            generations=generations,
            parents=parents,
            mutants=mutants,
            mutation=mutation,
            shift=shift,
            shift_steps=shift_steps,
            seed=seed,
            out=out,
            data_root=data_root,
            device=device,
            threads=threads,
            callbacks=[terminal],
            stop=SignalStop(),
        )
    tell(found, as_json, lambda: print_evolved(found))
