"""What is asked of SLURM: read from words or from Python, and refused in one line. submitit is not needed here."""

from __future__ import annotations

from pathlib import Path

import pytest

import cleave
from cleave.engine import engine
from cleave.engine.engine import Engine
from cleave.engine.slurm_options import LISTS, NUMBERS, TEXTS, parameters, read_options, words_of
from cleave.errors import UserError
from tests.tiny import Ended, search

Capture = pytest.CaptureFixture[str]
SLURM = ("--engine", "slurm")


@pytest.fixture
def as_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "need_extra", lambda extra, command: None)


def test_words_and_python_say_the_same_and_words_can_be_had_again() -> None:
    words = ["partition=gpu", "time=60", "setup=module load a=1", "setup=b"]
    given = {"partition": "gpu", "time": 60, "setup": ["module load a=1", "b"]}
    assert read_options(words) == read_options(given) == given
    assert read_options(words_of(given)[1::2]) == given
    assert read_options(None) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["partitoin=gpu"], "--slurm: unknown 'partitoin'; did you mean 'partition'?"),
        ({"nodes": 2}, "--slurm: unknown 'nodes'"),
        (["gpu"], "--slurm 'gpu': write NAME=VALUE"),
        (["=gpu"], "write NAME=VALUE"),
        (["qos="], "write NAME=VALUE"),
        (["time=1:00:00"], "--slurm time='1:00:00': has to be a whole number of minutes, as in time=60"),
        (["time=0"], "has to be a whole number of minutes"),
        ({"time": 1.5}, "has to be a whole number of minutes"),
        ({"time": 10**12}, "has to be a whole number of minutes"),
        (["gpus_per_node=a100"], "has to be a whole number$"),
        (["time=1", "time=2"], "--slurm time: is there 2 times; give it once"),
        ({"comment": "two\nlines"}, "has to be one line"),
        ({"setup": ["a", "b\n#SBATCH --account=x"]}, "has to be one line"),
    ],
)
def test_what_slurm_does_not_take_is_one_line(given: list[str] | dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        read_options(given)
    assert len(str(caught.value).splitlines()) == 1


def test_every_name_is_submitits() -> None:
    submitit = pytest.importorskip("submitit", reason="submitit is not installed: pip install '.[slurm]'")
    assert {*TEXTS, *NUMBERS, *LISTS} <= submitit.SlurmExecutor._valid_parameters()


def test_a_job_has_as_many_cores_as_threads_and_one_gpu_where_it_needs_one() -> None:
    assert parameters({"time": 5}, threads=3, on_gpu=False) == {"cpus_per_task": 3, "time": 5}
    assert parameters({"cpus_per_task": 8}, threads=3, on_gpu=True) == {"cpus_per_task": 8, "gpus_per_node": 1}
    for name, value in {"gres": "gpu:1", "gpus_per_task": 1}.items():
        assert parameters({name: value}, threads=1, on_gpu=True) == {"cpus_per_task": 1, name: value}


@pytest.mark.usefixtures("as_if_installed")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (SLURM, "--engine slurm: say how many minutes a job may take, as in --slurm time=60"),
        ((*SLURM, "--slurm", "time=1"), "--slurm time=1: has to be more than the 90 seconds"),
        ((*SLURM, "--slurm", "time=9", "--slurm", "signal_delay_s=540"), "has to be more than the 540 seconds"),
        (("--slurm", "qos=low"), "--slurm qos=low: is for another engine; give --engine slurm too"),
        (
            (*SLURM, "--slurm", "time=9", "--address", "h:1"),
            "--address h:1: is for another engine; give --engine ray too",
        ),
    ],
)
def test_an_engine_that_cannot_be_is_one_line_and_leaves_nothing(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: Capture
) -> None:
    for command in (search(Path("bundled"), tmp_path / "run"), ["study", "table", "table1"], ["reproduce", "table1"]):
        assert Ended([*command, *words], capsys).refuses(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "said"), [("is_design", "a design goes on as it was begun")])
def test_what_has_no_workers_takes_no_words_about_them(
    kind: str, said: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"cleave.api.{kind}", lambda run: True)
    for words in (("--workers", "2"), ("--device", "cpu")):
        assert Ended(["resume", str(tmp_path), *words], capsys).refuses(said)


def test_where_submitit_is_not_installed_is_said_how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleave.extras.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^--engine slurm: needs submitit, .*pip install 'cleave-nas\[slurm\]'$"):
        cleave.search(engine="slurm", slurm={"time": 60}, out=tmp_path / "run")


@pytest.mark.usefixtures("as_if_installed")
def test_it_is_never_this_process_alone() -> None:
    assert not Engine(1, "slurm", None, {"time": 60}).here
