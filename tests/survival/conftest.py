"""Images and whole searches, one for each seed, for all that befalls others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.run.befalling import write_images
from tests.survival.living import Life
from tests.survival.runs import MATCHING, ONE, SEEDS, searching
from tests.tiny import RSPS


@dataclass(frozen=True)
class Wholes:
    """Whole runs under their seeds' numbers, and how often each of them came to each point."""

    images: Path
    hits: dict[int, dict[str, int]]

    def run(self, seed: int = 0) -> Path:
        return self.images.with_name(f"whole-{seed}")


def made(images: Path, kind: Mapping[str, Any], seeds: Sequence[int]) -> Wholes:
    hits = {}
    for seed in seeds:
        out = images.with_name(f"whole-{seed}")
        life = Life(searching(images, out, *ONE, kind=kind, seed=seed), out.parent, inside=out).ended()
        assert life.status == 0, life.err
        hits[seed] = life.hits
    return Wholes(images, hits)


@pytest.fixture(scope="session")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Wholes:
    """Of random sampling and random splits."""
    return made(write_images(tmp_path_factory.mktemp("survival") / "images"), RSPS, SEEDS)


@pytest.fixture(scope="session")
def matching(tmp_path_factory: pytest.TempPathFactory) -> Wholes:
    """Of DARTS and gradient matching."""
    return made(write_images(tmp_path_factory.mktemp("matching") / "images"), MATCHING, [0])
