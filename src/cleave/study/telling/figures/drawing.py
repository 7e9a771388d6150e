"""What all figures have in common: what they are of, colours that the colour-blind can tell apart, SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cleave.stats.ties import mid_ranks
from cleave.study.record.log import Log, Looks, Numbers
from cleave.study.record.truth import Truth
from cleave.study.record.views import see

WIDTH = 8.0
"""Inches."""

LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""The palette of Okabe & Ito (2008)."""

RANKS = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0, 0.92, 256)), "ranks")
"""Dark for the best; without the yellow end, which cannot be seen on white."""

STYLE: Any = {  # matplotlib types every key by itself
    "svg.hashsalt": "cleave",  # equal figures are equal files
    "svg.fonttype": "none",  # text stays text: smaller, and it can be searched
    "text.parse_math": False,  # names of architectures may have a dollar
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}


class Lacking(Exception):
    """What a figure needs is not in the log; the message says what."""


@dataclass(frozen=True)
class Subject:
    """What is drawn: a log, the truth where it is known, and other studies' logs by name to draw with it."""

    log: Log
    truth: Truth | None = None
    beside: Mapping[str, Log] = field(default_factory=dict)
    seed: int = 0

    @property
    def true(self) -> Truth:
        if self.truth is None:
            raise Lacking("needs the accuracies of children trained alone (--truth)")
        return self.truth

    def dense(self, statistics: str | None = None) -> tuple[Looks, ...]:
        """The dense looks at each instance."""
        return wanted(see(self.log, statistics).dense, "needs looks after each of the last mini-batches (looks.dense)")

    def epochs(self) -> tuple[Looks, ...]:
        """The looks at the ends of epochs at each instance."""
        return wanted(see(self.log).epochs, "needs looks at the ends of epochs")

    def ranks(self, otherwise: Numbers) -> tuple[Numbers, str]:
        """True ranks [children] where there is a truth, else those of other scores; and how to call them."""
        scores, name = (otherwise, "rank by mean accuracy") if self.truth is None else (self.truth.mean, "true rank")
        return mid_ranks(scores), f"{name} (1: best)"


@dataclass(frozen=True)
class Drawn:
    """A figure, and a sentence on what is seen there, of how many."""

    figure: Figure
    caption: str


def wanted(looks: tuple[Looks, ...], reason: str) -> tuple[Looks, ...]:
    if not looks:
        raise Lacking(reason)
    return looks


def canvas(height: float) -> tuple[Figure, Axes]:
    """An empty figure of one panel; `height` in inches."""
    figure = Figure(figsize=(WIDTH, height))
    return figure, figure.subplots()


def colour_bar(figure: Figure, panels: Axes | Sequence[Axes], count: int, label: str) -> Normalize:
    """The colours of the ranks 1 to `count`, explained next to the panels."""
    norm = Normalize(1, max(count, 2))
    bar = figure.colorbar(ScalarMappable(norm, RANKS), ax=panels, label=label, aspect=40, pad=0.01)
    bar.ax.invert_yaxis()
    return norm


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of the positions below `count`, first and last among them."""
    steps = min(count, most) - 1
    return [(2 * number * (count - 1) + steps) // (2 * steps) for number in range(steps + 1)] if steps else [0]


def by_rank(ranks: Numbers) -> NDArray[np.intp]:
    """Positions by rising rank, equals in their own order."""
    return np.argsort(ranks, kind="stable")


def number_of(count: int, one: str, several: str = "") -> str:
    """As in 1 look, 2 looks, 64 children."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def children_of(log: Log, shown: int | None = None) -> str:
    """How many there are, and how many of them are shown where these are fewer."""
    count = len(log.children)
    some = "" if shown in (None, count) else f" ({shown} of them shown)"
    return number_of(count, "child", "children") + some


def defined_in(values: Numbers, one: str, several: str = "") -> str:
    """As in "defined in 3 of 4 looks", where not all values are."""
    defined = int(np.isfinite(values).sum())
    return "" if defined == len(values) else f"defined in {defined} of {number_of(len(values), one, several)}"


def explain(figure: Figure) -> None:
    """The legend, above the panels, where it hides nothing."""
    figure.legend(loc="outside upper left", ncols=4, frameon=False)


def by_epoch(panel: Axes, what: str) -> None:
    """Axes of something against the epoch."""
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set(xlabel="epoch", ylabel=what)


@contextmanager
def styled() -> Iterator[None]:
    """Figures are made and saved alike, whatever the user's own settings of matplotlib."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def svg(figure: Figure) -> bytes:
    """The same bytes for the same figure."""
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return buffer.getvalue()
