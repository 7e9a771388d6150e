"""`cleave cost`: what one architecture costs when it is built alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cleave.config import Raw
from cleave.data.report import IMAGES
from cleave.deploy.subjects import deployed
from cleave.deploy.table import open_table
from cleave.describe import sized
from cleave.net.cost import cost_alone, costs
from cleave.net.sized import Sized
from cleave.run.origin import SEARCH, read_origin
from cleave.run.reading import Shape, read_json
from cleave.search.drawn import USUAL, of_run, parsed
from cleave.search.runner import ImagesFile
from cleave.space import Arch
from cleave.space.timm_networks import written


class ArchFile(Shape):
    """An architecture in a file, as `cleave draw --json` and `cleave cost --json` print it, or of a `run`, as `cleave
    evolve` writes it."""

    arch: str
    space: str | None = None
    run: str | None = None


def cost_of(asked: str, space: str | None, changes: Sequence[str], latency: str | None = None) -> dict[str, Any]:
    """{"space", "arch", "macs", "params", "image_size", "classes"}: exact, without an auxiliary head. By a latency
    table also "milliseconds", and in "latency" what these are of.

    macs: multiply-adds of one image. `asked`: a finished run, whose size, images and classes count unless `changes` say
    otherwise; a JSON file, perhaps of another architecture of a run; or an architecture as its space (None: the usual
    one) writes it, at the space's published size. UserError where there is no such architecture.
    """
    raw, text = named(asked, space)
    found = sized(raw, changes)
    arch = parsed(found.space, text, space)
    cost = cost_alone(found.layout, arch, found.image, found.classes)
    return {
        "space": found.space.name,
        "arch": found.space.format(arch),
        "macs": cost.multiply_adds,
        "params": cost.parameters,
        "image_size": found.image[1],
        "classes": found.classes,
        **({} if latency is None else milliseconds_of(found, arch, latency)),
    }


def milliseconds_of(found: Sized, arch: Arch, latency: str) -> dict[str, Any]:
    """How long the network takes where it is used; what leads nowhere does not run there."""
    table = open_table(latency)
    table.check_for(found)
    known = costs(found.space, found.size, found.image, found.classes, latency=table)
    of = table.binding.model_dump(include={"device", "runtime", "threads", "batch"})
    return {"milliseconds": known.of(deployed(found.layout, arch)).milliseconds, "latency": of}


def named(asked: str, space: str | None) -> tuple[Raw, str]:
    """What is said about the networks, and the architecture in its space's notation."""
    if os.path.isdir(asked):
        return of_run_folder(Path(asked), space)
    if not asked.endswith(".json"):
        said = written(asked)
        return {"space": said.get("space", {"name": space or USUAL})}, said["arch"]
    read = read_json(Path(asked), ArchFile)
    if read.get("run"):
        return of_run_folder(Path(read["run"]), space)[0], read["arch"]
    return {"space": {"name": space or read.get("space") or USUAL}}, read["arch"]


def of_run_folder(run: Path, space: str | None) -> tuple[Raw, str]:
    drawn, images = of_run(run, space), read_json(run / IMAGES, ImagesFile)
    raw: Raw = {
        "space": dict(read_origin(run, SEARCH).recipe["space"]),
        "classes": len(images["classes"]),
        "image_channels": images["channels"],
        "image_size": images["size"],
    }
    return raw, drawn.space.format(drawn.arch)
