"""What watches runs for faults, each by name (`Guard`). None of it changes a result."""

from cleave.guards.alike import Alike
from cleave.guards.collapse import Collapse
from cleave.guards.guard import GUARDS, Guard, LeafEnded, NodeSplit, RunOpened, TrainingBegun, guard
from cleave.guards.images import HeldOutIsTest, Overlap, RepeatedBatch
from cleave.guards.ranking import RankedByBatch
from cleave.guards.training import ExplodingLoss, StillWeights
from cleave.guards.watch import Watch

__all__ = [
    "GUARDS",
    "Alike",
    "Collapse",
    "ExplodingLoss",
    "Guard",
    "HeldOutIsTest",
    "LeafEnded",
    "NodeSplit",
    "Overlap",
    "RankedByBatch",
    "RepeatedBatch",
    "RunOpened",
    "StillWeights",
    "TrainingBegun",
    "Watch",
    "guard",
]
