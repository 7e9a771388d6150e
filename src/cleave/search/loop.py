"""The search (GM-NAS, algorithm 1): train a node, split it or derive its architecture, until no node is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from cleave.data.chance import Chance
from cleave.errors import Interrupted
from cleave.method import Method
from cleave.search.control import plan_control
from cleave.search.learner import Alone, Learner, make_method
from cleave.search.result import outcome
from cleave.search.schedule import Schedule, alone, schedule
from cleave.search.session import Session, finite
from cleave.search.splitting import make_splitter, parts_at
from cleave.search.stability import mean_entropy, panel, s_tau
from cleave.search.state import tree_to_json
from cleave.settings import RandomSettings
from cleave.space import Arch
from cleave.split import Node, Probe
from cleave.split.splitters import Situation


class Search(Session):
    """A search in a run folder. Whatever ends it, `run` on a Search with the same folder goes on and ends the same."""

    def run(self) -> dict[str, Any]:
        """The outcome; raises Interrupted, with everything saved, when asked to stop."""
        try:
            while (node := self.state.tree.next_open()) is not None:
                self._visit(node)
            self._control()
        except Interrupted:
            self.save()
            raise
        return outcome(self.problem, self.state)

    def _visit(self, node: Node) -> None:
        plan = schedule(self.problem.recipe, len(node.path))
        if plan.searching and self.problem.method.alone:
            self._search_alone(node)
        else:
            self._share(node, plan)
        self.state.forget()
        self.learner = None
        self.save()
        self.folder.write_tree(tree_to_json(self.state.tree))

    def _share(self, node: Node, plan: Schedule) -> None:
        """A node whose architectures share weights: trained, then split or searched."""
        learner = self._train(node, plan)
        if plan.searching:
            self._derive(node, learner.method, learner.accuracy)
        else:
            self._split(node, learner)
        self._keep(node.label, learner)

    def _search_alone(self, node: Node) -> None:
        """A leaf whose architectures share nothing."""
        settings = self.problem.recipe.method
        assert isinstance(settings, RandomSettings)
        method = make_method(self.problem, node, Chance(self.problem.recipe.seed, node.label))
        self._derive(node, method, self._alone(node.label, settings.epochs_each))

    def _keep(self, label: str, learner: Learner) -> None:
        """Puts trained weights aside for whoever asks for them later."""
        with finite(label):
            self.state.kept[label] = self.folder.keep_leaf(label, learner.record())

    def _train(self, node: Node, plan: Schedule) -> Learner:
        """The node's supernet after its epochs, from its parent's weights unless it starts anew."""
        parent = self.state.tree.parent(node)

        def inherit(learner: Learner) -> None:
            if not plan.fresh and parent is not None:
                learner.inherit(self.folder.leaf(parent.label, self.state.kept[parent.label]), parent.region)

        learner = self.opened(node, plan, inherit)
        doing = "search" if plan.searching else "warm-up"
        self.train(learner, doing, lambda: self._end_epoch(learner, doing))
        return learner

    def _end_epoch(self, learner: Learner, doing: str) -> None:
        loss, accuracy = learner.finite_means()
        epoch = learner.step // self.problem.steps_per_epoch
        found = {"loss": loss, "accuracy": accuracy, "strengths": learner.strengths()}
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
        self.state.followed.append(accuracies)
        self.state.control.eval_images += len(accuracies) * min(recipe.trust.panel_images, len(self.problem.valid))
        return {"panel": accuracies}

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
        if choice not in self.state.similarities:
            candidates = len(learner.place.region.allowed[choice])
            probes = self._watched(learner, choice, candidates)
            self.state.similarities[choice] = learner.score(choice, probes).tolist()
            self.state.cost.split_passes += candidates * self.problem.recipe.split.batches
        return torch.tensor(self.state.similarities[choice], dtype=torch.float64)

    def _watched(self, learner: Learner, choice: str, candidates: int) -> Iterator[Probe]:
        for number, probe in enumerate(learner.probes()):
            self.breathe()
            self.show(f"compare {choice}", number * candidates)
            yield probe

    def _derive(self, node: Node, method: Method, evaluate: Callable[[Arch], float]) -> None:
        """The method's architecture for a leaf, with its accuracy (percent) on held-out images."""

        def once(arch: Arch) -> float:
            return self._once(arch, evaluate)

        arch = method.derive(once, Chance(self.problem.recipe.seed, node.label).generator("derive"))
        node.result = {
            "arch": self.problem.space.format(arch),
            "valid_accuracy": once(arch),
            "entropy": mean_entropy(method.strengths()),
            "s_tau": s_tau(self.state.followed),
        }
        self.folder.events.write("leaf", leaf=node.label, **node.result)

    def _once(self, arch: Arch, evaluate: Callable[[Arch], float]) -> float:
        """An architecture's accuracy, measured once and kept across interruptions."""
        text = self.problem.space.format(arch)
        if text not in self.state.accuracies:
            self.breathe()
            self.state.accuracies[text] = evaluate(arch)
            self.state.spent.eval_images += len(self.problem.valid)
            self.show("evaluate")
        return self.state.accuracies[text]

    def _alone(self, prefix: str, epochs: int) -> Callable[[Arch], float]:
        """What evaluates an architecture by training it alone, from new weights; they are not kept."""

        def evaluate(arch: Arch) -> float:
            place = Alone(f"{prefix} {len(self.state.accuracies)}", arch)
            learner = self.opened(place, alone(epochs))
            self.train(learner, "train alone", lambda: None)
            learner.finite_means()
            self.learner = None
            return learner.accuracy(arch)

        return evaluate

    def _control(self) -> None:
        """Trains the chosen architecture and random ones alone, all together for about as many passes as the search."""
        control = plan_control(self.problem, self.state)
        evaluate = self._alone("control", control.epochs)
        for arch in control.architectures:
            self._once(arch, evaluate)
