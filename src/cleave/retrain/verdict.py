"""`cleave verdict`: finished trainings on the same test images, and whether ours is better than the others.

The network to use is chosen by held-out images; the test images, which are opened here for all at once, then tell how
good it is. To choose by them would make them held-out images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleave.data.copies import Files
from cleave.data.given import Given
from cleave.data.images import Images, fingerprint
from cleave.data.parts import NoTestPart
from cleave.engine.progress import Callback
from cleave.errors import UserError, refuse_repeats
from cleave.extensions import check_unchanged
from cleave.extras import need_extra
from cleave.memory import memory_for
from cleave.opening import SMALLER
from cleave.resolve import resolve_device
from cleave.retrain.answers import answers
from cleave.retrain.evaluate import check_images, data_settings, test_images
from cleave.retrain.ranks import device_of
from cleave.retrain.recipes import recipe_of
from cleave.retrain.result import TrainResult, read_training
from cleave.retrain.seen import copies_in
from cleave.retrain.settings import RetrainRecipe
from cleave.run.folder import names_of
from cleave.run.origin import TRAIN, Origin, read_origin
from cleave.stats.verdict import Answers, judge

HOW = "the highest accuracy on held-out images; of equals the fewest multiply-adds"


@dataclass(frozen=True)
class Contender:
    """A finished training."""

    name: str
    result: TrainResult
    origin: Origin
    recipe: RetrainRecipe

    @property
    def held_out(self) -> str | None:
        """What tells its held-out images from others; None where there are none."""
        return None if self.result.accuracy is None else str(self.origin.environment["images"])

    def to_json(self) -> dict[str, Any]:
        told = self.result.to_json()
        kept = ("run", "space", "arch", "parameters", "multiply_adds", "pretrained", "held_out")
        return {"name": self.name, **{key: told.get(key) for key in kept}}


def find_verdict(
    runs: Sequence[Path],
    callback: Callback,
    data: str | None = None,
    data_root: str | None = None,
    device: str | None = None,
    given: Given | None = None,
) -> dict[str, Any]:
    """{"runs", "data", "chosen", "chosen_by", "test", "copies"}; ours is the first of two runs or more.

    "runs": each with its costs and held-out accuracy. "chosen": the run to use, by held-out images ("chosen_by"); null
    where these are not the same ones. "test": as of `cleave.stats.verdict.Verdict.to_json`. "copies": test images that
    any of them has seen, as of `copies_in`. The other arguments are as of `evaluate`. UserError for runs that are
    unfinished or of other images, and where there are no test images.
    """
    need_extra("verdict")
    found = contenders(runs)
    best = chosen(found)
    images, files = same_images(found, best, callback, data, data_root, given)
    asked = [answered(each, images, callback, device) for each in found]
    verdict = judge(asked[0], asked[1:], images.labels.cpu().numpy())
    return {
        "runs": [each.to_json() for each in found],
        "data": data_settings(found[0].recipe.data, data, data_root).name,
        "chosen": best and str(best.result.run),
        "chosen_by": HOW,
        "test": verdict.to_json(),
        "copies": copies_in(images, files, runs),
    }


def contenders(runs: Sequence[Path]) -> list[Contender]:
    """The runs, each with a name."""
    refuse_repeats("RUN", list(map(str, runs)))
    if len(runs) < 2:
        raise UserError("cleave verdict: give two finished trainings or more, ours first: cleave verdict RUN RUN")
    return list(map(contender, runs, names_of(runs)))


def contender(run: Path, name: str) -> Contender:
    origin = read_origin(run, TRAIN)
    check_unchanged(origin.environment.get("extensions", {}), None, lambda line: None)
    return Contender(name, read_training(run), origin, recipe_of(origin))


def chosen(found: Sequence[Contender]) -> Contender | None:
    """The best on held-out images; None where some have none, or others."""
    if None in (held := {each.held_out for each in found}) or len(held) > 1:
        return None
    return min(found, key=lambda each: (-(each.result.accuracy or 0.0), each.result.multiply_adds))


def same_images(
    found: Sequence[Contender],
    best: Contender | None,
    callback: Callback,
    data: str | None,
    data_root: str | None,
    given: Given | None,
) -> tuple[Images, Files]:
    """The test images of all of them, and their files; UserError where they are not the same, or there are none."""
    ours = found[0]
    try:
        images, files = images_of(ours, callback, data, data_root, given)
    except NoTestPart as error:
        raise UserError(f"{error}; without test images there is no verdict: {by_held_out(best)}") from error
    own = fingerprint((images,))
    prints = {ours.recipe.data.model_dump_json(): own}
    for each in found:
        check_images(images, each.origin, each.result.run, ours.recipe.data.name)
        said = each.recipe.data.model_dump_json()
        if said not in prints:
            prints[said] = fingerprint((images_of(each, callback, data, data_root, given)[0],))
        if prints[said] != own:
            raise UserError(
                f"{each.result.run}: has other test images than {ours.result.run}; compare trainings on the same ones"
            )
    return images, files


def images_of(
    contender: Contender, callback: Callback, data: str | None, data_root: str | None, given: Given | None
) -> tuple[Images, Files]:
    with memory_for("the images", SMALLER):
        return test_images(data_settings(contender.recipe.data, data, data_root), callback, given)


def by_held_out(best: Contender | None) -> str:
    """What can be said without test images."""
    if best is None:
        return "nor do all have the same held-out images to choose by"
    return (
        f"by the held-out images {best.name} is chosen, with the highest accuracy, {best.result.accuracy:.2f} %, which "
        "is too high for having been chosen"
    )


def answered(contender: Contender, images: Images, callback: Callback, device: str | None) -> Answers:
    where = device_of(resolve_device(device or contender.recipe.device))
    return Answers(contender.name, answers(contender.result.run, images, where, callback).numpy())
