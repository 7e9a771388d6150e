"""One task of a search: a node trained and then split or searched, or an architecture trained alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from cleave.data.chance import Chance
from cleave.engine.progress import Callback
from cleave.engine.stop import Stop
from cleave.errors import Interrupted
from cleave.method import Method
from cleave.run.folder import RunFiles
from cleave.run.task_folder import TaskFolder, task_lock
from cleave.search.accuracy import Accuracy
from cleave.search.exam import Exam, Examine, Trained
from cleave.search.learner import Learner, Standalone, make_method
from cleave.search.problem import Problem
from cleave.search.racing import race_for
from cleave.search.schedule import Schedule, alone, schedule
from cleave.search.session import TaskSession, finite
from cleave.search.splitting import make_splitter, parts_at
from cleave.search.stability import agreement, mean_entropy, panel
from cleave.search.task import NodeTask, Parent, StandaloneTask, Task, TaskResult
from cleave.space import Arch
from cleave.split import Node, Probe
from cleave.split.splitters import SplitRequest


def perform(problem: Problem, task: Task, run: RunFiles, stop: Stop, callback: Callback) -> TaskResult:
    """Does a task, or what is left of it; a finished one tells again what it found.

    Raises Interrupted, with everything saved, when asked to stop.
    """
    with task_lock(run.path, task.label):
        return Performance(problem, run, TaskFolder(run.path, run.identity, task.label), stop, callback).of(task)


class Performance(TaskSession):
    """A task in its folder. Whatever ends it, one in the same folder goes on and ends the same."""

    def of(self, task: Task) -> TaskResult:
        if not self.found.finished:
            try:
                self._visit(task) if isinstance(task, NodeTask) else self._try(task)
            except Interrupted:
                self.save()
                raise
            self.learner, self.found.finished = None, True
            self.save()
        return self.found

    def _visit(self, visit: NodeTask) -> None:
        plan = schedule(self.problem.recipe, len(visit.node.path))
        if plan.searching and self.problem.method.alone:
            self._search_alone(visit.node)
        else:
            self._share(visit, plan)

    def _share(self, visit: NodeTask, plan: Schedule) -> None:
        """A node whose architectures share weights: trained, then split or searched."""
        learner = self._train(visit.node, visit.parent, plan)
        if plan.searching:
            self._derive(visit.node, learner.method, self._exam(learner))
        else:
            self._split(visit, learner)
        self._keep(visit.label, learner)

    def _search_alone(self, node: Node) -> None:
        """A leaf whose architectures share nothing."""
        epochs = self.problem.method.epochs_each(self.problem.recipe.method)

        def evaluate(arch: Arch) -> Accuracy:
            place = Standalone(f"{node.label} {len(self.found.accuracies)}", arch)
            return self._trained_alone(place, epochs)

        method = make_method(self.problem, node, Chance(self.problem.recipe.seed, node.label))
        self._derive(node, method, Trained(lambda arch: self._once(arch, evaluate)))

    def _try(self, trial: StandaloneTask) -> None:
        """An architecture of the control."""
        self._once(trial.place.arch, lambda _: self._trained_alone(trial.place, trial.epochs))

    def _trained_alone(self, place: Standalone, epochs: int) -> Accuracy:
        """How an architecture does that is trained from new weights; they are not kept."""
        learner = self.opened(place, alone(epochs))
        self.train(learner, "train alone", lambda: None)
        learner.finite_means()
        self.learner = None
        return learner.judge(place.arch)

    def _keep(self, label: str, learner: Learner) -> None:
        """Puts trained weights aside for later."""
        with finite(label):
            self.found.kept[label] = self.run.keep_leaf(label, learner.record())

    def _train(self, node: Node, parent: Parent | None, plan: Schedule) -> Learner:
        """The node's supernet after its epochs, from its parent's weights unless it starts anew."""

        def inherit(learner: Learner) -> None:
            if not plan.fresh and parent is not None:
                assert parent.kept is not None, "a node that goes on has a parent that was trained"
                learner.inherit(self.run.leaf(parent.label, parent.kept), parent.region)

        learner = self.opened(node, plan, inherit)
        doing = "search" if plan.searching else "warm-up"
        self.train(learner, doing, partial(self._end_epoch, learner, doing))
        return learner

    def _end_epoch(self, learner: Learner, doing: str) -> None:
        loss, accuracy = learner.finite_means()
        epoch = learner.step // self.problem.steps_per_epoch
        found = {"loss": loss, "accuracy": accuracy, "strengths": learner.architecture_weights()}
        if learner.schedule.searching:
            found |= self._follow(learner, epoch)
        self.folder.events.write("epoch", leaf=learner.place.label, phase=doing, epoch=epoch, **found)

    def _follow(self, learner: Learner, epoch: int) -> dict[str, Any]:
        """In a leaf's last epochs: keeps its weights, and ranks a panel of its architectures."""
        recipe, left = self.problem.recipe, learner.schedule.epochs - epoch
        if 0 < left < recipe.search.snapshots:
            self._keep(f"{learner.place.label}@{epoch}", learner)
        if recipe.trust.panel == 0 or left >= recipe.trust.panel_epochs:
            return {}
        accuracies = panel(learner)
        self.found.followed.append(accuracies)
        self.found.control.eval_images += len(accuracies) * min(recipe.trust.panel_images, len(self.problem.valid))
        return {"panel": accuracies}

    def _split(self, visit: NodeTask, learner: Learner) -> None:
        depth = len(visit.node.path)
        request = SplitRequest(
            visit.node.region,
            visit.unsplit,
            parts_at(self.problem.recipe, depth),
            score=lambda choice: self._score(choice, learner),
            race=lambda choices, parts: self._race(choices, parts, learner),
            generator=learner.chance.generator("split"),
        )
        split = make_splitter(self.problem.recipe, depth).split(request)
        self.found.split = split
        self.folder.events.write(
            "split", leaf=visit.label, choice=split.choice, groups=split.groups, probes=self.found.probes
        )

    def _score(self, choice: str, learner: Learner) -> Tensor:
        """A choice's similarities, measured once and kept across interruptions."""
        if choice not in self.found.similarities:
            candidates = len(learner.place.region.allowed[choice])
            probes = self._watched(learner, choice, candidates)
            self._keep_scores({choice: learner.score(choice, probes)}, {choice: self.problem.recipe.split.batches})
        return torch.tensor(self.found.similarities[choice], dtype=torch.float64)

    def _race(self, choices: Sequence[str], parts: int, learner: Learner) -> dict[str, Tensor]:
        """The same of choices that race. A race that was interrupted is run again, with the same outcome."""
        if not self.found.similarities:
            passes = 0

            def before(choice: str, candidates: int) -> None:
                nonlocal passes
                self.breathe()
                self.show(f"compare {choice}", passes)
                passes += candidates

            found = race_for(learner, choices, parts, before)
            self._keep_scores(found.similarities, found.probes)
        return {choice: torch.tensor(self.found.similarities[choice], dtype=torch.float64) for choice in choices}

    def _keep_scores(self, similarities: Mapping[str, Tensor], probes: Mapping[str, int]) -> None:
        for choice, values in similarities.items():
            self.found.similarities[choice] = values.tolist()
            self.found.probes[choice] = probes[choice]
            self.found.cost.split_passes += len(values) * probes[choice]

    def _watched(self, learner: Learner, choice: str, candidates: int) -> Iterator[Probe]:
        for number, probe in enumerate(learner.probes()):
            self.breathe()
            self.show(f"compare {choice}", number * candidates)
            yield probe

    def _exam(self, learner: Learner) -> Exam:
        """What judges a leaf's architectures, across interruptions."""

        def after(images: int) -> None:
            self.found.cost.eval_images += images
            self.show("evaluate")

        return Exam(learner, self.found.hits, self.breathe, after)

    def _derive(self, node: Node, method: Method, evaluate: Examine) -> None:
        """The method's architecture for a leaf, with its accuracies (percent) on held-out images."""
        arch = method.derive(evaluate, Chance(self.problem.recipe.seed, node.label).generator("derive"))
        accuracy = evaluate.judge(arch)
        self.found.result = {
            "arch": self.problem.space.format(arch),
            "valid_accuracy": accuracy.overall,
            "valid_balanced_accuracy": accuracy.balanced,
            "entropy": mean_entropy(method.architecture_weights()),
            **agreement(self.found.followed),
        }
        self.folder.events.write("leaf", leaf=node.label, **self.found.result)

    def _once(self, arch: Arch, evaluate: Callable[[Arch], Accuracy]) -> Accuracy:
        """How an architecture does, measured once and kept across interruptions."""
        text = self.problem.space.format(arch)
        if text not in self.found.accuracies:
            self.breathe()
            self.found.accuracies[text] = evaluate(arch)
            self.found.cost.eval_images += len(self.problem.valid)
            self.show("evaluate")
        return self.found.accuracies[text]
