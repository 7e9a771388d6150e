"""cleave: weight-sharing neural architecture search that decides which networks should share weights.

    import cleave

    result = cleave.search(method="rsps", splitter="random", data="bundled")
    result.show()

Nothing is loaded before it is asked for: `import cleave` takes no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cleave import method, settings
    from cleave.api import (
        compare,
        compare_runs,
        design,
        evaluate,
        evolve,
        export,
        load,
        opponents,
        partition,
        plan,
        predict,
        rank,
        report,
        resume,
        resume_design,
        resume_study,
        resume_training,
        search,
        study,
        timm_model,
        train,
        verdict,
    )
    from cleave.engine.progress import Callback, Progress
    from cleave.engine.stop import Stop
    from cleave.errors import Interrupted, UserError
    from cleave.ops import Norm, Operation, operation
    from cleave.result import SearchResult
    from cleave.retrain.result import TrainResult
    from cleave.space import (
        Arch,
        Auxiliary,
        Cell,
        Choice,
        Fixed,
        Head,
        Layer,
        Layout,
        Limited,
        Link,
        NetworkSize,
        Region,
        Space,
        SpaceSettings,
    )  # fmt: skip
    from cleave.terminal import Terminal
    from cleave.tracking.tracking import Tracking

__version__ = "0.1.0"

__all__ = [
    "Arch",
    "Auxiliary",
    "Callback",
    "Cell",
    "Choice",
    "Fixed",
    "Head",
    "Interrupted",
    "Layer",
    "Layout",
    "Limited",
    "Link",
    "NetworkSize",
    "Norm",
    "Operation",
    "Progress",
    "Region",
    "SearchResult",
    "Space",
    "SpaceSettings",
    "Stop",
    "Terminal",
    "Tracking",
    "TrainResult",
    "UserError",
    "compare",
    "compare_runs",
    "design",
    "evaluate",
    "evolve",
    "export",
    "front",
    "load",
    "measure",
    "method",
    "operation",
    "opponents",
    "partition",
    "plan",
    "predict",
    "rank",
    "report",
    "resume",
    "resume_design",
    "resume_study",
    "resume_training",
    "search",
    "settings",
    "study",
    "timm_model",
    "train",
    "verdict",
]

_MODULES = (
    "design", "evolve", "export", "method", "plan", "rank", "report", "search", "settings", "study", "train",
)  # fmt: skip
"""Those that are verbs are called as the functions of their names: see `cleave.callable_module`."""

_HOMES = {
    "cleave.api": (
        "compare", "compare_runs", "evaluate", "front", "load", "measure", "opponents", "partition", "predict",
        "resume", "resume_design", "resume_study", "resume_training", "timm_model", "verdict",
    ),
    "cleave.errors": ("Interrupted", "UserError"),
    "cleave.ops": ("Norm", "Operation", "operation"),
    "cleave.result": ("SearchResult",),
    "cleave.retrain.result": ("TrainResult",),
    "cleave.engine.progress": ("Callback", "Progress"),
    "cleave.engine.stop": ("Stop",),
    "cleave.space": (
        "Arch", "Auxiliary", "Cell", "Choice", "Fixed", "Head", "Layer", "Layout", "Limited", "Link", "NetworkSize",
        "Region", "Space", "SpaceSettings",
    ),
    "cleave.terminal": ("Terminal",),
    "cleave.tracking.tracking": ("Tracking",),
}  # fmt: skip


def __getattr__(name: str) -> object:
    """A public name, loaded when it is asked for: that takes time in which nobody hears Ctrl-C."""
    if name in _MODULES:
        return import_module(f"cleave.{name}")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
