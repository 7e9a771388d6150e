"""Networks of a space, built from its layout for a region."""

from cleave.net.blocks import Edge
from cleave.net.gates import Gate, Gates, one_hot, only_live
from cleave.net.network import Network, build, count_parameters, extract
from cleave.net.place import BlockModule, Function, Place, builds, places
from cleave.ops import Conv2d, Norm, Operation, Operations, operation

__all__ = [
    "BlockModule",
    "Conv2d",
    "Edge",
    "Function",
    "Gate",
    "Gates",
    "Network",
    "Norm",
    "Operation",
    "Operations",
    "Place",
    "build",
    "builds",
    "count_parameters",
    "extract",
    "one_hot",
    "only_live",
    "operation",
    "places",
]
