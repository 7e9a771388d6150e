"""The errors that are the user's to correct, and the signal that a run was asked to stop."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from reprlib import Repr
from typing import TypeVar

Found = TypeVar("Found")

SHOWN = 80
"""Letters of a value that a message shows."""

PATH = 255
"""Letters of a path that a message shows: one that is cut short helps nobody."""

_REPR = Repr()  # bounded in depth and width: a value may hold itself, or a billion others by aliases
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = SHOWN


class UserError(ValueError):
    """A mistake in what the user gave: one line that names the key or file and says what to do (exit 2)."""


class Interrupted(Exception):
    """The run was asked to stop (see `cleave.signals`) and is at a point where it can be saved (exit 130)."""


def unknown(what: str, given: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the known ones, with the nearest one suggested."""
    names = sorted(known)
    near = get_close_matches(given[:SHOWN], names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return UserError(f"{what}: unknown {shown(given)}{hint} (known: {', '.join(names)})")


def refuse_repeats(what: str, given: Iterable[object]) -> None:
    """UserError where something is listed twice: what was done twice would be counted as two."""
    seen = set()
    for value in given:
        if value in seen:
            raise UserError(f"{what}: {brief(str(value), PATH)} is there twice; give each once")
        seen.add(value)


def shown(value: object) -> str:
    """A value as a message shows it: `repr`, cut to `SHOWN` letters, whatever the value holds."""
    text = _REPR.repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def brief(text: str, letters: int = SHOWN) -> str:
    """Text as a message shows it without quotes: one line, cut to so many letters, ? for what cannot be printed."""
    seen = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text[:letters].split()))
    return seen + "..." * (len(text) > letters)


def cause(error: OSError) -> str:
    """Why the system refused, in lower case, as in "permission denied"."""
    return (os.strerror(error.errno) if error.errno else str(error) or type(error).__name__).lower()


def refusal(error: OSError) -> str:
    """What the system refused and why, in one line, as in "runs/a: permission denied"."""
    what = error.filename
    return f"{os.fsdecode(what)}: {cause(error)}" if isinstance(what, str | bytes) else cause(error)


def plain(name: str) -> str:
    """A name as people vary it, reduced to its letters and digits: "NAS-Bench_201" -> "nasbench201"."""
    return "".join(character for character in name.lower() if character.isalnum())


def named(what: str, given: str, known: Mapping[str, Found]) -> Found:
    """The value of a name, as people vary it; UserError with the nearest name where there is none."""
    found = next((value for name, value in known.items() if plain(name) == plain(given)), None)
    if found is None:
        raise unknown(what, given, known)
    return found
