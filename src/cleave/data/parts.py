"""Which folders are for training, which held out, which for the test: by their names as people write them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from cleave.data.listing import below, contents, names
from cleave.data.reading import Reading, printable
from cleave.errors import UserError, plain

PartName = Literal["train", "held-out", "test"]

WORDS: Mapping[PartName, str] = {
    "train": "train|training|trn",
    "held-out": "val|valid|validation|validate|dev|develop|development|heldout|holdout",
    "test": "test|testing|tst|eval|evaluation",
}
AROUND = "seg|set|data|dataset|images?|imgs?|split|part"  # may stand before or after the word
SPELLINGS = {part: re.compile(f"(?:{AROUND})?(?:{words})(?:{AROUND})?") for part, words in WORDS.items()}
NO_IMAGES = (".csv", ".tsv", ".txt", ".json", ".xml", ".md", ".yaml", ".yml", ".html", ".pdf", ".xlsx", ".pkl", ".npy")


@dataclass(frozen=True)
class Parts:
    """The folders of the parts, relative to the one that was given, "" for itself; and what is not used.

    A part without a folder of its own is drawn from the training part; `whole`: there is nothing but that.
    """

    train: str
    held_out: str | None = None
    test: str | None = None
    unused: tuple[str, ...] = ()
    whole: bool = False


class NoTestPart(UserError):
    """There are no test images."""


@dataclass(frozen=True)
class FoundParts:
    """A folder of images as a report tells of it: the folder of each part (train, held_out, test; null for one that has
    none of its own), files beside the class folders, folders that are no part.

    Without any folders of parts a tenth of each class is the test part.
    """

    parts: Mapping[str, str | None]
    loose: tuple[str, ...]
    unused: tuple[str, ...]


def part_of(name: str) -> PartName | None:
    """What a folder of that name is for, if it is not a class: "Training_set", "seg_train", "VAL", ..."""
    return next((part for part, spelling in SPELLINGS.items() if spelling.fullmatch(plain(name))), None)


def find_parts(root: str) -> Parts:
    """The parts of a folder of images; UserError, with what was found, where that cannot be told.

    A folder is a part if it has the name of one and holds folders; one that holds images is a class of that name.
    The folder of the test part is not looked into.
    """
    base = innermost(root, "")
    folders = folders_in(below(root, base))
    named = {part: [name for name in folders if part_of(name) == part] for part in WORDS}
    holding = {
        part: [name for name in named[part] if folders_in(below(below(root, base), name))]
        for part in ("train", "held-out")
    }
    train = only(root, "train", holding["train"])
    if train is None:
        refuse_parts(below(root, base), [name for each in named.values() for name in each])
        refuse_alike(below(root, base), folders)
        return Parts(base, whole=True)
    held_out = only(root, "held-out", holding["held-out"])
    test = only(root, "test", named["test"])
    if test is None:  # of two parts one is to search with and one for the test, whatever the latter is called
        held_out, test = None, held_out
    unused = tuple(name for name in folders if name not in (train, held_out, test))
    train, held_out, test = (name and below(base, name) for name in (train, held_out, test))
    return Parts(train or "", held_out, test, unused)


def innermost(root: str, folder: str) -> str:
    """`folder` in `root`, or the one of the same name that is all the folders it holds, as unpacking leaves them."""
    while True:
        path = below(root, folder)
        inside = folders_in(path)
        if len(inside) != 1 or plain(inside[0]) != plain(os.path.basename(os.path.abspath(path))):
            return folder
        folder = below(folder, inside[0])


def folders_in(folder: str) -> list[str]:
    return sorted(name for name, kind in contents(folder, Reading()) if kind == "folder")


def only(root: str, part: PartName, found: list[str]) -> str | None:
    """The folder of a part; UserError where there are several."""
    if len(found) > 1:
        raise UserError(f"{printable(root)}: which is the {part} part, {slashed(found)}? move the others elsewhere")
    return found[0] if found else None


def refuse_parts(root: str, named: list[str]) -> None:
    """UserError where there are parts, but none to train on."""
    inside = {name: folders_in(below(root, name)) for name in named}
    if any(inside.values()):
        within = names(sorted({name for each in inside.values() for name in each}))
        raise UserError(
            f"{printable(root)}: holds {slashed(named)} (with {within}), but no train/ with class folders: put the "
            "training images there"
        )
    if len({part_of(name) for name in named}) > 1:
        raise UserError(
            f"{printable(root)}: holds {slashed(named)} without class folders: put the images of each class in a "
            "folder of its own in each of them"
        )


def refuse_alike(root: str, folders: list[str]) -> None:
    """UserError where what should be classes are parts: they hold no images but folders of the same names."""
    inside = {name: inner for name in folders if (inner := without_images(below(root, name)))}
    for one, other in combinations(inside, 2):
        if len(common := sorted(inside[one] & inside[other])) > 1:
            raise UserError(
                f"{printable(root)}: {slashed([one, other])} hold no images but folders of the same names "
                f"({names(common)}): if they are parts call them train/ and test/, if they are classes put the images "
                "right into them"
            )


def without_images(folder: str) -> set[str]:
    """The names of the folders in it; none where there are images beside them."""
    inside = set()
    for name, kind in contents(folder, Reading()):
        if kind == "folder":
            inside.add(name)
        elif not name.lower().endswith(NO_IMAGES):
            return set()
    return inside


def slashed(found: list[str]) -> str:
    return names([f"{name}/" for name in found])
