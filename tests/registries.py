"""What a test registers is gone after it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cleave.api  # noqa: F401  what it registers is there before anything is put back
from cleave import extensions
from cleave.data.sources import SOURCES
from cleave.guards import GUARDS
from cleave.method import METHODS
from cleave.method.samplers import SAMPLERS
from cleave.ops import OPERATIONS
from cleave.ops.mobile import ACTIVATIONS
from cleave.pages.kinds import KINDS
from cleave.search.hooks import HOOKS
from cleave.space.registry import SPACES
from cleave.split.metric import METRICS
from cleave.split.similarity import SIMILARITIES
from cleave.split.splitters import SPLITTERS

REGISTRIES: list[Any] = [
    METHODS, SAMPLERS, HOOKS, SPLITTERS, SIMILARITIES, METRICS, OPERATIONS, ACTIVATIONS, SPACES, SOURCES, KINDS,
    GUARDS,
]  # fmt: skip


@contextmanager
def as_they_were() -> Iterator[None]:
    """Registries and loaded files are put back at the end."""
    before = [(dict(each), dict(each._files), dict(each.aliases)) for each in REGISTRIES]
    loaded, modules = dict(extensions.LOADED), set(sys.modules)
    try:
        yield
    finally:
        for registry, (kinds, files, aliases) in zip(REGISTRIES, before, strict=True):
            for mapping, content in ((registry, kinds), (registry._files, files), (registry.aliases, aliases)):
                mapping.clear()
                mapping.update(content)
        extensions.LOADED.clear()
        extensions.LOADED.update(loaded)
        for name in [each for each in sys.modules if each.startswith("cleave_extension_") and each not in modules]:
            del sys.modules[name]
