"""What every part of a study has in common: the recipe, the children, the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cleave.data.augment import Normalise
from cleave.data.chance import Chance
from cleave.data.copies import Marks, copies_of
from cleave.data.copies_text import overlap_text, seen_warnings
from cleave.data.folder import Folder
from cleave.data.images import Images, Part, fingerprint
from cleave.data.reading import Reading
from cleave.data.report import image_report
from cleave.data.sources import find
from cleave.data.split import Listed, cut, for_training, mixed
from cleave.data.stream import BatchStream, InOrder
from cleave.engine.progress import Callback
from cleave.errors import UserError, brief
from cleave.files import refuse_pipe
from cleave.memory import memory_for
from cleave.net import Norm, build
from cleave.opening import SMALLER, augment_of, check_padding, reading_of, unused_keys
from cleave.space import Arch, Layout, Space, find_space
from cleave.space.sample import ENUMERABLE, distinct
from cleave.study.record.log import Log, all_children
from cleave.study.record.settings import StudyData, StudyRecipe
from cleave.study.record.sharing import Shared, but_statistics, divide, shared_tensors, tensor_names
from cleave.study.record.truth import log_file, read_truth

MOST = 2_000
"""Children of a study at most: all of them are looked at again and again."""


class Passes(BatchStream):
    """One shuffled pass over the images after another; the last batch of a pass holds what is left, as published."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **named)
        self.batches = -(-len(self.images) // self.batch_size)

    def of_size(self, batch_size: int) -> Passes:
        """The same in mini-batches of another size."""
        return Passes(self.images, batch_size, self.augment, self.normalise, self.chance, self.purpose)

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
    report: Mapping[str, Any] = field(default_factory=dict)
    """What is used of the images (`cleave.data.report`)."""

    @property
    def layout(self) -> Layout:
        return self.space.layout(self.recipe.space.size, self.train.pixels.shape[1])

    @property
    def classes(self) -> int:
        return len(self.train.classes)

    @property
    def judged_on(self) -> str:
        return self.recipe.data.judge

    @property
    def norm(self) -> Norm:
        return replace(self.layout.norm, running=True, momentum=self.recipe.norm.momentum)

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
        augment = augment_of(data, self.train.pixels.shape[-1])
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
        return {
            "space": space_meta(self.recipe, self.space),
            "image": list(self.train.pixels.shape[1:]),
            "classes": self.classes,
            "children": list(self.children),
            "judged_on": self.judged_on,
            "images": {"train": len(self.train), "judged": len(self.judged)},
            "recipe": self.recipe.model_dump(mode="json", exclude={"device", "threads", "truth"}),
        }

    def fingerprint(self) -> str:
        """SHA-256 of the images and labels, in order: a resumed study must see the same ones."""
        return fingerprint([self.train, self.judged, *([self.reported] if self.reported else [])])


def space_meta(recipe: StudyRecipe, space: Space) -> dict[str, Any]:
    """The space's settings as a log has them, by the space's own name."""
    return {**recipe.space.model_dump(mode="json", exclude={"children"}), "name": space.name}


def open_study(
    recipe: StudyRecipe, divided: Sequence[Sequence[str]] | None = None, callback: Callback | None = None
) -> Study:
    """Loads what a resolved recipe names; UserError where it is not there or does not go together.

    `divided`: the children of each supernet where they were divided before: a log or a file may have changed since.
    """
    space = find_space(recipe.space)
    children = chosen_children(recipe, space)
    check_sharing(recipe, space)  # before images are loaded, which takes a while
    check_truth(recipe, children, space)
    divided = divide(recipe.sharing, children) if divided is None else divided
    train, judged, reported, report = load_images(recipe, callback)
    groups = tuple(map(tuple, divided))
    study = Study(recipe, space, children, groups, train, judged, reported, Normalise.of(train), report)
    check_tuning(study)
    return study


def check_truth(recipe: StudyRecipe, children: tuple[str, ...], space: Space) -> None:
    """UserError where the truth is not one of these children: better now than after all training."""
    if recipe.truth is not None:
        path = Path(recipe.truth)
        refuse_pipe("truth", log_file(path))
        meta = {"space": space_meta(recipe, space), "children": list(children)}
        read_truth(path, Log("this study", meta, {}))


def check_tuning(study: Study) -> None:
    """UserError where a supernet is not trained until an epoch of `tune.epochs`."""
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
    layout = space.layout(recipe.space.size, 3)
    shared = shared_tensors(recipe.sharing, layout)
    network = build(layout, space.region, classes=2, seed=0, norm=replace(layout.norm, running=True))
    names = list(tensor_names(network).values())
    if shared is not None and not any(map(shared, names)):
        raise UserError(
            f"sharing.pattern={brief(recipe.sharing.pattern or '')}: matches no tensor; they have names such as "
            f"{names[-1]} and {names[len(names) // 2]}; to share nothing use sharing.policy=none"
        )


def chosen_children(recipe: StudyRecipe, space: Space) -> tuple[str, ...]:
    """All valid architectures, or a sample by the seed, in the space's own order."""
    count, size = recipe.space.children, space.count(space.region)
    if count == 1:
        raise UserError("space.children=1: one child has no rank; give 2 or more")
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


@memory_for("the images", SMALLER)
def load_images(
    recipe: StudyRecipe, callback: Callback | None = None
) -> tuple[Images, Images, Images | None, dict[str, Any]]:
    """Images to train on, to rank children by, and (or None) to report by; and the report on what is used of them."""
    data, reading = recipe.data, reading_of(recipe.data, callback or Callback())
    source = found(data, "train", reading)
    by_test, chosen = data.judge == "test", choose(source, data)
    sides = chosen[0], chosen[1][: recipe.looks.images]
    test, test_files = open_test(recipe, reading) if by_test or data.report_test else (None, ())
    train, held = source.take_each(*sides)
    reading.check()
    judged, reported = (test, None) if by_test else (held, test)
    assert judged is not None
    check_padding(data.padding, train.pixels.shape[-1])
    files = [*source.files_of(*sides), *(test_files if by_test else ())]
    report = image_report(data.name, source, train, judged, sum(map(len, chosen)), reading, by_test, lambda: files)
    report["warnings"][:0] = unused_keys(data, source)
    if (overlap := overlap_text(report["copies"], len(judged), "test" if by_test else "held-out")) is not None:
        report["warnings"].append(overlap)
    if reported is not None:
        copies = copies_of(Marks.of(train, held), reported, lambda: test_files)
        report["warnings"] += seen_warnings(copies, len(reported))
    reported = None if reported is None else reported.to(recipe.device)
    return train.to(recipe.device), judged.to(recipe.device), reported, report


def open_test(recipe: StudyRecipe, reading: Reading) -> tuple[Images, Sequence[str]]:
    """The test images that are used, and their files."""
    source = found(recipe.data, "test", reading)
    chosen = choose_test(source, recipe)
    return source.take_each(chosen)[0], source.files_of(chosen)


def found(data: StudyData, part: Part, reading: Reading) -> Images | Folder:
    """A part of the images, those of a folder not yet read."""
    return find(data.name, part, Path(data.root) if data.root else None, data.image_size, reading=reading)


def choose(source: Listed, data: StudyData) -> tuple[Tensor, Tensor]:
    """The indices to train on, and those to rank children by, none where the test images do that."""
    limit = min(data.limit or len(source), len(source))
    if data.judge == "held-out":
        return cut(source, data.train_fraction, limit, data.fraction)
    return for_training(source, limit, data.fraction), torch.empty(0, dtype=torch.int64)


def choose_test(tested: Listed, recipe: StudyRecipe) -> Tensor:
    """To report by: all test images. To rank children by: the first few in mixed order, which are a fair sample."""
    indices = torch.arange(len(tested))
    if recipe.data.judge == "held-out":
        return indices
    return (indices if tested.shuffled else mixed(indices))[: recipe.looks.images]
