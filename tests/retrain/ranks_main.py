"""One of several processes that train a network together: prints the losses of its steps, and what it ends with."""

from __future__ import annotations

import hashlib
import json

import torch

from cleave.process import leave
from cleave.retrain.ranks import Ranks, joined
from tests.retrain.small import images, in_doubles

CHANGES = {"auxiliary": 0.4, "drop_path": 0.3, "mixup": 0.2, "cutout": 8, "ema": 0.9, "accumulate": 2}
STEPS = 5


def steps(ranks: Ranks) -> dict[str, object]:
    """Losses step by step, and a hash of the network."""
    trainer = in_doubles(ranks, **CHANGES)
    losses = []
    for _ in range(STEPS):
        trainer.advance()
        losses.append(trainer.means()[0])
    digest = hashlib.sha256()
    for tensor in trainer.trained().values():
        digest.update(tensor.contiguous().numpy().data)
    return {"losses": losses, "network": digest.hexdigest(), "accuracy": trainer.judge(images(30)).overall}


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined("cpu") as found:
        print(json.dumps(steps(found)))
    leave(0)
