"""Keys of a study's recipe that were given without having a meaning."""

from __future__ import annotations

from collections.abc import Iterator

from cleave.study.record.settings import SharingSettings, StudyRecipe

OF_POLICY = {
    "all": (),
    "none": ("budget",),
    "groups": ("groups", "by", "file", "seed", "budget"),
    "prefix": ("cells",),
    "pattern": ("pattern",),
}
"""The keys of `sharing` that a policy goes by."""


def meaningless(recipe: StudyRecipe) -> list[str]:
    """A line for each."""
    sharing = recipe.sharing
    used = {"policy", *OF_POLICY[sharing.policy]}
    if sharing.policy == "groups":
        used -= {"file"} if sharing.by in ("sequential", "shuffled") else set()
        used -= {"seed"} if sharing.by != "shuffled" else set()
        used -= {"groups"} if sharing.by == "given" else set()
    notes = [
        f"sharing.{key} has no meaning with sharing.policy={sharing.policy}, sharing.by={sharing.by}; it is not used"
        for key, field in SharingSettings.model_fields.items()
        if key not in used and getattr(sharing, key) != field.default
    ]
    if recipe.data.judge == "test" and recipe.data.report_test:
        notes.append("data.report_test has no meaning with data.judge=test: children are ranked by the test images")
    alone = sharing.policy == "none"
    if recipe.instances > 1 and recipe.vary == "order" and (alone or recipe.training.order == "fixed"):
        why = "sharing.policy=none" if alone else "training.order=fixed"
        notes.append(f"vary=order with {why} repeats the same instance; use vary=weights")
    return notes + [f"{key} has no meaning {why}; it is not used" for key, why in without_effect(recipe)]


def without_effect(recipe: StudyRecipe) -> Iterator[tuple[str, str]]:
    """Keys outside `sharing` that were given without having a meaning, and why."""
    alone = recipe.sharing.policy == "none"
    running = "recalibrated" not in recipe.looks.statistics
    cases = [
        ("looks", "calibration", running, "without looks.statistics recalibrated"),
        ("tune", "batches", not recipe.tune.epochs, "without tune.epochs"),
        ("data", "train_fraction", recipe.data.judge == "test", "with data.judge=test"),
        ("training", "order", alone, "with sharing.policy=none"),
        ("norm", "running", alone, "with sharing.policy=none"),
    ]
    for section, key, unused, why in cases:
        settings = getattr(recipe, section)
        if unused and getattr(settings, key) != type(settings).model_fields[key].default:
            yield f"{section}.{key}", why
