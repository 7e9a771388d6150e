"""What a person sees: a progress bar while a search runs; tree, table and drawing when it is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Any

from rich import progress as bars
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from cleave.bench.table import DATASETS
from cleave.engine.progress import Callback, Progress
from cleave.method import METHODS
from cleave.run.alarm import alarm_lines
from cleave.run.mirror import known_as, resume_command
from cleave.run.origin import SEARCH, holds, read_origin
from cleave.search.judging import judged_by
from cleave.space import Space, find_space
from cleave.space.limits import amount
from cleave.space.registry import SPACES, settings_from

LINES = 20
"""How many lines a whole search prints where there is no terminal to draw a bar in."""

REDRAW_SECONDS = 0.1


class Terminal(Callback):
    """Progress on stderr: a live bar in a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.bar = bars.Progress(
            bars.BarColumn(bar_width=16),
            bars.TextColumn("{task.percentage:>3.0f}%"),
            bars.TimeRemainingColumn(compact=True),
            bars.TextColumn("{task.description}", markup=False),
            console=self.console,
        )
        self.task = self.bar.add_task("starting", total=None)
        self.printed, self.kind = -1, Progress.kind
        self.drawn_at = 0.0

    def __enter__(self) -> Terminal:
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self.bar.update(self.task, visible=self.drawn_at > 0)  # a bar that showed nothing leaves nothing
            self.bar.stop()

    def see(self, progress: Progress) -> None:
        done = min(progress.done, progress.total)  # the total is an estimate
        if progress.kind != self.kind:
            self.printed, self.kind = -1, progress.kind  # another kind of work has lines of its own
        if self.console.is_terminal:
            if time.monotonic() - self.drawn_at >= REDRAW_SECONDS:
                self.drawn_at = time.monotonic()
                self.bar.update(self.task, total=progress.total, completed=done, description=describe(progress))
        elif LINES * done // progress.total > self.printed:
            self.printed = LINES * done // progress.total
            self.say(f"{100 * done // progress.total:3d}%  {describe(progress)}")

    def say(self, line: str) -> None:
        self.console.print(line, markup=False)


def describe(progress: Progress) -> str:
    """Where a search is, in one line."""
    words = [f"{progress.kind} {progress.leaf}".strip(), progress.doing]
    if progress.means is not None:
        loss, accuracy = progress.means()
        words += [f"loss {loss:.3f}", f"acc {accuracy:.1f}%"]
    return "  ".join(words)


def print_run(result: dict[str, Any], console: Console | None = None) -> None:
    """A run's outcome, on stdout unless another console is given."""
    console = console or Console(highlight=False)
    if result.get("status") == "unfinished":
        print_unfinished(console, result)
        return
    console.print(split_tree(result))
    for line in begin_lines(result):
        console.print(Text(line), soft_wrap=True)
    console.print(leaf_table(result))
    if "selection" in result:  # a run of an earlier version has none
        console.print(selection_table(result))
    chosen = result["chosen"]
    console.print(Text(chosen_lines(result)))
    console.print(Text(chosen["arch"]), soft_wrap=True)  # in one piece, to be copied
    if (space := space_of(result)) is not None:
        console.print(Text(space.draw(space.parse(chosen["arch"]))))
    if chosen["benchmark"]:
        print_benchmark(console, result)
    console.print(Text(result["trust"]["verdict"]))
    for warning in [*result["trust"]["warnings"], *alarm_lines(result.get("guards", []))]:
        console.print(Text(f"Warning: {warning}"))
    console.print(Text(f"{result['seconds']:.0f} s; all of it is in {known_as(Path(result['run']))}"), soft_wrap=True)
    console.print(Text(f"train it: {training(result)}"), soft_wrap=True)


def training(result: dict[str, Any]) -> str:
    """The command that trains the chosen network, from its weights in the search where it has some."""
    method = METHODS.get(result["method"])
    begun = "" if method is None or method.alone else " --from supernet"
    return f"cleave train {quote(known_as(Path(result['run'])))}{begun}"


