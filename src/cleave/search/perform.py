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
from cleave.guards import LeafEnded, NodeSplit
from cleave.method import Method
from cleave.retrain.trainer import RetrainTrainer
from cleave.run.folder import RunFiles
from cleave.run.task_folder import TaskFolder, task_lock
from cleave.search.evaluator import LeafAccuracy, LeafEvaluator, Mixture, StandaloneEvaluator
from cleave.search.matching import Matcher
from cleave.search.problem import Problem, Setup
from cleave.search.retraining import SECTION, retraining
from cleave.search.schedule import Schedule, alone, parts_at, schedule
from cleave.search.scope import Standalone, make_method
from cleave.search.session import InTraining, TaskSession, finite
from cleave.search.stability import agreement, mean_entropy, panel
from cleave.search.state import SearchCost
from cleave.search.task import NodeTask, Parent, RetrainTask, StandaloneTask, Task, TaskResult
from cleave.search.trainer import NodeTrainer
from cleave.search.work import comparing
from cleave.space import Arch
from cleave.split import Node
from cleave.split.splitters import SPLITTERS, SplitRequest
from cleave.stats.accuracy import Accuracy


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
                task.do(self)
            except Interrupted:
                self.save()
                raise
            self.trainer, self.found.finished = None, True
            self.save()
        return self.found

    def node(self, task: NodeTask) -> None:
        plan = schedule(self.problem.recipe, len(task.node.path))
        if plan.searching and self.problem.method.alone:
            self._search_alone(task.node)
        else:
            self._share(task, plan)

    def _share(self, task: NodeTask, plan: Schedule) -> None:
        """A node whose architectures share weights: trained, then split or searched."""
        trainer = self._train(task.node, task.parent, plan)
        if plan.searching:
            self._derive(task.node, trainer.method, self._evaluator(trainer))
        else:
            self._split(task, trainer)
        self._keep(task.label, trainer)

    def _search_alone(self, node: Node) -> None:
        """A leaf whose architectures share nothing."""
        epochs = self.problem.method.epochs_each(self.problem.recipe.method)

        def evaluate(arch: Arch) -> Accuracy:
            scope = Standalone(f"{node.label} {len(self.found.accuracies)}", arch)
            return self._trained_alone(scope, epochs)

        method = make_method(self.problem, node, Chance(self.problem.recipe.seed, node.label))
        self._derive(node, method, StandaloneEvaluator(lambda arch: self._once(arch, evaluate)))

    def standalone(self, task: StandaloneTask) -> None:
        """An architecture of the control."""
        self._once(task.scope.arch, lambda _: self._trained_alone(task.scope, task.epochs, task.setup))

    def _trained_alone(self, scope: Standalone, epochs: int, setup: Setup | None = None) -> Accuracy:
        """How an architecture does that is trained from new weights; they are not kept."""
        trainer = self.opened(scope, alone(epochs), setup=setup)
        self.train(trainer, epochs, trainer.advance, "train alone", lambda: None)
        trainer.finite_means()
        self.trainer = None
        self.found.cost += self.problem.judging.cost(asked=1, images=0)  # the images are counted beside the accuracy
        return LeafEvaluator(trainer).judge(scope.arch)

    def retrain(self, task: RetrainTask) -> None:
        """A leaf's network up to the end of a rung, or one of the control where networks are retrained."""

        def go_on(trainer: RetrainTrainer) -> None:
            if task.before is not None:
                trainer.restore(self.run.leaf(task.before.label, task.before.identity))

        def step() -> SearchCost:
            trainer.advance()
            return SearchCost(retrain_steps=1)

        self.section = SECTION
        trainer = self.going_on(RetrainTrainer(retraining(self.problem, task.scope, task.total)), task.label, go_on)
        self.train(trainer, task.epochs, step, "retrain", partial(self._end_retrain_epoch, task, trainer))
        self._once(task.scope.arch, lambda _: trainer.judge(self.problem.valid))
        if task.keeps:
            self._keep(task.label, trainer)

    def _end_retrain_epoch(self, task: RetrainTask, trainer: RetrainTrainer) -> None:
        loss, accuracy = trainer.finite_means()
        if task.keeps:
            found = {"epoch": trainer.epoch, "loss": loss, "accuracy": accuracy}
            self.folder.events.write("epoch", leaf=task.scope.label, phase="retrain", **found)

    def _keep(self, label: str, trainer: InTraining) -> None:
        """Puts trained weights aside for later."""
        with finite(label, self.section):
            self.found.kept[label] = self.run.keep_leaf(label, trainer.record())

    def _train(self, node: Node, parent: Parent | None, plan: Schedule) -> NodeTrainer:
        """The node's supernet after its epochs, from its parent's weights unless it starts anew."""

        def inherit(trainer: NodeTrainer) -> None:
            if plan.fresh:
                trainer.begin()
            if parent is None or parent.kept is None:
                assert plan.fresh, "a node that goes on has a parent that was trained"
            elif not plan.fresh:
                trainer.inherit(self.run.leaf(parent.label, parent.kept), parent.region)
            elif trainer.method.restarts_from_teacher:
                trainer.restart(self.run.leaf(parent.label, parent.kept))

        trainer = self.opened(node, plan, inherit)
        doing = "search" if plan.searching else "warm-up"
        self.train(trainer, plan.epochs, trainer.advance, doing, partial(self._end_epoch, trainer, doing))
        return trainer

    def _end_epoch(self, trainer: NodeTrainer, doing: str) -> None:
        loss, accuracy = trainer.finite_means()
        epoch = trainer.epoch
        found = {"loss": loss, "accuracy": accuracy, "strengths": trainer.architecture_weights()}
        if trainer.schedule.searching:
            found |= self._follow(trainer, epoch)
        self.folder.events.write("epoch", leaf=trainer.scope.label, phase=doing, epoch=epoch, **found)

    def _follow(self, trainer: NodeTrainer, epoch: int) -> dict[str, Any]:
        """In a leaf's last epochs: keeps its weights, and ranks a panel of its architectures."""
        recipe, left = self.problem.recipe, trainer.schedule.epochs - epoch
        if left > 0 and epoch in trainer.schedule.kept(recipe.search.snapshots):
            self._keep(f"{trainer.scope.label}@{epoch}", trainer)
        if recipe.trust.panel == 0 or left >= recipe.trust.panel_epochs:
            return {}
        accuracies = panel(trainer)
        self.found.followed.append(accuracies)
        images = len(accuracies) * min(recipe.trust.panel_images, len(self.problem.valid))
        self.found.control += self.problem.judging.cost(len(accuracies), images)
        return {"panel": accuracies}

    def _split(self, task: NodeTask, trainer: NodeTrainer) -> None:
        recipe, depth = self.problem.recipe, len(task.node.path)
        request = SplitRequest(
            task.node.region,
            task.unsplit,
            parts_at(recipe, depth),
            score=lambda choice: self._score(choice, trainer),
            race=lambda choices, parts: self._race(choices, parts, trainer),
            generator=trainer.chance.generator("split"),
        )
        split = SPLITTERS[recipe.split.splitter].of(recipe.split, depth).split(request)
        self.found.split = split
        self.folder.events.write(
            "split", leaf=task.label, choice=split.choice, groups=split.groups, probes=self.found.probes
        )
        similarities = split.scores[split.choice].similarities if split.scores else ()
        known = NodeSplit(recipe.split.splitter, split.choice, similarities, len(split.groups))
        self.watch.split(task.label, known)

    def _score(self, choice: str, trainer: NodeTrainer) -> Tensor:
        """A choice's similarities, measured once and kept across interruptions."""
        if choice not in self.found.similarities:
            matcher, split = Matcher(trainer), self.problem.recipe.split
            scores = matcher.score(choice, self._watched(matcher, choice))
            self._keep_scores({choice: scores}, {choice: matcher.criterion.passes(split)})
        return torch.tensor(self.found.similarities[choice], dtype=torch.float64)

    def _race(self, choices: Sequence[str], parts: int, trainer: NodeTrainer) -> dict[str, Tensor]:
        """The same of choices that race. A race that was interrupted is run again, with the same outcome."""
        if not self.found.similarities:
            passes = 0

            def before(choice: str, candidates: int) -> None:
                nonlocal passes
                self.breathe()
                self.show(f"compare {choice}", passes)
                passes += candidates

            found = Matcher(trainer).race(choices, parts, before)
            self._keep_scores(found.similarities, found.probes)
        return {choice: torch.tensor(self.found.similarities[choice], dtype=torch.float64) for choice in choices}

    def _keep_scores(self, similarities: Mapping[str, Tensor], probes: Mapping[str, int]) -> None:
        for choice, values in similarities.items():
            self.found.similarities[choice] = values.tolist()
            self.found.probes[choice] = probes[choice]
            self.found.cost.split_passes += len(values) * probes[choice]

    def _watched(self, matcher: Matcher, choice: str) -> Iterator[int]:
        for number in matcher.numbers:
            self.breathe()
            self.show(f"compare {choice}", int(comparing(self.problem, number * len(matcher.allowed[choice]))))
            yield number

    def _evaluator(self, trainer: NodeTrainer) -> LeafEvaluator:
        """What judges a leaf's architectures, across interruptions."""

        def after(cost: SearchCost) -> None:
            self.found.cost += cost
            self.show("evaluate")

        return LeafEvaluator(trainer, self.found.hits, self.breathe, after)

    def _derive(self, node: Node, method: Method, evaluate: LeafAccuracy) -> None:
        """The method's architecture for a leaf, with all figures by which the leaf may be chosen."""
        arch = method.derive(evaluate, Chance(self.problem.recipe.seed, node.label).generator("derive"))
        accuracy = evaluate.judge(arch)
        mixture_loss, mixture_accuracy = self._mixture(evaluate) or (None, None)
        self.found.result = {
            "arch": self.problem.space.format(arch),
            "valid_accuracy": accuracy.overall,
            "valid_balanced_accuracy": accuracy.balanced,
            "mixture_loss": mixture_loss,
            "mixture_accuracy": mixture_accuracy,
            "entropy": mean_entropy(method.architecture_weights()),
            **agreement(self.found.followed),
        }
        self.folder.events.write("leaf", leaf=node.label, **self.found.result)
        weights, steps = method.architecture_weights(), self.found.cost.arch_steps
        self.watch.end(node.label, LeafEnded(self.problem.layout, arch, weights, steps))

    def _mixture(self, evaluate: LeafAccuracy) -> Mixture | None:
        """How the leaf's supernet does. Where that was interrupted, it is looked at again from the first image."""
        self.show("evaluate the supernet")
        mixture = evaluate.mixture()
        if mixture is not None:
            cost = self.problem.judging.cost(evaluate.batches, len(self.problem.valid))
            if self.problem.recipe.selection.by_mixture:
                self.found.cost += cost
            else:
                self.found.control += cost
        return mixture

    def _once(self, arch: Arch, evaluate: Callable[[Arch], Accuracy]) -> Accuracy:
        """How an architecture does, measured once and kept across interruptions."""
        text = self.problem.space.format(arch)
        if text not in self.found.accuracies:
            self.breathe()
            self.found.accuracies[text] = evaluate(arch)
            self.found.cost.eval_images += len(self.problem.valid)
            self.show("evaluate")
        return self.found.accuracies[text]
