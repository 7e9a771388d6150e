"""What is known of copies among images, for a person. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def copy_warnings(copies: Mapping[str, Any], total: int, what: str) -> list[str]:
    """The same for a person. `what`, `total`: what images that are judged by are called, and how many they are."""
    lines = []
    if copies["held_out"]:
        such = ", such as {} (of {})".format(*copies["files"][0]) if copies["files"] else ""
        lines.append(
            f"{copies['held_out']} of {total} {what} images have the pixels of images to train on{such}, so that they "
            "are judged too well; remove these copies"
        )
    if copies["classes"]:
        such = ", such as {} and {}".format(*copies["class_files"]) if copies["class_files"] else ""
        lines.append(f"{copies['classes']} images have the pixels of one in another class{such}; remove the wrong ones")
    return lines


def seen_warnings(copies: Mapping[str, Any] | None, total: int) -> list[str]:
    """What of `total` test images is known by `copies_of`, for a person; None: it was not looked for."""
    if copies is None:
        return ["whether test images are copies of others is not known: the training kept no hashes of its images"]
    if not copies["images"]:
        return []
    such = f", such as {', '.join(copies['files'])}" if copies["files"] else ""
    other = f"; {copies['other_class']} of them have another class there" if copies["other_class"] else ""
    return [
        f"{copies['images']} of {total} test images have the pixels of images that were trained on or held out{such}"
        f"{other}, so that the accuracy on them says too much; remove these copies"
    ]
