"""Weights that supernets begin with: of a file, or of timm's network out of the caches on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from cleave.errors import PATH, UserError, brief, unknown
from cleave.extras import need_extra
from cleave.files import readable
from cleave.ops.timm_body import config_of
from cleave.pretrained.mobilenetv3 import NAME, check
from cleave.pretrained.reading import cached, metadata_of, tensors_in

KEY = "begin.weights"
NEW, AUTO, TIMM = "new", "auto", "timm:"
"""What the key may say instead of a file; behind the last one stands a name of timm's."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Pretrained:
    """Checked weights of timm's network by timm's names, on the CPU.

    `source`: a file, or where timm has them from. `licence`: as the source says, else "unknown". `sha256`: of the file.
    """

    tensors: Mapping[str, Tensor]
    source: str
    licence: str
    sha256: str

    @property
    def told(self) -> dict[str, str]:
        """What a run says of them."""
        return {"source": self.source, "licence": self.licence, "sha256": self.sha256}


def open_pretrained(weights: str) -> Pretrained:
    """Those that `begin.weights` names, resolved; UserError where they are not there, or another network's."""
    need_extra("train", f"{KEY}={brief(weights)}")
    if not weights.startswith(TIMM):
        return of_file(weights)
    config = timm_config(weights)
    if (file := cached(config)) is None:
        raise UserError(
            f"{KEY}={weights}: these weights are in no cache on this machine, and nothing is downloaded; give a file, "
            f"or first run: hf download {config['hf_hub_id']} model.safetensors"
        )
    return replace(
        of_file(str(file)), source=config["hf_hub_id"] or config["url"], licence=config.get("license") or UNKNOWN
    )


def of_file(file: str) -> Pretrained:
    """The weights in a file; UserError names it and the first thing that is wrong."""
    tensors = tensors_in(file, KEY)
    try:
        check(tensors)
    except ValueError as error:
        raise UserError(f"{KEY}: {brief(file, PATH)}: {error}, so it is not of timm's {NAME}") from error
    with readable(Path(file)) as opened:
        sha256 = hashlib.sha256(opened.read()).hexdigest()
    return Pretrained(tensors, file, metadata_of(file).get("license", UNKNOWN), sha256)


def timm_config(weights: str) -> dict[str, Any]:
    """What timm says of weights that it has, as in timm:mobilenetv3_large_100.ra_in1k; UserError for others."""
    name = weights.removeprefix(TIMM)
    if name.partition(".")[0] != NAME:
        raise unknown(KEY, weights, [f"{TIMM}{NAME}", f"{TIMM}{NAME}.TAG", AUTO, NEW, "a file"])
    return config_of(name, KEY)
