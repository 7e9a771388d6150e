"""Every child of a snapshot trained on alone, and looked at after every mini-batch (arXiv 2001.01431, figure 4)."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import Any

import torch

from cleave.data.stream import Batch
from cleave.engine.stop import NEVER, Stop
from cleave.memory import within_memory
from cleave.net import Network
from cleave.run.generations import Record
from cleave.study.record.problem import Study
from cleave.study.record.seen import Look
from cleave.study.record.training import batch_too_large, check_loss, loss_of, make_supernet, sgd


class Tuning:
    """What changes while the children of a snapshot are trained on, one after the other: the same mini-batches for
    each, no momentum from before, and the learning rate that was reached."""

    def __init__(self, study: Study, instance: int, group: int, snapshot: Record) -> None:
        self.study, self.snapshot = study, snapshot
        self.names = study.divided[group]
        self.supernet = make_supernet(study, instance, group)
        self.supernet.load(snapshot.weights)
        self.batches = study.stream(study.weights(instance), f"tune {snapshot.meta['epoch']}")
        self.exam = list(study.exam(study.judged))
        self.step, self.steps = 0, len(self.names)
        self.looks: list[Look] = []

    @property
    def done(self) -> bool:
        return self.step == self.steps

    def advance(self, stop: Stop = NEVER) -> None:
        """One child from the snapshot on. Interrupted when `stop` asks for it, and the child is to be begun anew."""
        settings, meta, name = self.study.recipe.training, self.snapshot.meta, self.names[self.step]
        network, gates = deepcopy(self.supernet.networks[self.step]), self.supernet.gates[self.step]
        optimizer = sgd(list(network.parameters()), settings, meta["rate"])
        looks: list[Look] = []
        for number in range(self.study.recipe.tune.batches):
            stop.check()
            self._train(network, optimizer, number)
            network.eval()
            with torch.no_grad():
                hits = sum(int((network(x, gates).argmax(dim=1) == y).sum()) for x, y in self.exam)
            network.train()
            looks.append(self._look(name, number + 1, 100 * hits / len(self.study.judged)))
        self.looks += looks
        self.step += 1

    def _train(self, network: Network, optimizer: torch.optim.SGD, number: int) -> None:
        step = partial(self._step, network, optimizer, number)
        explain = partial(batch_too_large, self.study, self.batches, step)
        within_memory(lambda: step(self.batches.batch(number)), explain)

    def _step(self, network: Network, optimizer: torch.optim.SGD, number: int, batch: Batch) -> None:
        optimizer.zero_grad()
        loss = loss_of(network, self.supernet.gates[self.step], batch)
        where = f"mini-batch {number} from epoch {self.snapshot.meta['epoch']} on"
        check_loss(loss, f"child {self.names[self.step]}, {where}")
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def _look(self, name: str, tuned: int, accuracy: float) -> Look:
        epoch, step = self.snapshot.meta["epoch"], self.snapshot.meta["step"]
        judged = self.study.judged_on
        return Look(epoch, step, name, False, self.study.tracked, tuned, judged, [name], [accuracy])

    def record(self) -> Record:
        state: dict[str, Any] = {"looks": [look.to_list() for look in self.looks]}
        return Record({}, state, {"step": self.step})

    def restore(self, record: Record) -> None:
        self.looks = [Look(*values) for values in record.state["looks"]]
        self.step = record.meta["step"]
