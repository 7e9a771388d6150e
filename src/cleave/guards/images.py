"""Images that tell too much, or always the same."""

from __future__ import annotations

import torch

from cleave.data.copies import hash_tensor
from cleave.data.copies_text import overlap_text
from cleave.guards.guard import Guard, RunOpened, guard

BATCHES = 4
"""Mini-batches of held-out images that are looked at."""


@guard("overlap")
class Overlap(Guard):
    """Held-out images that are also trained on, known by hashes of their pixels."""

    def at_opening(self, run: RunOpened) -> str | None:
        total = 0 if run.held_out is None else len(run.held_out)
        return overlap_text(run.report["copies"], total, "held-out") if "copies" in run.report else None


@guard("held-out-is-test")
class HeldOutIsTest(Guard):
    """Held-out files that are also files of the test part, by their names and sizes (`cleave.data.held_in_test`)."""

    def at_opening(self, run: RunOpened) -> str | None:
        found = run.report.get("in_test")
        if not found or not found["held_out"]:
            return None
        such = ", such as {} (as {})".format(*found["files"][0])
        return (
            f"{found['held_out']} of {found['looked_at']} held-out files that were looked at are in the test part too, "
            f"by name and size{such}, so that test images have a say here and will tell too much; hold out other images"
        )


@guard("repeated-batch")
class RepeatedBatch(Guard):
    """Architecture weights that learn by the same few images again and again."""

    def at_opening(self, run: RunOpened) -> str | None:
        if run.validation is None or run.held_out is None:
            return None
        drawn = [run.validation(step) for step in range(BATCHES)]
        seen = hash_tensor(run.held_out.take(torch.tensor(sorted(set(torch.cat(drawn).tolist())))))
        pictures = len(set(seen.tolist()))
        if pictures > len(drawn[0]):
            return None
        return (
            f"every validation batch repeats the same {pictures} pictures, so that architecture weights learn by no "
            "others; hold out more images (data.train_fraction), remove copies, or use a smaller search.batch_size"
        )
