"""The command `cleave compare`: the weights of one search, or several runs against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from cleave.common import Data, DataRoot, Device, ExtensionFiles, Json, flags_of, numbers, tell
from cleave.errors import UserError
from cleave.retrain.command import ArchText, Epochs, LeafText


def compare(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... [KEY=VALUE]...",
            help="A finished search, or what cleave evolve found in one (FILE.json), with changes to the recipes; "
            "or several runs.",
        ),
    ],
    epochs: Epochs = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="0,1,...", help="Of the trainings, default 0; of several there are intervals."),
    ] = None,
    arch: ArchText = None,
    leaf: LeafText = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Of fine-tuning; default: finetune.", show_default=False)
    ] = None,
    scratch: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Of training from scratch; default: short.", show_default=False),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="recipe|name",
            help="Of several runs: those of a group are the same but for their seed, by their recipes (default) or by "
            "the names of their folders, as in gradient-seed0.",
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="GROUP", help="Of several runs: hold all groups against this one alone.")
    ] = None,
    data: Data = None,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE.html",
            help="Folder; default: runs/compare- and the name of the search's. Of several runs a page with a picture; "
            "default: none.",
        ),
    ] = None,
    device: Device = None,
    extensions: ExtensionFiles = None,
    as_json: Json = False,
) -> None:
    """Compare the weights of a search's supernet, or several runs with each other.

    Of one search: one architecture by its weights as they are, fine-tuned, and trained from scratch for as many epochs,
    on held-out images. Interrupted, the same command goes on. Of several finished runs: groups of them, seed by seed,
    with intervals and a corrected test.
    """
    runs, changes = parted(given)
    if len(runs) > 1:
        one = {"--epochs": epochs, "--seeds": seeds, "--arch": arch, "--leaf": leaf, "--recipe": recipe}
        refuse(
            {"KEY=VALUE": changes, **one, "--scratch": scratch, "--device": device}, f"one search, not {len(runs)} runs"
        )
        several(runs, by, against, data, data_root, out, extensions, as_json)
        return
    refuse({"--by": by, "--against": against}, f"several runs, and {runs[0]} is one")
    from cleave import api
    from cleave.config import parse_change
    from cleave.engine.stop import SignalStop
    from cleave.given import without
    from cleave.retrain.text import print_comparison
    from cleave.terminal import Terminal

    keys = dict(parse_change(change, "", "training.batch_size=32") for change in changes)
    flags = without(flags_of(data, data_root, None, None, device, extensions=extensions))
    with Terminal() as terminal:
        found = api.compare(
            runs[0],
            arch=arch,
            leaf=leaf,
            epochs=epochs,
            seeds=numbers("--seeds", "0" if seeds is None else seeds),
            recipe=recipe,
            scratch=scratch,
            settings={**keys, **flags},
            out=out,
            callbacks=[terminal],
            stop=SignalStop(),
        )
    tell(found, as_json, lambda: print_comparison(found))


def several(
    runs: Sequence[Path],
    by: str | None,
    against: str | None,
    data: str | None,
    data_root: Path | None,
    out: Path | None,
    extensions: Sequence[str] | None,
    as_json: bool,
) -> None:
    from cleave import api
    from cleave.extensions import load_all
    from cleave.paired.text import lines
    from cleave.terminal import Terminal

    load_all(extensions or ())
    with Terminal() as terminal:
        found = api.compare_runs(
            runs,
            by=by or "recipe",
            against=against,
            out=out,
            data=data,
            data_root=data_root,
            callbacks=[terminal],
        )
    tell(found, as_json, lambda: print(*lines(found), sep="\n"))


def parted(given: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Runs, and changes of recipes: words with = in them that are no paths."""
    changes = [word for word in given if "=" in word and not Path(word).exists()]
    runs = [Path(word) for word in given if word not in changes]
    if not runs:
        raise UserError(f"{changes[0]}: give a finished run before it")
    return runs, changes


def refuse(options: Mapping[str, object], for_what: str) -> None:
    """UserError for an option that says nothing here."""
    for name, value in options.items():
        if value not in (None, [], ()):
            raise UserError(f"{name}: is for {for_what}; leave it out")
