"""What every part of a study has in common: the recipe, the children, the images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cleave.data.augment import Augment, Normalise
from cleave.data.chance import Chance
from cleave.data.images import Images
from cleave.data.split import held_out, mixed
from cleave.data.stream import InOrder, Stream
from cleave.errors import UserError
from cleave.net import Norm, build
from cleave.search.problem import check_padding
from cleave.space import Arch, Layout, NetworkSize, Space, find_space
from cleave.space.sample import ENUMERABLE, distinct
from cleave.study.log import Log, all_children
from cleave.study.settings import StudyRecipe
from cleave.study.sharing import Shared, but_statistics, divide, shared_tensors, tensor_names
from cleave.study.truth import read_truth

MOST = 2_000
"""Children of a study at most: all of them are looked at again and again."""


class Passes(Stream):
    """One shuffled pass over the images after another; the last batch of a pass holds what is left, as published."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **named)
        self.batches = -(-len(self.images) // self.batch_size)

    def indices(self, step: int) -> Tensor:
        number, batch = divmod(step, self.batches)
        return self._order(number)[batch * self.batch_size : (batch + 1) * self.batch_size]


@dataclass(frozen=True)
class Study:
    """A resolved recipe with its children and images. `judged` ranks the children, `reported` (test images) do not."""

    recipe: StudyRecipe
    space: Space
    children: tuple[str, ...]
    divided: tuple[tuple[str, ...], ...]
    train: Images
    judged: Images
    reported: Images | None
    normalise: Normalise

    @property
    def layout(self) -> Layout:
        return layout_of(self.recipe, self.space, channels=self.train.pixels.shape[1])

    @property
    def classes(self) -> int:
        return len(self.train.classes)

    @property
    def judged_on(self) -> str:
        return self.recipe.data.judge

    @property
    def norm(self) -> Norm:
        return Norm(self.space.affine, running=True, momentum=self.recipe.norm.momentum)

    @property
    def shared(self) -> Shared | None:
        """The tensors that children of a supernet share; None: all."""
        shared = shared_tensors(self.recipe.sharing, self.layout)
        return but_statistics(shared) if self.recipe.norm.running == "child" else shared

    @property
    def tracked(self) -> str:
        """What the log calls the running statistics."""
        return "child" if self.recipe.norm.running == "child" else "running"

    @cached_property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.recipe.training.batch_size)

    def steps(self, group: int) -> int:
        """The mini-batches that a supernet is trained on."""
        steps = self.recipe.training.epochs * self.steps_per_epoch
        if self.recipe.sharing.budget == "each":
            return steps
        return max(1, round(steps * len(self.divided[group]) / len(self.children)))

    def archs(self, group: int) -> list[Arch]:
        return [self.space.parse(child) for child in self.divided[group]]

    def stream(self, chance: Chance, purpose: str) -> Passes:
        """Endless augmented training batches."""
        data = self.recipe.data
        padding = self.train.pixels.shape[-1] // 8 if data.padding is None else data.padding
        augment = Augment(padding, data.flip)
        return Passes(self.train, self.recipe.training.batch_size, augment, self.normalise, chance, purpose)

    def exam(self, images: Images) -> InOrder:
        """Images as they are judged."""
        return InOrder(images, self.recipe.looks.batch_size, self.normalise)

    def weights(self, instance: int) -> Chance:
        """What the initial values and mini-batches of an instance come from."""
        return Chance(self.recipe.seed, f"instance{0 if self.recipe.vary == 'order' else instance}")

    def order(self, instance: int, group: int) -> Chance:
        """What the order of a supernet's children comes from."""
        return Chance(self.recipe.seed, f"instance{instance} order {group}")

    def meta(self) -> dict[str, Any]:
        """What the log is of."""
        space = self.recipe.space
        return {
            "space": {"name": self.space.name, "ops": space.ops, "channels": space.channels, "cells": space.cells},
            "image": list(self.train.pixels.shape[1:]),
            "classes": self.classes,
            "children": list(self.children),
            "judged_on": self.judged_on,
            "images": {"train": len(self.train), "judged": len(self.judged)},
            "recipe": self.recipe.model_dump(mode="json", exclude={"device", "threads", "truth"}),
        }

    def fingerprint(self) -> str:
        """SHA-256 of the images and labels, in order: a resumed study must see the same ones."""
        digest = hashlib.sha256()
        for images in (self.train, self.judged, *([self.reported] if self.reported else [])):
            for tensor in (images.pixels, images.labels):
                digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def layout_of(recipe: StudyRecipe, space: Space, channels: int) -> Layout:
    return space.layout(NetworkSize(recipe.space.channels, recipe.space.cells), channels)


