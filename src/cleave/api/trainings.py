"""One architecture, trained by itself and tested."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleave.api.arguments import SpaceObject, checked_callbacks, given_again, path_or_none, space_again
from cleave.engine.engine import PROCESS, engine_of
from cleave.engine.progress import CallbackLike, Callbacks
from cleave.engine.ray_resources import ResourcesLike
from cleave.engine.slurm_options import SlurmLike
from cleave.engine.stop import Stop
from cleave.errors import UserError
from cleave.extras import need_extra
from cleave.given import DataLike, RecipeLike, SpaceLike, images_from, once, space_keys, without
from cleave.result import SearchResult
from cleave.retrain import compare as compare_runner
from cleave.retrain import evaluate as evaluate_runner
from cleave.retrain import runner as train_runner
from cleave.retrain import verdict as verdict_runner
from cleave.retrain.compare import ComparisonRequest
from cleave.retrain.recipes import load_training
from cleave.retrain.result import TrainResult, read_training
from cleave.retrain.runner import Hands
from cleave.run.mirror import run_at_hand
from cleave.run.origin import TRAIN, holds
from cleave.run.store import url_of
from cleave.search.opponents import find_opponents

CACHE = "cache"
"""What stands for pretrained weights in timm's cache."""

if TYPE_CHECKING:
    from cleave.timm_models import TimmNetwork


