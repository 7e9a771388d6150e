"""The search (GM-NAS, algorithm 1): train a node, split it or derive its architecture, until no node is open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from cleave.errors import Interrupted, UserError
from cleave.run.folder import RunFolder
from cleave.run.generations import NotFinite, Record
from cleave.search.learner import Learner
from cleave.search.problem import Problem
from cleave.search.result import outcome
from cleave.search.schedule import schedule
from cleave.search.splitting import make_splitter, parts_at
from cleave.search.state import State, tree_to_json
from cleave.search.watch import Moment, Stop, Watcher
from cleave.search.work import passes_done, planned_passes
from cleave.space import Arch
from cleave.split import Node, Probe
from cleave.split.splitters import Situation


class Search:
    """A search in a run folder. Whatever ends it, `run` on a Search with the same folder goes on and ends the same."""

    def __init__(self, problem: Problem, folder: RunFolder, stop: Stop, watcher: Watcher) -> None:
        self.problem, self.folder, self.stop, self.watcher = problem, folder, stop, watcher
        self.state = State.new(problem.space.region)
        self.learner: Learner | None = None
        self.saved_at = time.monotonic()
        self.total = planned_passes(problem)
        if folder.generations.empty:
            folder.events.truncate(0)  # what a run did that was killed before its first checkpoint happens again
        else:
            self._restore(folder.generations.newest(watcher.say))

    def run(self) -> dict[str, Any]:
        """The outcome; raises Interrupted, with everything saved, when asked to stop."""
        try:
            while (node := self.state.tree.next_open()) is not None:
                self._visit(node)
        except Interrupted:
            self._save()
            raise
        return outcome(self.problem, self.state)

    def _visit(self, node: Node) -> None:
        learner = self.learner = self.learner or self._open(node)
        self._train(learner)
        if len(node.path) < (self.problem.recipe.split.splits or 0):
            self._split(node, learner)
        else:
            self._derive(node, learner)
        self._close(node, learner)

    def _close(self, node: Node, learner: Learner) -> None:
        """Puts the finished node's weights aside and saves; from then on a resumed run starts behind it."""
        with finite(node):
            self.state.kept[node.label] = self.folder.keep_leaf(node.label, learner.record())
        self.learner, self.state.measured = None, {}
        self._save()
        self.folder.write_tree(tree_to_json(self.state.tree))

    def _open(self, node: Node) -> Learner:
        """A learner for the node, with its parent's weights unless it starts anew."""
        plan = schedule(self.problem.recipe, len(node.path))
        learner = Learner(self.problem, node, plan)
        parent = self.state.tree.parent(node)
        if not plan.fresh and parent is not None:
            learner.inherit(self.folder.leaf(parent.label, self.state.kept[parent.label]), parent.region)
        return learner

    def _train(self, learner: Learner) -> None:
        doing = "search" if learner.schedule.searching else "warm-up"
        while learner.step < learner.steps:
            self._breathe()
            learner.advance()
            self.state.cost.weight_steps += 1
            self.state.cost.arch_steps += learner.architecture_steps
            self._show(learner, doing)
            if learner.step % self.problem.steps_per_epoch == 0:
                self._end_epoch(learner, doing)

    def _end_epoch(self, learner: Learner, doing: str) -> None:
        loss, accuracy = learner.finite_means()
        strengths = {
            choice: [round(weight, 6) for weight in weights.tolist()]
            for choice, weights in learner.method.strengths().items()
        }
        self.folder.events.write(
            "epoch",
            leaf=learner.node.label,
            phase=doing,
            epoch=learner.step // self.problem.steps_per_epoch,
            loss=loss,
            accuracy=accuracy,
            strengths=strengths,
        )

    def _split(self, node: Node, learner: Learner) -> None:
        situation = Situation(
            node.region,
            self.state.tree.unsplit(node),
            parts_at(self.problem.recipe, len(node.path)),
            score=lambda choice: self._score(choice, learner),
            generator=learner.chance.generator("split"),
        )
        split = make_splitter(self.problem.recipe, len(node.path)).split(situation)
        self.state.tree.grow(node, split, self.problem.space.holds_valid)
        self.folder.events.write("split", leaf=node.label, choice=split.choice, groups=split.groups)

    def _score(self, choice: str, learner: Learner) -> Tensor:
        """A choice's similarities, measured once and kept across interruptions."""
        if choice not in self.state.measured:
            candidates = len(learner.node.region.allowed[choice])
            probes = self._watched(learner, choice, candidates)
            self.state.measured[choice] = learner.score(choice, probes).tolist()
            self.state.cost.split_passes += candidates * self.problem.recipe.split.batches
        return torch.tensor(self.state.measured[choice], dtype=torch.float64)

    def _watched(self, learner: Learner, choice: str, candidates: int) -> Iterator[Probe]:
        for number, probe in enumerate(learner.probes()):
            self._breathe()
            self._show(learner, f"compare {choice}", number * candidates)
            yield probe

    def _derive(self, node: Node, learner: Learner) -> None:
        """The method's architecture for a leaf, with its accuracy on held-out images under the leaf's weights."""

        def evaluate(arch: Arch) -> float:
            text = self.problem.space.format(arch)
            if text not in self.state.measured:
                self._breathe()
                self.state.measured[text] = learner.accuracy(arch)
                self.state.cost.eval_images += len(self.problem.valid)
                self._show(learner, "evaluate")
            accuracy: float = self.state.measured[text]
            return accuracy

        arch = learner.method.derive(evaluate, learner.chance.generator("derive"))
        node.result = {"arch": self.problem.space.format(arch), "valid_accuracy": evaluate(arch)}
        self.folder.events.write("leaf", leaf=node.label, **node.result)

    def _breathe(self) -> None:
        """Between steps: stop if asked to, save if it is time."""
        self.stop.check()
        if time.monotonic() - self.saved_at >= self.problem.recipe.search.checkpoint_seconds:
            self._save()

    def _save(self) -> None:
        """Commits a generation from which the search goes on as if nothing had happened."""
        record = Record({}, {}, {}) if self.learner is None else self.learner.record()
        meta = {
            "search": self.state.to_json(),
            "learner": record.meta or None,
            "events": self.folder.events.position,
            "run": self.folder.identity,
        }
        with finite(self.learner.node if self.learner else None):
            self.folder.generations.commit(Record(record.weights, record.state, meta))
        self.folder.write_seconds()
        self.saved_at = time.monotonic()

    def _restore(self, record: Record) -> None:
        if record.meta.get("run") != self.folder.identity:
            raise UserError(
                f"{self.folder.generations.folder}: the newest checkpoint is of another run; put back its own"
            )
        self.state = State.from_json(record.meta["search"])
        self.folder.events.truncate(record.meta["events"])
        if record.meta["learner"] is not None:
            node = self.state.tree.next_open()
            assert node is not None
            self.learner = Learner(self.problem, node, schedule(self.problem.recipe, len(node.path)))
            self.learner.restore(Record(record.weights, record.state, record.meta["learner"]))

    def _show(self, learner: Learner, doing: str, more: int = 0) -> None:
        done = passes_done(self.problem, self.state.cost) + more
        means = learner.means if learner.step > 0 else None
        self.watcher.see(Moment(done, self.total, learner.node.label, doing, means))


@contextmanager
def finite(node: Node | None) -> Iterator[None]:
    """Turns the refusal to save a NaN into what the user can do about it."""
    try:
        yield
    except NotFinite as error:
        where = f"leaf {node.label}: " if node else ""
        raise UserError(f"{where}{error}; try a smaller method.learning_rate or method.clip") from error