def open_study(recipe: StudyRecipe, divided: Sequence[Sequence[str]] | None = None) -> Study:
    """Loads what a resolved recipe names; UserError where it is not there or does not go together.

    `divided`: the children of each supernet where they were divided before: a log or a file may have changed since.
    """
    space = find_space(recipe.space.name, recipe.space.ops)
    children = chosen_children(recipe, space)
    check_sharing(recipe, space)  # before images are loaded, which takes a while
    check_truth(recipe, children, space)
    divided = divide(recipe.sharing, children) if divided is None else divided
    train, judged, reported = load_images(recipe)
    groups = tuple(map(tuple, divided))
    study = Study(recipe, space, children, groups, train, judged, reported, Normalise.of(train))
    check_tuning(study)
    return study


def check_truth(recipe: StudyRecipe, children: tuple[str, ...], space: Space) -> None:
    """UserError where the truth is not one of these children: better now than after all training."""
    if recipe.truth is not None:
        asked = {"name": space.name, "ops": recipe.space.ops}
        read_truth(Path(recipe.truth), Log("this study", {"space": asked, "children": list(children)}, {}))


def check_tuning(study: Study) -> None:
    """UserError where a supernet has no such epoch."""
    for group in range(len(study.divided)):
        last = -(-study.steps(group) // study.steps_per_epoch)
        late = [epoch for epoch in study.recipe.tune.epochs if epoch > last]
        if late:
            raise UserError(
                f"tune.epochs: {late[0]} is after the last epoch of supernet {group}, {last} "
                f"(training.epochs={study.recipe.training.epochs}, sharing.budget={study.recipe.sharing.budget})"
            )


def check_sharing(recipe: StudyRecipe, space: Space) -> None:
    """UserError where a policy cannot be followed, or shares nothing."""
    layout = layout_of(recipe, space, channels=3)
    shared = shared_tensors(recipe.sharing, layout)
    names = list(tensor_names(build(layout, space.region, classes=2, seed=0, norm=Norm(running=True))).values())
    if shared is not None and not any(map(shared, names)):
        raise UserError(
            f"sharing.pattern={recipe.sharing.pattern}: matches no tensor; they have names such as {names[-1]} and "
            f"{names[len(names) // 2]}; to share nothing use sharing.policy=none"
        )


def chosen_children(recipe: StudyRecipe, space: Space) -> tuple[str, ...]:
    """All valid architectures, or a sample by the seed, in the space's own order."""
    count, size = recipe.space.children, space.count(space.region)
    if count is None and size > MOST:
        raise UserError(f"space.children: {space.name} has {size:,} architectures; say how many, {MOST:,} at most")
    if count is not None and count > MOST:
        raise UserError(f"space.children={count}: all are looked at again and again; give {MOST:,} at most")
    if count is None:
        return all_children(space)
    drawn = distinct(space, space.region, count, Chance(recipe.seed, "study").generator("children"))
    if len(drawn) < count:
        raise UserError(f"space.children={count}: {space.name} has {len(drawn)}; give at most that")
    names = [space.format(arch) for arch in drawn]
    if size > ENUMERABLE:
        return tuple(sorted(names))
    wanted = set(names)
    return tuple(name for name in all_children(space) if name in wanted)


def load_images(recipe: StudyRecipe) -> tuple[Images, Images, Images | None]:
    """Images to train on, to rank children by, and (or None) to report by."""
    from cleave.data.sources import load  # not at the top: workers need no torchvision, which is slow to import

    data = recipe.data
    root = Path(data.root) if data.root else None
    images = load(data.name, "train", root, data.image_size)
    limit = min(data.limit or len(images), len(images))
    check_padding(data.padding, images.pixels.shape[-1])
    test = None
    if data.judge == "test" or data.report_test:
        test = load(data.name, "test", root, data.image_size).to(recipe.device)
    if data.judge == "test":
        assert test is not None
        test = test if test.shuffled else test.take(mixed(torch.arange(len(test))).to(test.labels.device))
        train = images if limit == len(images) else held_out(images, limit / len(images))[0]
        return train.to(recipe.device), first(test, recipe.looks.images), None
    train, judged = (part.to(recipe.device) for part in held_out(images, data.train_fraction, limit))
    return train, first(judged, recipe.looks.images), test


def first(images: Images, count: int | None) -> Images:
    """The first so many images, or all."""
    if count is None or count >= len(images):
        return images
    return images.take(torch.arange(count, device=images.labels.device))