def train(
    source: str | Path | SearchResult,
    *,
    weights: str | None = None,
    pretrained: str | Path | None = None,
    arch: str | None = None,
    leaf: str | None = None,
    epochs: int | None = None,
    recipe: RecipeLike | None = None,
    space: SpaceLike | None = None,
    data: DataLike | None = None,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    device: str | None = None,
    engine: str = PROCESS,
    address: str | None = None,
    resources: ResourcesLike | None = None,
    slurm: SlurmLike | None = None,
    processes: int = 1,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> TrainResult:
    """Trains one architecture in a new run folder.

    `source`: an architecture as its space writes it, or "timm:NAME" for a network of timm's, or a finished search, or
    the JSON file of `cleave.evolve` in one: its space and images are then taken. `weights`: "new", or "supernet" for
    those that the architecture has in a leaf of the search. `pretrained`: a file of weights of the network of timm's,
    or "cache" for timm's own cache. `arch`, `leaf`: others than the search chose.

    `recipe`: a name ("short", "finetune" and so on), a YAML file, a mapping or `retrain.settings.RetrainRecipe`; None:
    short, or finetune for weights that are good already. The other arguments are as of `search`, and change it:
    {"training.batch_size": 32}. `engine` and what belongs to it: who trains, as of `search`. `processes`: that
    train the network together on that machine, each with its part of every batch; on GPUs each has one.

    UserError for a mistake in what was given; Interrupted, with everything saved, where it was asked to stop.
    """
    hands = Hands(engine_of(1, engine, address, slurm, resources), processes)
    images, given = images_from(data)
    begun = {"begin.weights": weights, "begin.leaf": leaf, "arch": arch, "training.epochs": epochs}
    begun = {**begun, **pretrained_keys(weights, pretrained)}
    keys = {**space_keys(space), **images, **without({**begun, "seed": seed, "device": device})}
    once(keys, settings or {})
    of = source.run if isinstance(source, SearchResult) else source if url_of(source) is None else run_at_hand(source)
    asked = load_training(of, recipe, {**keys, **(settings or {})})
    callback = Callbacks(checked_callbacks(callbacks), stop)
    found = train_runner.start(asked, path_or_none(out), callback, given, hands=hands)
    return read_training(Path(found["run"]))


def pretrained_keys(weights: str | None, pretrained: str | Path | None) -> dict[str, Any]:
    """The keys of a recipe for pretrained weights; UserError where others are asked for as well."""
    if pretrained is None:
        return {}
    if weights is not None:
        raise UserError(f"--from {weights}: are other weights than those of --pretrained; leave one of them out")
    return {"begin.weights": "pretrained", "begin.file": None if pretrained == CACHE else str(pretrained)}


def compare(
    source: str | Path | SearchResult,
    *,
    arch: str | None = None,
    leaf: str | None = None,
    epochs: int | None = None,
    seeds: Sequence[int] = (0,),
    recipe: RecipeLike | None = None,
    scratch: RecipeLike | None = None,
    data: DataLike | None = None,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Inherited, fine-tuned and from-scratch accuracy of an architecture of a finished search, on held-out images.

    `arch`, `leaf`: others than the search chose. `recipe`: of fine-tuning; None: finetune. `scratch`: of training from
    scratch, which has as many epochs; None: short. Every seed is a training of each kind. The other arguments are as of
    `train`, and change both. What is in `out` already is not trained again.

    Returns what `cleave compare --json` prints. UserError and Interrupted as of `train`.
    """
    images, given = images_from(data)
    keys = {**images, **without({"begin.leaf": leaf, "arch": arch, "training.epochs": epochs, "device": device})}
    once(keys, settings or {})
    request = ComparisonRequest(
        source.run if isinstance(source, SearchResult) else run_at_hand(source),
        tuple(seeds),
        recipe,
        scratch,
        {**keys, **(settings or {})},
        path_or_none(out),
    )
    return compare_runner.compare(request, Callbacks(checked_callbacks(callbacks), stop), given)


def resume_training(
    folder: str | Path,
    *,
    data: DataLike | None = None,
    space: SpaceObject | None = None,
    device: str | None = None,
    engine: str = PROCESS,
    address: str | None = None,
    resources: ResourcesLike | None = None,
    slurm: SlurmLike | None = None,
    processes: int = 1,
    changed_extensions: bool = False,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> TrainResult:
    """Goes on with an interrupted training, which ends as if nothing had happened; a finished one is told again.

    The arguments are as of `resume` and `train`.
    """
    hands = Hands(engine_of(1, engine, address, slurm, resources), processes)
    space_again(space)
    callback = Callbacks(checked_callbacks(callbacks), stop)
    run = run_at_hand(folder)
    train_runner.resume(run, callback, device, given_again(data), changed_extensions, hands=hands)
    return read_training(run)


def is_training(folder: Path) -> bool:
    """Whether a folder is that of a training, which `resume_training` goes on with."""
    return holds(folder, TRAIN)


def evaluate(
    model: str | Path | TrainResult,
    *,
    data: DataLike | None = None,
    space: SpaceObject | None = None,
    data_root: str | Path | None = None,
    device: str | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """The accuracy of a finished training on test images, which nothing else opens.

    `data`: a name or a folder whose test part is taken, or test images as tensors or a Dataset; None: the test part of
    the images that it was trained on. Returns what `cleave evaluate --json` prints.
    """
    space_again(space)
    images, given = images_from(data)
    folder = model.run if isinstance(model, TrainResult) else run_at_hand(model)
    callback = Callbacks(checked_callbacks(callbacks), stop)
    root = None if data_root is None else str(data_root)
    return evaluate_runner.evaluate(folder, callback, images.get("data.name"), root, device, given)


def opponents(source: str | Path | SearchResult, *, against: Sequence[str] = (), seed: int = 0) -> dict[str, Any]:
    """Networks to train beside that of a finished search, each with its costs and the command that trains it.

    `against`: more of timm's names. `seed`: of the random architecture. Returns what `cleave opponents --json` prints.
    """
    run = source.run if isinstance(source, SearchResult) else run_at_hand(source)
    return find_opponents(run, against, seed)


def verdict(
    models: Sequence[str | Path | TrainResult],
    *,
    data: DataLike | None = None,
    data_root: str | Path | None = None,
    device: str | None = None,
    callbacks: Iterable[CallbackLike] = (),
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Whether the first of several finished trainings is better than the others, on the same test images.

    The arguments are as of `evaluate`. Returns what `cleave verdict --json` prints; needs `cleave-nas[verdict]`.
    UserError for trainings that are not finished, or not of the same images, and where there are no test images.
    """
    images, given = images_from(data)
    runs = [each.run if isinstance(each, TrainResult) else run_at_hand(each) for each in models]
    callback = Callbacks(checked_callbacks(callbacks), stop)
    root = None if data_root is None else str(data_root)
    return verdict_runner.find_verdict(runs, callback, images.get("data.name"), root, device, given)


def timm_model(
    source: str | Path | TrainResult,
    *,
    space: str = "mobilenet-proxyless",
    settings: Mapping[str, Any] | None = None,
    num_classes: int | None = None,
    **options: Any,  # noqa: ANN401  of TimmNetwork
) -> TimmNetwork:
    """The network of a finished training with its weights, or of an architecture as its space writes it, with new ones.

    A module with timm's interface, which takes normalised images; the mean and deviation are in its `pretrained_cfg`.
    `settings`: the space's keys, as in {"width": 1.0}; None: its published size. `num_classes`: None for those of the
    training, or 1000; others get a new classifier. `options`: in_chans, drop_rate, drop_path_rate, global_pool.
    UserError where there is no such training or architecture. Needs the extra `cleave-nas[train]`.
    """
    need_extra("train")
    from cleave.timm_models import of_architecture, of_training

    if isinstance(source, TrainResult) or os.path.isdir(source):
        return of_training(source.run if isinstance(source, TrainResult) else run_at_hand(source), num_classes, options)
    named, classes = {"name": space, **(settings or {})}, 1000 if num_classes is None else num_classes
    return of_architecture(str(source), named, classes, options)
