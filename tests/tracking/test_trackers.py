"""What each tracker is told of a run, and told on of one that goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from cleave.tracking import state
from cleave.tracking.teller import tell
from tests.tracking.made import FLAT, FLAT_RESULT, SETTINGS, epoch, finish, write

Told = list[tuple[str, float, int]]
"""(name, value, epoch)"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two leaves after their first epoch."""
    run = tmp_path / "mine"
    (run / state.TRACKERS).mkdir(parents=True)
    for leaf in ("0", "1"):
        write(run / "parts" / leaf / "events.jsonl", epoch(leaf, 1, loss=2.0, accuracy=50))
    return run


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], MagicMock]:
    """A package that takes anything and remembers it."""

    def made(name: str) -> MagicMock:
        monkeypatch.setitem(sys.modules, name, MagicMock(name=name))
        return sys.modules[name]  # type: ignore[return-value]

    for name in ("WANDB_PROJECT", "TRACKIO_PROJECT", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    return made


def both_sessions(name: str, run: Path) -> None:
    """The run is interrupted after the first epoch, goes on, and is finished."""
    state.begin(run, name, SETTINGS)
    tell(name, run, lambda: True)
    write(run / "events.jsonl", *(epoch("0", number, loss=2.0 / number, accuracy=50) for number in (1, 2)))
    finish(run)
    state.begin(run, name, {"not": "read again"})
    tell(name, run, lambda: True)


def expected() -> Told:
    first = [(f"{leaf}/search/{key}", value, 1) for leaf in "01" for key, value in (("loss", 2.0), ("accuracy", 50))]
    return [*first, ("0/search/loss", 1.0, 2), ("0/search/accuracy", 50, 2)]


def logged(log: MagicMock) -> list[Mapping[str, Any]]:
    return [call.args[0] for call in log.call_args_list]


def test_wandb_has_an_axis_for_each_leaf(run: Path, fake: Callable[[str], MagicMock]) -> None:
    wandb = fake("wandb")
    both_sessions("wandb", run)
    first, second = (call.kwargs for call in wandb.init.call_args_list)
    assert first == second
    assert (first["config"], first["name"], first["project"], first["resume"]) == (FLAT, "mine", "cleave", "allow")
    assert first["dir"] == str(run / "trackers")
    one = wandb.init.return_value
    found = [
        (key, value, point[f"{key.rpartition('/')[0]}/epoch"])
        for point in logged(one.log)
        for key, value in point.items()
    ]
    assert [each for each in found if not each[0].endswith("/epoch")] == expected()
    axes = {(call.args, call.kwargs["step_metric"]) for call in one.define_metric.call_args_list}
    assert axes == {((f"{leaf}/search/*",), f"{leaf}/search/epoch") for leaf in "01"}
    one.summary.update.assert_called_once_with({f"result/{key}": value for key, value in FLAT_RESULT.items()})
    assert [call.kwargs["exit_code"] for call in one.finish.call_args_list] == [1, 0]


def test_trackio_goes_on_under_the_same_name(run: Path, fake: Callable[[str], MagicMock]) -> None:
    trackio = fake("trackio")
    both_sessions("trackio", run)
    first, second = (call.kwargs for call in trackio.init.call_args_list)
    assert first == second
    assert first["name"].startswith("mine-")
    one = trackio.init.return_value
    found = [
        (key, value, call.kwargs["step"]) for call in one.log.call_args_list for key, value in call.args[0].items()
    ]
    assert found == [*expected(), ("result/chosen.accuracy", 61.5, 0), ("result/cost.steps", 7, 0)]
    assert one.finish.call_count == 2


def test_mlflow_has_parameters_metrics_and_a_status(run: Path, fake: Callable[[str], MagicMock]) -> None:
    client = fake("mlflow").MlflowClient.return_value
    client.get_experiment_by_name.return_value = None
    client.create_run.return_value.info.run_id = "r7"
    both_sessions("mlflow", run)
    client.create_experiment.assert_called_once_with("cleave")
    client.create_run.assert_called_once_with(str(client.create_experiment.return_value), run_name="mine")
    assert [call.args for call in client.log_param.call_args_list] == [("r7", *pair) for pair in FLAT.items()]
    calls = [(*call.args, call.kwargs.get("step", 0)) for call in client.log_metric.call_args_list]
    results = [("result/chosen.accuracy", 61.5, 0), ("result/cost.steps", 7, 0)]
    assert calls == [("r7", *each) for each in [*expected(), *results]]
    assert ("r7", "result/chosen.arch", "a|b") in [call.args for call in client.set_tag.call_args_list]
    client.update_run.assert_called_once_with("r7", status="RUNNING")
    assert [call.args for call in client.set_terminated.call_args_list] == [("r7", "KILLED"), ("r7", "FINISHED")]


def test_tensorboard_reads_the_same_from_its_files(run: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    both_sessions("tensorboard", run)
    files = sorted((run / "tensorboard").iterdir())
    events = [event for file in files for event in EventFileLoader(str(file)).Load() if event.HasField("summary")]
    values = [(each.tag, make_ndarray(each.tensor), event.step) for event in events for each in event.summary.value]
    assert [(tag, float(value), step) for tag, value, step in values if "/" in tag] == expected()
    texts = {tag: str(value.item().decode()) for tag, value, _ in values if "/" not in tag}
    assert texts == {
        "settings": "\n".join(f"    {key}: {value}" for key, value in FLAT.items()),
        "result": "\n".join(f"    {key}: {value}" for key, value in FLAT_RESULT.items()),
    }


def test_what_was_told_is_known_before_it_is_told(run: Path, fake: Callable[[str], MagicMock]) -> None:
    """A kill in between costs a point, and no point is ever there twice."""
    one = fake("trackio").init.return_value
    one.log.side_effect = ConnectionError("gone")
    state.begin(run, "trackio", SETTINGS)
    with pytest.raises(ConnectionError):
        tell("trackio", run, lambda: True)
    one.log.side_effect = None
    tell("trackio", run, lambda: True)
    names = [name for told in logged(one.log) for name in told]
    assert names == ["0/search/loss", "0/search/accuracy", "1/search/loss", "1/search/accuracy"]
