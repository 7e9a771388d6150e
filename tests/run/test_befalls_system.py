"""What the system does to a run: kills at chosen calls, full disks, forbidden folders, odd names, locks."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from cleave.engine.worker_process import answered
from cleave.errors import UserError
from cleave.run.folder import new_folder
from tests.run.befalling import TINY, Killed, resumed, whole_again, whole_run
from tests.tiny import Ended, search

Capture = pytest.CaptureFixture[str]
CALLS = ("fsync", "replace", "mkdir", "unlink", "rmdir", "ftruncate")
"""Of `os`, all through which a run changes its folder beside writing."""
OTHERS = ("open", "listdir")
SHARES = (0.0, 0.02, 0.1, 0.3, 0.6, 0.9, 1.0)
"""Of all such calls of a run, after which it is killed."""


class Spoilt:
    """A system whose calls of one name fail from the n-th on, all others too where the process is `dead` by then."""

    def __init__(self, name: str, left: int, error: Exception, dead: bool, patched: pytest.MonkeyPatch) -> None:
        self.name, self.left, self.error, self.dead = name, left, error, dead
        for each in CALLS if dead else (name,):
            patched.setattr(os, each, self._failing(each, getattr(os, each)))

    def _failing(self, name: str, true: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            self.left -= name == self.name
            if self.left < 0:
                raise self.error
            return true(*arguments, **named)

        return call


@contextmanager
def spoilt(name: str, left: int, error: Exception, dead: bool = False) -> Iterator[Spoilt]:
    with pytest.MonkeyPatch.context() as patched:
        yield Spoilt(name, left, error, dead, patched)


@pytest.fixture(scope="session")
def calls(befalling: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How often a whole run makes each call."""
    out = tmp_path_factory.mktemp("calls") / "run"
    many = 10**9
    with pytest.MonkeyPatch.context() as patched:
        counted = {name: Spoilt(name, many, Killed(), False, patched) for name in (*CALLS, *OTHERS)}
        whole_run(befalling / "images", out)
    return {name: many - counter.left for name, counter in counted.items()}


