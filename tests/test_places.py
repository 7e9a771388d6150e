"""Users with and without a home folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cleave.bench.table import default_path, find, need
from cleave.data.sources import data_root
from cleave.errors import UserError
from cleave.places import cache_folder, expanded


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without HOME and without a name, as in many containers."""
    for name in ("HOME", "XDG_CACHE_HOME", "CLEAVE_DATA", "CLEAVE_BENCHMARK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 76543)


def test_things_are_kept_in_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "cleave"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine" / "cleave"
    assert data_root() == tmp_path / "mine" / "cleave" / "data"
    assert expanded("~/x") == tmp_path / "x"


def test_where_a_home_is_needed_and_missing_the_variables_that_help_are_named(nameless: None) -> None:
    for needs in (cache_folder, data_root, default_path, lambda: need(None)):
        with pytest.raises(UserError, match="set HOME, or XDG_CACHE_HOME"):
            needs()
    with pytest.raises(UserError, match="'~/x': the folder that ~ stands for is not known"):
        expanded("~/x")
    assert expanded("x/~") == Path("x/~")


def test_without_a_home_nothing_was_imported(nameless: None) -> None:
    assert find(None) is None


def test_a_table_in_a_folder_that_cannot_be_entered_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CLEAVE_BENCHMARK", str(tmp_path / "file" / "below.npz"))
    assert find(None) is None


def test_a_search_needs_neither_home_nor_name(tmp_path: Path) -> None:
    """In a process of its own, for a user that the system does not know."""
    tiny = {"space.channels": 2, "data.limit": 96, "data.image_size": 8, "search.epochs": 1, "search.batch_size": 24}
    more = {"split.splitter": "none", "trust.control": 0, "trust.panel": 0}
    sets = [word for key, value in {**tiny, **more}.items() for word in ("--set", f"{key}={value}")]
    script = "import os; os.getuid = lambda: 76543; from cleave.cli import main; main()"
    command = [sys.executable, "-c", script, "search", "--json", "--workers", "1", "--out", "run", *sets]
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    found = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["chosen"]["arch"]
