"""The errors that are the user's to mend, and the signal that a run was asked to stop."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """A mistake in what the user gave: one line that names the key or file and says what to do (exit 2)."""


class Interrupted(Exception):
    """The run was asked to stop (Ctrl-C or SIGTERM) and is at a point where it can be saved (exit 130)."""


def unknown(what: str, given: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the known ones, with the nearest one suggested."""
    names = sorted(known)
    near = get_close_matches(given, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return UserError(f"{what}: unknown {given!r}{hint} (known: {', '.join(names)})")


def plain(name: str) -> str:
    """A name as people vary it, reduced to its letters and digits: "NAS-Bench_201" -> "nasbench201"."""
    return "".join(character for character in name.lower() if character.isalnum())