def gone_on_with(out: Path, images: Path, capsys: Capture) -> Ended:
    """Resumes a run, or begins it where it was not begun."""
    ended = resumed(out, capsys) if out.exists() else None
    if ended is None or ended.status == 2:
        assert ended is None or ended.refuses("nothing was begun") or ended.refuses("holds no run")
        return Ended(search(images, out, TINY), capsys)
    return ended


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", CALLS)
def test_a_run_killed_at_a_call_ends_in_the_same_bytes(
    name: str, share: float, calls: dict[str, int], befalling: Path, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert calls[name] > 0
    out = tmp_path / "run"
    with spoilt(name, int(share * (calls[name] - 1)), Killed(), dead=True), pytest.raises(Killed):
        whole_run(befalling / "images", out)
    assert gone_on_with(out, befalling / "images", capsys).status == 0
    assert whole_again(out, whole)


REFUSALS = {"fsync": errno.ENOSPC, "replace": errno.EIO, "mkdir": errno.EDQUOT, "open": errno.EMFILE}


@pytest.mark.parametrize("share", [0.02, 0.2, 0.6, 0.99])
@pytest.mark.parametrize("name", REFUSALS)
def test_a_system_that_refuses_is_quoted_and_once_it_does_not_the_run_goes_on(
    name: str, share: float, calls: dict[str, int], befalling: Path, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    out, error = tmp_path / "run", OSError(REFUSALS[name], os.strerror(REFUSALS[name]))
    words = search(befalling / "images", out, TINY)
    with spoilt(name, int(share * calls[name]), error):
        ended = Ended(words, capsys)
    assert ended.refuses(os.strerror(REFUSALS[name]).lower())
    assert gone_on_with(out, befalling / "images", capsys).status == 0
    assert not list(out.rglob("*.damaged")), "what could not be opened was not damaged"
    assert whole_again(out, whole)


FORBIDDEN = (".", "checkpoints", "checkpoints/000006", "parts", "parts/0", "leaves", "leaves/root")


@pytest.mark.parametrize("command", ["resume", "show", "rank", "search", "study metrics", "reproduce"])
@pytest.mark.parametrize("place", FORBIDDEN)
def test_a_folder_without_permission_is_named(
    place: str, command: str, half: Path, befalling: Path, capsys: Capture
) -> None:
    """Tests may be run by root, whom nothing is forbidden: the system's calls refuse instead."""
    inside = (half / place).resolve()
    words = {
        "search": search(befalling / "images", half, TINY),
        "reproduce": ["reproduce", "table6", "--out", str(half)],
    }.get(command, [*command.split(), str(half)])
    with pytest.MonkeyPatch.context() as patched:
        for name in ("open", "listdir", "mkdir", "unlink", "replace", "lstat", "stat", "scandir"):
            patched.setattr(os, name, forbidding(getattr(os, name), inside))
        ended = Ended(words, capsys)
    if command == "resume" or place == ".":
        told = ended.err.splitlines()[-1]
        assert ended.refuses("permission denied") or "table" in told or "log" in told
    assert "Traceback" not in ended.err


def forbidding(true: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    def call(path: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        if isinstance(path, str | Path) and folder in (Path(path), *Path(path).parents):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return true(path, *arguments, **named)

    return call


NAMES = {
    "long": "n" * 300, "not UTF-8": os.fsdecode(b"r\xff\xfe"), "two lines": "a\nb", "blank": "a b", "a dash": "-x",
    "brackets": "[red]x[/red]", "deep": "/".join("d" * 200 for _ in range(30)),
}  # fmt: skip


@pytest.mark.parametrize("command", ["search", "resume", "show", "rank", "study metrics"])
@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_taken_or_refused_in_one_line(
    name: str, command: str, befalling: Path, tmp_path: Path, capfd: Capture
) -> None:
    """Heard where the system hears it: to write what is not UTF-8 is the terminal's to settle."""
    out, capsys = tmp_path / NAMES[name], capfd
    words = search(befalling / "images", out, TINY) if command == "search" else [*command.split(), str(out)]
    ended = Ended(words, capsys)
    if command == "search" and name not in ("long", "deep"):
        assert ended.status == 0, ended.err
        assert resumed(out, capsys).status == 0
        assert Ended(["show", str(out), "--json"], capsys).status == 0
    else:
        assert ended.refuses("cleave: ")


def test_a_lock_that_is_a_link_leaves_what_it_leads_to_alone(half: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "thesis").write_text("ten years")
    for target in ("thesis", "nowhere"):
        (half / "lock").unlink()
        (half / "lock").symlink_to(tmp_path / target)
        assert resumed(half, capsys).refuses(str(half / "lock"))
    assert (tmp_path / "thesis").read_text() == "ten years"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["events.jsonl", "parts/0/events.jsonl"])
def test_events_that_are_a_link_leave_what_it_leads_to_alone(
    name: str, half: Path, tmp_path: Path, capsys: Capture
) -> None:
    (half / name).rename(tmp_path / "mine")
    (half / name).symlink_to(tmp_path / "mine")
    before = (tmp_path / "mine").read_bytes()
    assert resumed(half, capsys).refuses(str(half / name))
    assert (tmp_path / "mine").read_bytes() == before


def test_a_temporary_file_that_is_a_link_leaves_what_it_leads_to_alone(
    half: Path, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "thesis").write_text("ten years")
    for name in ("result.json", "timing.json", "tree.json"):
        (half / f".{name}.tmp").symlink_to(tmp_path / "thesis")
    assert resumed(half, capsys).status == 0
    assert whole_again(half, whole)
    assert (tmp_path / "thesis").read_text() == "ten years"


def test_a_lock_holds_whatever_is_written_in_it(half: Path, whole: Path, capsys: Capture) -> None:
    (half / "lock").write_bytes(b"\xff" * 1000)
    assert resumed(half, capsys).status == 0
    assert whole_again(half, whole)


LEFT: dict[str, list[str]] = {
    "a lock": ["lock"], "a lock and a folder": ["lock", "checkpoints/"],
    "half a checkpoint": ["lock", "checkpoints/", "checkpoints/.000001.tmp/"],
    "half a file": ["lock", ".recipe.yaml.tmp"],
}  # fmt: skip


@pytest.mark.parametrize("left", LEFT)
def test_what_a_kill_left_before_anything_was_begun_counts_as_empty(
    left: str, befalling: Path, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    for name in LEFT[left]:
        (out / name).mkdir() if name.endswith("/") else (out / name).touch()
    assert resumed(out, capsys).refuses(str(out), "nothing was begun", f"cleave search --out {out}")
    assert Ended(search(befalling / "images", out, TINY), capsys).status == 0
    assert whole_again(out, whole)


def test_a_folder_of_an_earlier_layout_is_refused_in_one_line(half: Path, capsys: Capture) -> None:
    shutil.rmtree(half / "checkpoints")
    assert resumed(half, capsys).refuses(str(half), "no checkpoint of this version of cleave")


def test_searches_started_together_never_take_the_same_default_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    together = Barrier(16)

    def start(_: int) -> Path:
        together.wait()
        return new_folder("same")

    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(start, range(16)))
    assert {path.name for path in taken} == {"same", *(f"same-{number}" for number in range(2, 17))}
    assert all(path.is_dir() for path in taken)


def test_a_default_folder_that_another_search_takes_meanwhile_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and making there is no moment."""
    monkeypatch.chdir(tmp_path)
    true, others = Path.mkdir, iter(["runs/a", "runs/a-2"])

    def other_first(path: Path, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        if path.name.startswith("a") and (name := next(others, None)):
            true(Path(name))
        true(path, *arguments, **named)

    monkeypatch.setattr(Path, "mkdir", other_first)
    assert new_folder("a") == Path("runs/a-3")


def test_what_the_system_refuses_a_worker_comes_back_as_its_cause() -> None:
    def work() -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "runs/a/leaves/root")

    told = answered(work)
    assert isinstance(told, UserError)
    assert str(told) == "runs/a/leaves/root: no such file or directory"
