"""Values by name in words of the command line, as in NAME=VALUE."""

from __future__ import annotations

from collections.abc import Sequence

from cleave.errors import UserError, shown


def in_words(flag: str, example: str, words: Sequence[str]) -> dict[str, list[str]]:
    """The values of each name, in their order; UserError for a word that is none."""
    found: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise UserError(f"{flag} {shown(word)}: write NAME=VALUE, as in {flag} {example}")
        found.setdefault(name, []).append(value)
    return found


def once(flag: str, name: str, values: Sequence[str]) -> str:
    """The only value of a name; UserError where there are more."""
    if len(values) != 1:
        raise UserError(f"{flag} {name}: is there {len(values)} times; give it once")
    return values[0]
