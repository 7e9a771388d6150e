"""What is used of the images and what is left out: as JSON, and as lines for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from cleave.data.copies import Files, copies_between
from cleave.data.copies_text import class_copy_warnings
from cleave.data.images import Images
from cleave.data.listing import names
from cleave.data.parts import part_of
from cleave.data.reading import LISTED, Reading, printable
from cleave.data.split import Listed

IMAGES = "images.json"
"""The report in a run folder."""
MAJORITY = 0.9
"""The share of one class among held-out images from which accuracy alone says little."""
WIDTH = 80
"""Columns of a terminal."""
CLASSES = 20
"""Classes that are told one by one; the report has all of them."""


def image_report(
    name: str,
    source: Listed,
    train: Images,
    held_out: Images,
    chosen: int,
    reading: Reading,
    by_test: bool = False,
    files: Files = tuple,
) -> dict[str, Any]:
    """{"name", "size" (pixels on a side), "channels", "parts", "classes", "left_out", "judged_by", "copies",
    "warnings"}.

    "parts" names the folders of train, held_out and test, null where one is drawn from the training part; null for a
    published set. "classes": [{"name", "train", "held_out"}], the images used. `chosen`: how many of `source`.
    "copies": as of `copies_between`. `by_test`: the held-out images are those of the test part. `files`: of the images
    to train on, then of those held out.
    """
    copies = copies_between(train, held_out, files)
    counts = [images.labels.bincount(minlength=len(images.classes)).tolist() for images in (train, held_out)]
    classes = [
        {"name": each, "train": trained, "held_out": held}
        for each, trained, held in zip(train.classes, *counts, strict=True)
    ]
    return {
        "name": printable(name),
        "size": train.side,
        "channels": train.pixels.shape[1],
        "parts": dict(source.found.parts) if source.found else None,
        "classes": classes,
        "left_out": left_out(source, chosen, reading),
        "judged_by": "test" if by_test else "held-out",
        "copies": copies,
        "warnings": [
            *majority_warnings(classes),
            *(class_warnings(train.classes) if source.found else []),
            *class_copy_warnings(copies),
        ],
    }


def left_out(source: Listed, chosen: int, reading: Reading) -> dict[str, Any]:
    """Images by data.limit or data.fraction; files that cannot be used, the first with their causes; the system's
    hidden files; files beside the class folders; folders that are no part."""
    loose, unused = (source.found.loose, source.found.unused) if source.found else ((), ())
    unusable = sorted(reading.unusable.items())
    return {
        "limit": len(source) - chosen,
        "unusable": len(unusable),
        "causes": {printable(path): why for path, why in unusable[:LISTED]},
        "hidden": len(reading.hidden),
        "loose": len(loose),
        "loose_files": list(loose[:LISTED]),
        "folders": list(unused),
    }


def majority_warnings(classes: Sequence[dict[str, Any]]) -> list[str]:
    """Whether it would do to answer the same class always."""
    most = max(classes, key=lambda each: each["held_out"])
    share = most["held_out"] / max(1, sum(each["held_out"] for each in classes))
    if share < MAJORITY:
        return []
    return [
        f"the majority class alone ({most['name']}) is {int(100 * share)} % right on the held-out images, so that "
        "accuracy says little"
    ]


def class_warnings(classes: Sequence[str]) -> list[str]:
    """Classes of a folder that have the name of a part."""
    return [
        f"the folder {name}/ is taken for a class, since it holds images and no class folders"
        for name in classes
        if part_of(name)
    ]


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """The same for a person."""
    classes, size = report["classes"], report["size"]
    trained, held = (sum(each[side] for each in classes) for side in ("train", "held_out"))
    return [
        f"images: {report['name']}: {len(classes)} classes at {size} x {size} pixels",
        f"  {trained} to train on, {held} {'of the test part' if report['judged_by'] == 'test' else 'held out'}",
        *part_lines(report["parts"]),
        *wrap(class_line(classes), WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False),
        *left_lines(report["left_out"]),
        *(f"Warning: {warning}" for warning in report["warnings"]),
    ]


def part_lines(parts: dict[str, str | None] | None) -> list[str]:
    """Which folder is what."""
    if parts is None:
        return []
    if parts["train"] is None:
        return ["  a tenth of each class is kept as the test part, which no search reads"]
    drawn = parts["held_out"] or "some of its images"
    return [
        f"  {parts['train']} is the training part, held out are {drawn}",
        f"  {parts['test']} is the test part, which no search reads" if parts["test"] else "  there is no test part",
    ]


def class_line(classes: Sequence[dict[str, Any]]) -> str:
    """Every class with its images, to train on and held out, as far as a line can hold them."""
    counts = {(each["train"], each["held_out"]) for each in classes}
    if len(counts) == 1:
        trained, held = counts.pop()
        return f"of each class {trained} + {held}: {names([each['name'] for each in classes], CLASSES)}"
    counted = [f"{each['name']} {each['train']} + {each['held_out']}" for each in classes]
    return f"to train on + held out: {names(counted, CLASSES)}"


def left_lines(left: dict[str, Any]) -> list[str]:
    """What is not used, and why."""
    lines = [f"{left['limit']} images (data.limit or data.fraction)"] * bool(left["limit"])
    if left["unusable"]:
        causes = [f"{file}: {why}" for file, why in left["causes"].items()]
        more = left["unusable"] - len(causes)
        told = "; ".join(causes + [f"and {more} more"] * bool(more))
        lines.append(f"{left['unusable']} files that cannot be used: {told}")
    if left["loose"]:
        lines.append(f"{left['loose']} files beside the class folders, such as {left['loose_files'][0]}")
    lines += [f"{left['hidden']} hidden files"] * bool(left["hidden"])
    if left["folders"]:
        lines.append(f"folders that are no part: {names([f'{name}/' for name in left['folders']])}")
    return [f"  left out: {line}" for line in lines]
