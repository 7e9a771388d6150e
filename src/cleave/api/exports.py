"""Networks in files that run without cleave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cleave.api.arguments import SpaceObject, checked_callbacks, given_again, space_again
from cleave.engine.progress import CallbackLike, Callbacks
from cleave.engine.stop import Stop
from cleave.export import predict as prediction
from cleave.export import runner as export_runner
from cleave.export.runner import ExportRequest
from cleave.export.subject import Whose
from cleave.given import DataLike
from cleave.result import SearchResult
from cleave.retrain.result import TrainResult
from cleave.run.mirror import run_at_hand


def export(
    source: str | Path | SearchResult | TrainResult,
    out: str | Path,
    *,
    formats: Sequence[str] | None = None,
    opset: int | None = None,
    int8: bool = False,
    arch: str | None = None,
    leaf: str | None = None,
    data: DataLike | None = None,
    space: SpaceObject | None = None,
    data_root: str | Path | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Writes the network of a finished training or search into the new folder `out`, checked on held-out images.

    `source` may be a JSON file of `cleave.evolve` too. `formats`: of "onnx", "torch" and "plain"; None: all that can be
    written here. `opset`: of the ONNX file, which `int8` adds a quantised one to. `arch`, `leaf`: others than a search
    chose. `data`, `space`: again what was given as tensors, as an object.

    Returns what `cleave export --json` prints. UserError where a file answers otherwise than the run's network;
    Interrupted when asked to stop: nothing is left behind.
    """
    space_again(space)
    folder = source.run if isinstance(source, SearchResult | TrainResult) else run_at_hand(source)
    whose = Whose(folder, arch, leaf, None if data_root is None else str(data_root))
    request = ExportRequest(whose, Path(out), formats, opset, int8)
    return export_runner.export(request, Callbacks(checked_callbacks(callbacks), stop), given_again(data))


def predict(folder: str | Path, images: Sequence[str | Path]) -> dict[str, Any]:
    """The classes of image files by the network in a folder of `cleave.export`.

    Returns what `cleave predict --json` prints: a file that cannot be used has an "error". UserError where none can.
    """
    return prediction.predict(Path(folder), list(map(Path, images)))