def begin_lines(result: dict[str, Any]) -> list[str]:
    """What supernets began with, and which architecture is that network; nothing where weights were drawn."""
    if (begin := result.get("begin")) is None:
        return []
    classifier = "" if begin["classifier"] else "; the classifier was new"
    return [
        f"Begun with {begin['source']}, licence: {begin['licence']}, SHA-256 {begin['sha256']}{classifier}",
        f"  that network here: {begin['arch']}",
    ]


def space_of(result: dict[str, Any]) -> Space | None:
    """As the run's recipe makes it; of a result without its folder as the space usually is.

    None for one of a user's file, which is not run for a drawing.
    """
    run = Path(result["run"])
    settings = read_origin(run, SEARCH).recipe["space"] if holds(run, SEARCH) else {"name": result["space"]}
    return find_space(settings_from(settings)) if settings["name"] in SPACES else None


def print_unfinished(console: Console, result: dict[str, Any]) -> None:
    last = result["last"]
    where = f"last event: {last['kind']}{of_leaf(last['leaf'])}" if last else "nothing is finished yet"
    run = Path(result["run"])
    console.print(Text(f"{known_as(run)}: unfinished after {result['seconds']:.0f} s, {where}"), soft_wrap=True)
    for label, event in result["parts"].items():
        doing = "begun" if event is None else f"{event['kind']} found"
        if event is not None and event["kind"] == "epoch":
            doing = f"{event['phase']}, epoch {event['epoch']}"
        console.print(Text(f"under way: {label}, {doing}"))
    console.print(Text(f"go on with: {resume_command(run)}"), soft_wrap=True)


def of_leaf(label: str) -> str:
    """Nothing where an event is of a whole run."""
    return f" of leaf {label}" if label else ""


def print_benchmark(console: Console, result: dict[str, Any]) -> None:
    """The chosen architecture trained alone, and what a perfect choice among the leaves would have given."""
    for dataset in DATASETS:
        trained = result["chosen"]["benchmark"][dataset]
        console.print(Text(f"  {dataset}: valid {trained['valid']:.2f} %, test {trained['test']:.2f} %"))
    oracle = result["oracle"]
    test = oracle["benchmark"][oracle["dataset"]]["test"]
    console.print(Text(f"Oracle (chosen by the table): leaf {oracle['path']}, {oracle['dataset']} test {test:.2f} %"))


def chosen_lines(result: dict[str, Any]) -> str:
    """The chosen leaf with its accuracy and interval, and what that is worth where classes differ in size."""
    chosen = result["chosen"]
    trust = result["trust"]
    leaf = next(leaf for leaf in trust["leaves"] if leaf["path"] == chosen["path"])
    accuracy = accuracy_text(chosen["valid_accuracy"], leaf["interval"])
    retrained = ""
    if leaf.get("retrained_interval"):
        retrained = f"\n  retrained: {accuracy_text(leaf['retrained_accuracy'], leaf['retrained_interval'])}"
    balanced = f"balanced accuracy {chosen['valid_balanced_accuracy']:.2f} %"
    majority = f"the most frequent class alone: {trust['majority_share']:.2f} %"
    costs = "".join(
        f"\n  {LIMITED[key]}: {amount(each['chosen'])} of at most {amount(each['most'])}{measured(result, key)}"
        for key, each in (result.get("limits") or {}).items()
    )
    judged = f"\n  {judged_by(result['judged_by'])}" if "judged_by" in result else ""  # not in earlier versions' runs
    told = f"held-out accuracy {accuracy}{judged}\n  {balanced}; {majority}{retrained}{costs}"
    return f"Chosen: leaf {chosen['path']}, {told}"


LIMITED = {"macs": "multiply-adds", "params": "parameters", "latency": "milliseconds"}
"""What a recipe may limit, for people."""


def measured(result: dict[str, Any], key: str) -> str:
    """How long the chosen network was seen to take, beside what the table says."""
    if key != "latency" or result.get("measured") is None:
        return ""
    return f" by the table; {amount(result['measured']['milliseconds'])} measured"


