"""How far to trust a result: intervals, stability, shares of skip connections, and whether random does as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import mean, pstdev
from typing import Any

from cleave.bench.table import Table, dataset_of, trained_accuracies
from cleave.guards.collapse import most_skipping, skip_share
from cleave.net.cost import Costs, weights
from cleave.search.control import plan_control
from cleave.search.problem import Problem
from cleave.search.selection import WAYS, chosen_leaf, interval
from cleave.search.state import State
from cleave.search.work import training_passes
from cleave.space.sample import enumerate_valid
from cleave.split import Node
from cleave.stats.accuracy import majority_share
from cleave.stats.intervals import rank_p_value

LEVEL = 0.05
UNDECIDED = 0.99
"""The entropy, as a share of the highest, from which architecture weights say next to nothing."""
UNSTABLE = 0.3
"""The S-Tau below which two epochs hardly agree on a ranking."""
TOLERANCE = 1e-9
"""Of S-Tau, which is a computed mean: what is closer to a bound lies on it."""


@dataclass(frozen=True)
class LeafTrust:
    """A leaf's held-out accuracy (percent) with its 95 % interval, and the signs of how settled it is.

    `balanced_accuracy` is the mean over the classes of the percent of their held-out images that are right.
    `cell_skip_share` is the share of skip connections in the kind of cell that has most (`cleave.guards.collapse`).

    `s_tau` is of the panel's rankings in the last epochs, `entropy` of the architecture weights as a share of the
    highest; null where there are none. `skip_share` and `weights_share` are of the architecture's choices: those
    that are skip connections, and those with something to learn. `s_tau` is the mean over those pairs of rankings,
    `s_tau_defined` of `s_tau_pairs`, in which it is defined; null where a leaf was searched before these were kept.
    `retrained_accuracy`: at the end of the last rung of halving that its architecture reached, null without halving.
    """

    path: str
    valid_accuracy: float
    interval: tuple[float, float]
    balanced_accuracy: float
    s_tau: float | None
    entropy: float | None
    skip_share: float
    weights_share: float
    cell_skip_share: float
    s_tau_defined: int | None = None
    s_tau_pairs: int | None = None
    retrained_accuracy: float | None = None
    retrained_interval: tuple[float, float] | None = None

    @property
    def reached(self) -> float:
        """Its best accuracy."""
        return max(self.valid_accuracy, self.retrained_accuracy or 0.0)

    @property
    def least(self) -> float:
        """The higher of the lower bounds."""
        return max(self.interval[0], (self.retrained_interval or self.interval)[0])


@dataclass(frozen=True)
class ControlTrust:
    """The chosen architecture among `architectures` random ones, each trained alone for `epochs`.

    They are trained at the search's size; where halving chose, as it retrains networks.

    `search_passes` and `control_passes` are forward and backward passes of a mini-batch. Accuracies are on the
    held-out images, in percent. `random_search` is the best of the random ones: random search with this budget.
    `sd` is null of a single one.
    """

    architectures: int
    epochs: int
    search_passes: int
    control_passes: int
    chosen_accuracy: float
    mean: float
    sd: float | None
    at_least_as_good: int
    p_value: float
    random_search: dict[str, Any]


@dataclass(frozen=True)
class TableTrust:
    """How many of all valid architectures test at least as well as the chosen one, by the benchmark table."""

    dataset: str
    architectures: int
    at_least_as_good: int
    share: float


def trust_report(problem: Problem, state: State) -> dict[str, Any]:
    """The content of result.json's "trust"; every part that was not measured is null.

    `majority_share` is the percent of the held-out images that are of the most frequent class: what an answer that
    looks at no image gets right.
    """
    known = weights(problem.space)
    leaves = [leaf_trust(problem, state, leaf, known) for leaf in state.searched]
    chosen = chosen_leaf(problem.recipe, state)
    compared = WAYS[problem.recipe.selection.by].intervals(state, len(problem.valid))
    control = control_trust(problem, state)
    table = None if problem.table is None else table_trust(problem, chosen, problem.table)
    majority = majority_share(problem.held_out_per_class)
    return {
        "held_out_images": len(problem.valid),
        "majority_share": majority,
        "leaves": [asdict(leaf) for leaf in leaves],
        "control": None if control is None else asdict(control),
        "table": None if table is None else asdict(table),
        "warnings": [*warnings(leaves, chosen.label, compared), *below_majority(leaves, control, majority)],
        "verdict": " ".join([verdict(control), *([] if table is None else [table_verdict(table)])]),
    }


def leaf_trust(problem: Problem, state: State, leaf: Node, known: Costs) -> LeafTrust:
    """`known`: where architectures have weights."""
    assert leaf.result is not None
    images, rungs = len(problem.valid), state.retrained_of(leaf)
    accuracy = leaf.result["valid_accuracy"]
    arch = problem.space.parse(leaf.result["arch"])
    return LeafTrust(
        leaf.label,
        accuracy,
        interval(accuracy, images),
        leaf.result["valid_balanced_accuracy"],
        leaf.result["s_tau"],
        leaf.result["entropy"],
        skip_share(problem.layout, arch),
        len(known.learning(arch)) / len(arch),
        most_skipping(problem.layout, arch),
        leaf.result.get("s_tau_defined"),
        leaf.result.get("s_tau_pairs"),
        rungs[-1].overall if rungs else None,
        interval(rungs[-1].overall, images) if rungs else None,
    )


def control_trust(problem: Problem, state: State) -> ControlTrust | None:
    """None where no random architecture was trained."""
    control = plan_control(problem, state)
    if not control.architectures:
        return None
    texts = [problem.space.format(arch) for arch in control.architectures]
    chosen, *others = [state.accuracies[text].overall for text in texts]
    best = max(range(len(others)), key=lambda i: others[i])
    return ControlTrust(
        architectures=len(others),
        epochs=control.epochs,
        search_passes=training_passes(problem, state.cost),
        control_passes=state.control.weight_steps + state.control.retrain_steps,
        chosen_accuracy=chosen,
        mean=mean(others),
        sd=pstdev(others) if len(others) > 1 else None,
        at_least_as_good=sum(other >= chosen for other in others),
        p_value=rank_p_value(chosen, others),
        random_search={
            "arch": texts[1 + best],
            "valid_accuracy": others[best],
            "valid_balanced_accuracy": state.accuracies[texts[1 + best]].balanced,
            "benchmark": trained_accuracies(texts[1 + best], problem.table),
        },
    )


def table_trust(problem: Problem, chosen: Node, table: Table) -> TableTrust:
    assert chosen.result is not None
    dataset = dataset_of(problem.recipe.data.name)
    tests = table.accuracies(dataset, "test")
    own = tests[table.index(chosen.result["arch"])]
    valid = enumerate_valid(problem.space, problem.space.region)
    as_good = sum(bool(tests[table.index(problem.space.format(arch))] >= own) for arch in valid)
    return TableTrust(dataset, len(valid), as_good, as_good / len(valid))


def warnings(leaves: list[LeafTrust], chosen: str, compared: Mapping[str, tuple[float, float]]) -> list[str]:
    """What speaks against the result, one sentence for each kind of sign.

    `compared`: by leaf the interval of the figure by which it was chosen among those named there.
    """
    signs = {
        "nothing on its edges has weights: only pooling, skip connections or none": [
            leaf.path for leaf in leaves if leaf.weights_share == 0
        ],
        "the architecture weights are nearly uniform, so that the architecture is close to chance; search longer": [
            leaf.path for leaf in leaves if leaf.entropy is not None and leaf.entropy >= UNDECIDED
        ],
        f"the ranking changes from epoch to epoch (S-Tau below {UNSTABLE})": [
            leaf.path for leaf in leaves if leaf.s_tau is not None and leaf.s_tau < UNSTABLE - TOLERANCE
        ],
        **undefined_rankings(leaves),
        f"not told apart from the chosen leaf {chosen} by the held-out images (95 % intervals overlap)": [
            path for path, (_, high) in compared.items() if path != chosen and high >= compared[chosen][0]
        ],
    }
    return [f"leaf {', '.join(paths)}: {sign}" for sign, paths in signs.items() if paths]


def below_majority(leaves: list[LeafTrust], control: ControlTrust | None, majority: float) -> list[str]:
    """What is not told apart from an answer that looks at no image: always the most frequent class."""
    trivial = f"always answering the most frequent class, which is right for {majority:.2f} % of the held-out images"
    alone = [] if control is None else [control.chosen_accuracy, control.random_search["valid_accuracy"]]
    if max([leaf.reached for leaf in leaves] + alone) <= majority:
        return [f"nothing that was trained beats {trivial}"]
    paths = [leaf.path for leaf in leaves if leaf.least <= majority]
    return [f"leaf {', '.join(paths)}: not shown to beat {trivial}"] if paths else []


def undefined_rankings(leaves: list[LeafTrust]) -> dict[str, list[str]]:
    """Leaves of the same number of pairs of rankings without an S-Tau, by what is to be said of them."""
    found: dict[str, list[str]] = {}
    for leaf in leaves:
        if leaf.s_tau_defined != leaf.s_tau_pairs:
            of = f"S-Tau is defined in {leaf.s_tau_defined} of {leaf.s_tau_pairs} pairs of rankings"
            found.setdefault(f"{of}; in the others the whole panel has the same accuracy", []).append(leaf.path)
    return found


def verdict(control: ControlTrust | None) -> str:
    """One plain sentence on whether the chosen architecture is better than random."""
    if control is None:
        return "Whether the chosen architecture is better than a random one was not tested (trust.control=0)."
    better = control.architectures - control.at_least_as_good
    finding = "Better than random" if control.p_value <= LEVEL else "Not shown to be better than random"
    epochs = "an epoch" if control.epochs == 1 else f"{control.epochs} epochs"
    return (
        f"{finding} at the 95 % level: trained alone for {epochs} each, the chosen architecture does "
        f"better on held-out images than {better} of {control.architectures} random ones (p = {control.p_value:.2f})."
    )


def table_verdict(table: TableTrust) -> str:
    return (
        f"Of the {table.architectures:,} valid architectures in the table {table.share:.1%} test at least as well "
        f"on {table.dataset}."
    )
