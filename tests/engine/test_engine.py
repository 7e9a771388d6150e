"""Which engine is asked for, and what is said where it cannot be had. Ray is not needed here."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

import cleave
from cleave.engine import engine
from cleave.engine.engine import Engine
from cleave.errors import UserError
from tests.tiny import Ended, search

Capture = pytest.CaptureFixture[str]
RAY = ("--engine", "ray")


@pytest.fixture
def as_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "version", lambda name: "2.60.0")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


COMMANDS = [["search"], ["resume", "x"], ["reproduce", "table1"], ["study", "--space", "nasbench201"]]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--engine", "rey"], "--engine: unknown 'rey'; did you mean 'ray'? (known: process, ray, slurm)"),
        (["--resources", "GPU=0.5"], "--resources GPU=0.5: is for another engine; give --engine ray too"),
        (["--address", "127.0.0.1:6379"], "--address 127.0.0.1:6379: is for another engine; give --engine ray too"),
    ],
)
def test_a_wrong_engine_is_one_line(
    command: list[str], words: list[str], said: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Ended([*command, *words], capsys).refuses(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["search"], ["resume"], ["reproduce"], ["study", "run"], ["study", "table"]])
def test_help_tells_the_engines_and_their_danger(command: list[str], capsys: Capture) -> None:
    told = " ".join(Ended([*command, "--help"], capsys).out.replace("│", " ").split())
    assert "process|ray|slurm" in told
    assert "pip install 'cleave-nas[ray]'" in told
    assert "pip install 'cleave-nas[slurm]'" in told
    assert "Anybody who reaches a Ray can run code on its machines" in told
    assert "--address" in told


def test_where_ray_is_not_installed_is_said_how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise engine.PackageNotFoundError(name)

    monkeypatch.setattr(engine, "version", absent)
    with pytest.raises(UserError, match=r"^--engine ray: Ray is not installed: pip install 'cleave-nas\[ray\]'$"):
        cleave.search(engine="ray", out=tmp_path / "run")


@pytest.mark.parametrize(("release", "safe"), [("2.53.0", False), ("1.99.9", False), ("2.55.0", True), ("3.0.0", True)])
def test_releases_with_known_holes_are_refused(release: str, safe: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "version", lambda name: release)
    if safe:
        assert Engine(2, "ray").name == "ray"
    else:
        with pytest.raises(UserError, match="has known holes"):
            Engine(2, "ray")


@pytest.mark.usefixtures("as_if_installed")
@pytest.mark.parametrize("address", ["auto", "ray://head:10001", "head", ":6379", "head:port", "a b:1", ""])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    with pytest.raises(UserError, match=r"--address .*: write HOST:PORT"):
        Engine(1, "ray", address)


@pytest.mark.usefixtures("as_if_installed")
def test_an_address_where_nothing_answers_is_one_line_soon(tmp_path: Path, capsys: Capture) -> None:
    address, began = f"127.0.0.1:{free_port()}", time.monotonic()
    ended = Ended([*search(Path("bundled"), tmp_path / "run"), *RAY, "--address", address], capsys)
    assert ended.refuses(f"--address {address}: nothing answers (", "Connection refused")
    assert time.monotonic() - began < 60


def test_only_one_process_of_ones_own_can_do_what_nobody_else_can_import() -> None:
    assert Engine().here
    assert not Engine(2).here
    assert not Engine(None).here
