"""What guards say of a run (`cleave.guards`): in its files, and for people. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from cleave.run.events import Events


@dataclass(frozen=True)
class Alarm:
    """What a guard says: a sentence with the cause and what to do. `leaf`: of which part of a run, "" of all of it."""

    guard: str
    leaf: str
    says: str


def tell(alarm: Alarm, events: Events | None, say: Callable[[str], None], **place: object) -> None:
    """Writes it among the events of a run, and says it. `place`: what its event has beside it, or in place of it."""
    if events is not None:
        events.write("guard", **{**asdict(alarm), **place})
    for line in alarm_lines([asdict(alarm)]):
        say(f"Warning: {line}")


def alarm_lines(raised: Sequence[Mapping[str, str]]) -> list[str]:
    """A line for each sentence, with all leaves that it is about; of what result.json has under "guards"."""
    leaves: dict[tuple[str, str], list[str]] = {}
    for each in raised:
        leaves.setdefault((each["says"], each["guard"]), []).append(each["leaf"])
    return [f"{of_leaves(where)}{says} (guard: {name})" for (says, name), where in leaves.items()]


def of_leaves(labels: Sequence[str]) -> str:
    """What stands before a sentence; nothing where it is about a whole run."""
    named = list(dict.fromkeys(label for label in labels if label))
    return f"leaf {', '.join(named)}: " if named else ""
