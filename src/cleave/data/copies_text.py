"""What is known of copies among images, for a person. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def overlap_text(copies: Mapping[str, Any], total: int, what: str) -> str | None:
    """That images to judge by are also trained on; None where they are not.

    `what`, `total`: what images that are judged by are called, and how many they are.
    """
    if not copies["held_out"]:
        return None
    such = ", such as {} (of {})".format(*copies["files"][0]) if copies["files"] else ""
    return (
        f"{copies['held_out']} of {total} {what} images have the pixels of images to train on{such}, so that they "
        "are judged too well; remove these copies"
    )


def class_copy_warnings(copies: Mapping[str, Any]) -> list[str]:
    """That the same image is in two classes."""
    if not copies["classes"]:
        return []
    such = ", such as {} and {}".format(*copies["class_files"]) if copies["class_files"] else ""
    return [f"{copies['classes']} images have the pixels of one in another class{such}; remove the wrong ones"]


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
