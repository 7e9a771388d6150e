"""Trainings that go wrong: a loss that explodes, architecture weights that stay where they began."""

from __future__ import annotations

from math import isfinite, log

from cleave.guards.guard import Guard, LeafEnded, TrainingBegun, guard

FAR = 5.0
"""So many times its usual value a loss is far above it."""
SHARE = 0.1
"""Of a new loss in the running level."""
STILL = 0.002
"""A weight that moved by less, of all that a choice has (1), stayed where it began."""


@guard("exploding-loss")
class ExplodingLoss(Guard):
    """A training loss far above what is usual: its running level, the first one, and that of guessing (log of classes).

    The last two keep small losses of a network that has learned nearly all from being alarming when they double.
    A loss that is no longer finite ends a run at once, as ever (`cleave.train.Trainer.check`).
    """

    def at_beginning(self, training: TrainingBegun) -> None:
        self.kept = {"least": log(training.classes), "level": None, "section": training.section, "told": False}

    def at_step(self, step: int, loss: float) -> str | None:
        kept = self.kept
        if not kept or kept["told"] or not isfinite(loss):
            return None
        if kept["level"] is None:
            kept.update(level=loss, least=max(kept["least"], loss))
        usual = max(kept["level"], kept["least"])
        kept["told"] = loss > FAR * usual
        kept["level"] += SHARE * (loss - kept["level"])
        return self._says(step, loss, usual) if kept["told"] else None

    def _says(self, step: int, loss: float, usual: float) -> str:
        section = self.kept["section"]
        return (
            f"the loss explodes: {loss:.3g} at step {step}, where {usual:.3g} or less was usual; use a smaller "
            f"{section}.learning_rate or {section}.clip"
        )


@guard("still-weights")
class StillWeights(Guard):
    """Architecture weights that do not move, so that what is derived from them is chance."""

    def at_beginning(self, training: TrainingBegun) -> None:
        self.kept = {choice: weights.tolist() for choice, weights in training.weights.items() if len(weights) > 1}

    def at_end(self, leaf: LeafEnded) -> str | None:
        pairs = [zip(before, leaf.weights[choice].tolist(), strict=True) for choice, before in self.kept.items()]
        most = max((abs(now - before) for pair in pairs for before, now in pair), default=STILL)
        if most >= STILL:
            return None
        return (
            f"no architecture weight has moved by more than {most:.2g} in {leaf.steps} steps, so that the architecture "
            "is chance; raise method.architecture_learning_rate or search.epochs, or use another method.name where "
            "what this one scales is normalised right after"
        )
