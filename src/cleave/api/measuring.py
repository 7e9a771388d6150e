"""How long networks take on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cleave.api.arguments import checked_callbacks
from cleave.deploy.measure import MeasureRequest
from cleave.deploy.measure import measure as measure_table
from cleave.describe import sized
from cleave.engine.progress import CallbackLike, Callbacks
from cleave.engine.stop import Stop
from cleave.extensions import load_all
from cleave.resolve import resolve_device


def measure(
    space: str,
    out: str | Path,
    *,
    device: str = "cpu",
    runtime: str = "torch",
    resolution: int | None = None,
    threads: int = 1,
    batch: int = 1,
    settings: Mapping[str, Any] | None = None,
    changes: Sequence[str] = (),
    extensions: Sequence[str | Path] = (),
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Measures the latency of a space's blocks and writes the table to `out`, where nothing may be yet.

    `runtime`: "torch" or "onnx". `resolution`: pixels on a side, None for the published ones. `settings`: keys of the
    space, "classes" and "image_channels", as in {"width": 0.25}; `changes` are the same as text. Returns what `cleave
    measure --json` prints. Interrupted when asked to stop: the same call goes on.
    """
    load_all(list(map(str, extensions)))
    given = {**(settings or {}), **({} if resolution is None else {"image_size": resolution})}
    asked = sized({"space": {"name": space}}, [*changes, *(f"{key}={value}" for key, value in given.items())])
    request = MeasureRequest(asked, resolve_device(device), runtime, threads, batch)
    return measure_table(request, Path(out), Callbacks(checked_callbacks(callbacks), stop))
