"""The trackers, each as one small class: what is the same for all of them is told to it. Needs no torch.

Where runs are sent, and whether anything leaves the machine, is what the tracker's own settings say (WANDB_MODE,
MLFLOW_TRACKING_URI, TRACKIO_SPACE_ID and so on).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from cleave.tracking.points import Point, is_number
from cleave.tracking.state import TRACKERS

PROJECT = "cleave"
"""What runs are filed under where the tracker's own settings name nothing else."""


@dataclass(frozen=True)
class Tracked:
    """A run. `id`: what the tracker calls it, None before it was told of it. `settings`: by dotted names."""

    run: Path
    settings: Mapping[str, Any]
    id: str | None

    @property
    def name(self) -> str:
        return self.run.resolve().name

    @property
    def new_id(self) -> str:
        return f"{self.name}-{uuid4().hex[:8]}"


class Tracker(Protocol):
    """Made of a `Tracked`; may raise whatever it likes."""

    id: str
    """What it calls the run, to go on with."""

    def tell(self, point: Point) -> None: ...
    def finish(self, result: Mapping[str, Any] | None) -> None:
        """None: the run was interrupted, and may go on later."""


def named(point: Point) -> dict[str, float]:
    """The values of a point under their whole names."""
    return {f"{point.series}/{key}": value for key, value in point.values.items()}


def numbers(result: Mapping[str, Any]) -> dict[str, float]:
    return {f"result/{key}": value for key, value in result.items() if is_number(value)}


class TensorBoard:
    """Event files in the run folder, by tensorboard's own writer: torch's is the same and loads torch."""

    def __init__(self, tracked: Tracked) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.id = tracked.name
        self.writer = EventFileWriter(str(tracked.run / "tensorboard"))
        if tracked.id is None:
            self._text("settings", tracked.settings)

    def tell(self, point: Point) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in named(point).items()]
        self._write(Summary(value=values), point.epoch)

    def finish(self, result: Mapping[str, Any] | None) -> None:
        if result is not None:
            self._text("result", result)
        self.writer.close()

    def _text(self, tag: str, content: Mapping[str, Any]) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        lines = [f"    {key}: {value}" for key, value in content.items()]  # Markdown's code
        self._write(text_pb(tag, "\n".join(lines)), 0)

    def _write(self, summary: Any, step: int) -> None:  # noqa: ANN401  tensorboard has no types
        from tensorboard.compat.proto.event_pb2 import Event

        self.writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        self.writer.flush()


class Wandb:
    """Weights & Biases. Every series has an axis of its own: leaves are trained side by side."""

    def __init__(self, tracked: Tracked) -> None:
        import wandb

        self.id = tracked.id or tracked.new_id
        self.series = set[str]()
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=self.id,
            name=tracked.name,
            dir=str(tracked.run / TRACKERS),
            config=dict(tracked.settings),
            resume="allow",
        )

    def tell(self, point: Point) -> None:
        axis = f"{point.series}/epoch"
        if point.series not in self.series:
            self.series.add(point.series)
            self.run.define_metric(f"{point.series}/*", step_metric=axis)
        self.run.log({axis: point.epoch, **named(point)})

    def finish(self, result: Mapping[str, Any] | None) -> None:
        if result is not None:
            self.run.summary.update({f"result/{key}": value for key, value in result.items()})
        self.run.finish(exit_code=1 if result is None else 0)


class Trackio:
    """Trackio knows runs by their names, and no results but numbers."""

    def __init__(self, tracked: Tracked) -> None:
        import trackio

        self.id = tracked.id or tracked.new_id
        project = os.environ.get("TRACKIO_PROJECT", PROJECT)
        self.run = trackio.init(project=project, name=self.id, config=dict(tracked.settings), resume="allow")

    def tell(self, point: Point) -> None:
        self.run.log(named(point), step=point.epoch)

    def finish(self, result: Mapping[str, Any] | None) -> None:
        if result is not None:
            self.run.log(numbers(result), step=0)
        self.run.finish()


class Mlflow:
    """By MLflow's client, which has no run that is "active" for the whole process."""

    def __init__(self, tracked: Tracked) -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient()
        if tracked.id is not None:
            self.id = tracked.id
            self.client.update_run(self.id, status="RUNNING")
            return
        self.id = self.client.create_run(self._experiment(), run_name=tracked.name).info.run_id
        for key, value in tracked.settings.items():
            self.client.log_param(self.id, key, value)

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        found = self.client.get_experiment_by_name(name)
        return str(self.client.create_experiment(name) if found is None else found.experiment_id)

    def tell(self, point: Point) -> None:
        for key, value in named(point).items():
            self.client.log_metric(self.id, key, value, step=point.epoch)

    def finish(self, result: Mapping[str, Any] | None) -> None:
        for key, value in numbers(result or {}).items():
            self.client.log_metric(self.id, key, value)
        for key, value in (result or {}).items():
            if isinstance(value, str):
                self.client.set_tag(self.id, f"result/{key}", value)
        self.client.set_terminated(self.id, "KILLED" if result is None else "FINISHED")


KINDS: Mapping[str, Callable[[Tracked], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "trackio": Trackio,
    "mlflow": Mlflow,
}
"""By the name of the package that each needs."""
