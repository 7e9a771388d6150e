"""An architecture of NAS-Bench-201 as people write it: the official string, an index, or a list of operations."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cleave.bench.table import format_arch
from cleave.errors import UserError, shown, unknown
from cleave.space.nb201 import EDGES, OPERATIONS

NASLIB_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
NASLIB_EDGES = ((1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2))
"""The numbers of operations and the order of edges in NASLib's `op_indices` and in NAS-Bench-Suite-Zero."""

LONGEST_INDEX = 9


def architecture(text: str, naslib: bool = False) -> str | int:
    """The official string or index that is meant; blanks do not matter.

    A list has an operation for each edge, by its number or name, in the order of OPERATIONS and EDGES, or by `naslib`
    in NASLib's: the same numbers mean other architectures there. UserError where it has other entries.
    """
    words = re.split(r"[\s,]+", text.strip(" \t\n()[],"))
    if len(words) > 1 and "|" not in text:
        return of_list(words, *(NASLIB_OPERATIONS, NASLIB_EDGES) if naslib else (OPERATIONS, EDGES))
    if naslib:
        raise UserError(f"architecture {shown(text)}: is no list such as '(4, 0, 3, 1, 4, 3)'; leave --naslib out")
    joined = "".join(text.split())
    return int(joined) if joined.isdecimal() and len(joined) <= LONGEST_INDEX else joined


def of_list(words: Sequence[str], operations: Sequence[str], edges: Sequence[tuple[int, int]]) -> str:
    """The official string of an operation for each of these edges."""
    if len(words) != len(edges):
        raise UserError(f"architecture: lists {len(words)} operations; give one for each of the {len(edges)} edges")
    chosen = {edge: named(word.strip("'\""), operations) for edge, word in zip(edges, words, strict=True)}
    return format_arch(OPERATIONS.index(chosen[edge]) for edge in EDGES)


def named(word: str, operations: Sequence[str]) -> str:
    """The operation of that number or name."""
    by_number = {str(number): name for number, name in enumerate(operations)}
    if word not in by_number and word not in operations:
        raise unknown("architecture", word, (*by_number, *operations))
    return by_number.get(word, word)
