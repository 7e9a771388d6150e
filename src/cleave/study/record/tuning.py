"""Every child of a snapshot trained on alone, and looked at after every mini-batch (arXiv 2001.01431, figure 4)."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import Any

from cleave.data.stream import Batch
from cleave.engine.stop import NEVER, Stop
from cleave.memory import within_memory
from cleave.run.generations import Record
from cleave.study.record.problem import Study
from cleave.study.record.seen import Look
from cleave.study.record.training import batch_too_large, make_supernet, path_of, trainer_of
from cleave.train import TRACKED, Child, Evaluator, Path, Trainer


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
        name, (network, gates) = self.names[self.step], self.supernet.members[self.step]
        child, meta = Child(deepcopy(network), gates), self.snapshot.meta
        trainer, evaluator, looks = self._trainer(child, name), Evaluator(TRACKED), list[Look]()
        while trainer.step < self.study.recipe.tune.batches:
            stop.check()
            self._train(trainer, path_of(child))
            hits = int(evaluator.hits([child], self.exam).sum())
            accuracy, kind, images = 100 * hits / len(self.study.judged), self.study.tracked, self.study.judged_on
            looks.append(Look(meta["epoch"], meta["step"], name, False, kind, trainer.step, images, [name], [accuracy]))
        self.looks += looks
        self.step += 1

    def _trainer(self, child: Child, name: str) -> Trainer:
        """At the learning rate that the snapshot had reached."""
        meta, settings = self.snapshot.meta, self.study.recipe.training
        parameters = dict(child.network.named_parameters())

        def where() -> str:
            return f"child {name}, mini-batch {trainer.step} from epoch {meta['epoch']} on"

        trainer = trainer_of(parameters, settings, lambda step: meta["rate"], where)
        return trainer

    def _train(self, trainer: Trainer, path: Path) -> None:
        def step(batch: Batch) -> None:
            trainer.update(batch, [path])

        explain = partial(batch_too_large, self.study, self.batches, step)
        within_memory(lambda: step(self.batches.batch(trainer.step)), explain)

    def record(self) -> Record:
        state: dict[str, Any] = {"looks": [look.to_list() for look in self.looks]}
        return Record({}, state, {"step": self.step})

    def restore(self, record: Record) -> None:
        self.looks = [Look(*values) for values in record.state["looks"]]
        self.step = record.meta["step"]
