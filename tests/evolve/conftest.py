"""A run in a space of ragged depths, for each file that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleave.space.registry import SPACES
from tests.elastic import RaggedElastic
from tests.evolve.small import KINDS, searched
from tests.registries import as_they_were
from tests.tiny import write_images


@pytest.fixture(scope="module", autouse=True)
def _ragged() -> Iterator[None]:
    with as_they_were():
        SPACES.register("raggedelastic", RaggedElastic)
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"), each=40)


@pytest.fixture(scope="module")
def ragged(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searched(images, tmp_path_factory.mktemp("one") / "run", KINDS["ragged"])
