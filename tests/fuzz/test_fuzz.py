"""Spoilt input at every door: a UserError of one line or a result, in time, in bounds, and nothing outside is touched.

`make test` tries a few at each, `make test-all` 160 (2,240 in all), CLEAVE_FUZZ=N so many.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cleave.errors import UserError
from tests.fuzz.doors import DOORS
from tests.fuzz.mutations import spoilt
from tests.fuzz.watched import watched
from tests.registries import as_they_were

EACH = int(os.environ.get("CLEAVE_FUZZ", "4"))
"""Cases at each door."""
SECONDS = 5.0
"""Of the CPU, that a case may take at most."""
LONGEST = 2000
"""Letters of what is said."""
MEMORY = 2**28
"""Bytes by which the process may grow over all cases of a door."""


def peak() -> int:
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("name", DOORS)
def test_whatever_comes_in_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    door, tried = DOORS[name], 0
    samples = door.samples()

    def read(data: bytes) -> None:
        path = tmp_path / f"given{door.suffix}"
        path.write_bytes(data)
        try:
            door.read(path)
        except UserError as error:
            said = str(error)
        else:
            return
        assert said.strip()
        assert len(said.splitlines()) == 1, said
        assert len(said) < LONGEST

    @settings(max_examples=EACH, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def attack(drawn: st.DataObject) -> None:
        nonlocal tried
        data = drawn.draw(spoilt(samples))
        began = time.process_time()
        with watched(tmp_path) as done:
            read(data)
        assert done == []
        assert time.process_time() - began < SECONDS
        tried += 1

    with as_they_were():
        for sample in samples:
            read(sample)  # whatever is loaded at first use is no growth
        before = peak()
        attack()
    assert tried >= EACH
    assert peak() - before < MEMORY
