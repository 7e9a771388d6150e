"""Keys of a study's recipe that were given without having a meaning."""

from __future__ import annotations

from cleave.study.settings import SharingSettings, StudyRecipe

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
    if recipe.instances > 1 and recipe.vary == "order" and recipe.training.order == "fixed":
        notes.append("vary=order with training.order=fixed repeats the same instance; use vary=weights")
    return notes