def accuracy_text(accuracy: float, interval: Sequence[float]) -> str:
    return f"{accuracy:.2f} % (95 % interval {interval[0]:.1f} to {interval[1]:.1f})"


def figure_text(written: str, leaf: dict[str, Any]) -> str:
    """A leaf's figure as `FIGURES` has it."""
    return written.format(**leaf, last=(leaf["retrained"] or [None])[-1])


FIGURES = {
    "mixture-loss": ("loss of the supernet", "{mixture_loss:.3f}"),
    "mixture-accuracy": ("accuracy of the supernet", "{mixture_accuracy:.2f} %"),
    "accuracy": ("accuracy of the network", "{valid_accuracy:.2f} %"),
    "halving": ("accuracy, retrained", "{last[valid_accuracy]:.2f} % at {last[epochs]} epochs"),
}
"""By ways to choose a leaf: what is looked at, and how a leaf's figure is written."""


def selection_table(result: dict[str, Any]) -> Table:
    """The leaf that each way would choose, with the figure by which, on held-out images."""
    table = Table(title="Choice among leaves", title_justify="left")
    table.add_column("by")
    table.add_column("leaf")
    table.add_column("held out", justify="right")
    oracle, selection = result["oracle"], result["selection"]
    if oracle:
        table.add_column(f"{oracle['dataset']} test", justify="right")
    leaves = {leaf["path"]: leaf for leaf in result["leaves"]}
    figures = {leaf["path"]: leaf for leaf in selection["leaves"]}
    for way, (what, written) in FIGURES.items():
        if (path := selection["chosen"][way]) is not None:
            trained = [f"{leaves[path]['benchmark'][oracle['dataset']]['test']:.2f}"] if oracle else []
            mark = " (chosen)" if way == selection["by"] else ""
            table.add_row(what + mark, path, figure_text(written, figures[path]), *trained)
    return table


def split_tree(result: dict[str, Any]) -> Tree:
    """Which choice was split where, into which groups, at what cut."""
    splits = {split["leaf"]: split for split in result["splits"]}
    tree = Tree(Text(f"{result['space']}, {how(result)}"))
    if splits:
        add_split(tree, "root", splits)
    return tree


def how(result: dict[str, Any]) -> str:
    """Method, splitter and seed, and what weight steps did otherwise than usual."""
    sampler = f", sampler {result['sampler']}" if "sampler" in result else ""
    hooks = f", {', '.join(result['hooks'])}" if "hooks" in result else ""
    return f"{result['method']}{sampler}{hooks}, {result['splitter']}, seed {result['seed']}"


def add_split(branch: Tree, leaf: str, splits: dict[str, dict[str, Any]]) -> None:
    split = splits[leaf]
    cut = "" if split["cut"] is None else f"  (cut {split['cut']:.3f})"
    branch.label = Text(f"{branch.label}\nsplit on {split['choice']}{cut}")
    for number, group in enumerate(split["groups"]):
        child = str(number) if leaf == "root" else f"{leaf}.{number}"
        below = branch.add(Text(f"{child}: {', '.join(group)}"))
        if child in splits:
            add_split(below, child, splits)


def leaf_table(result: dict[str, Any]) -> Table:
    """Every leaf with its architecture and accuracies (percent)."""
    table = Table(title="Leaves", title_justify="left")
    table.add_column("leaf")
    table.add_column("held out", justify="right")
    oracle = result["oracle"]
    if oracle:
        table.add_column(f"{oracle['dataset']} test", justify="right")
    table.add_column("architecture", overflow="fold")
    for leaf in result["leaves"]:
        trained = [f"{leaf['benchmark'][oracle['dataset']]['test']:.2f}"] if oracle else []
        table.add_row(leaf["path"], f"{leaf['valid_accuracy']:.2f}", *trained, leaf["arch"].replace("+", "+\n"))
    return table
