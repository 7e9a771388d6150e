"""Copies among images, by comparing each with every other."""

from __future__ import annotations

import torch

from cleave.data.images import Images


def same(one: Images, i: int, other: Images, j: int) -> bool:
    return torch.equal(one.pixels[i : i + 1], other.pixels[j : j + 1])


def matches(images: Images, number: int, others: Images) -> list[int]:
    """The numbers of the others with the pixels of an image."""
    return [j for j in range(len(others)) if same(images, number, others, j)]


def copied(images: Images, others: Images) -> list[int]:
    """The images that are among the others."""
    return [i for i in range(len(images)) if matches(images, i, others)]


def of_another_class(images: Images, others: Images) -> list[int]:
    """The images that are among the others, but not in their own class."""
    return [
        i
        for i in copied(images, others)
        if all(images.labels[i] != others.labels[j] for j in matches(images, i, others))
    ]


def in_several_classes(images: Images) -> list[int]:
    """The images whose pixels are in another class too."""
    return [
        i for i in range(len(images)) if any(images.labels[i] != images.labels[j] for j in matches(images, i, images))
    ]
