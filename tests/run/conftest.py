"""One tiny search, whole and half done, for all tests of what befalls a run: they spoil copies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.run.befalling import half_run, whole_run, write_images


@pytest.fixture(scope="session")
def befalling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, a whole run and one in the middle."""
    base = tmp_path_factory.mktemp("befalling")
    write_images(base / "images")
    whole_run(base / "images", base / "whole")
    half_run(base / "images", base / "half")
    return base


@pytest.fixture
def whole(befalling: Path) -> Path:
    """A finished run, not to be touched."""
    return befalling / "whole"


@pytest.fixture
def half(befalling: Path, tmp_path: Path) -> Path:
    """A copy of a run in the middle."""
    return shutil.copytree(befalling / "half", tmp_path / "run")


@pytest.fixture
def done(whole: Path, tmp_path: Path) -> Path:
    """A copy of a finished run."""
    return shutil.copytree(whole, tmp_path / "run")
