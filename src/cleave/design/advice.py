"""What is said before anything is trained: what fits into the time, and when not to search at all."""

from __future__ import annotations

from cleave.design.ours import FEWEST_EPOCHS
from cleave.design.work import FIRST, SEARCH, Work
from cleave.ops.timm_body import config_of
from cleave.plan.text import duration
from cleave.pretrained.mobilenetv3 import NAME
from cleave.pretrained.reading import cached

FEW = 5000
"""Training images below which pretrained weights count for more than any search."""


def advise(work: Work) -> None:
    """Says what is planned, and what a person with few images and no limit should do instead."""
    for line in [*plan_lines(work), *few_lines(work)]:
        work.callback.say(line)


def plan_lines(work: Work) -> list[str]:
    """What the time is spent on."""
    told, recipe = work.scale, work.recipe
    epochs = told.epochs(work.share(SEARCH))
    begun = "pretrained weights" if told.pretrained else "new weights"
    supernet = (
        f"a supernet of width {told.width:g} for about {epochs} epochs"
        if epochs >= FEWEST_EPOCHS[told.pretrained]
        else "no supernet, for which there is no time"
    )
    return [
        f"plan for {duration(recipe.time)}: {told.train} images of {told.classes} classes at "
        f"{told.side} x {told.side} pixels, {told.held_out} held out; {begun}",
        f"  known networks for {duration(work.share(FIRST))}; {supernet}; the best of them for longer; "
        "then test images, once",
    ]


def few_lines(work: Work) -> list[str]:
    """Of few images without a limit: what to fine-tune."""
    told = work.scale
    if told.train >= FEW or work.recipe.limits.given:
        return []
    few = f"few images ({told.train}) and no limit"
    data = work.recipe.data.name
    if cached(config_of(NAME)):
        return [
            f"{few}: fine-tuning is hard to beat: cleave train timm:{NAME} --data {data} --pretrained cache; it is one "
            "of the networks here"
        ]
    hub = config_of(NAME)["hf_hub_id"]
    return [
        f"{few}: pretrained weights would count for more than any search, and none are at hand; with them fine-tuning "
        f"is hard to beat: hf download {hub} model.safetensors, then cleave train timm:{NAME} --data {data} "
        "--pretrained cache"
    ]
