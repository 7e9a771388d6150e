"""What a worker tells of itself and of its tasks. Nothing here loads torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from cleave.engine.progress import Progress
from cleave.errors import Interrupted, UserError

FoundType = TypeVar("FoundType")


@dataclass(frozen=True)
class Ready:
    """Everything is loaded: from now on it can do tasks."""


@dataclass(frozen=True)
class Lost:
    """The worker is no more, and nobody knows what its task came to. `reason`: how it ended."""

    reason: str


@dataclass(frozen=True)
class Done(Generic[FoundType]):
    """What was found out in a task."""

    what: FoundType


Answer: TypeAlias = Done[FoundType] | Interrupted | UserError
"""What a task comes to."""
Told: TypeAlias = Progress | str | Ready | Lost | Answer[FoundType]
