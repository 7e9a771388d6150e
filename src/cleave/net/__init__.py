"""Networks of a space, built from its layout for a region."""

from cleave.net.blocks import Edge
from cleave.net.gates import Gate, Gates, one_hot, only_live
from cleave.net.network import Network, Outputs, build, build_alone, count_parameters, extract, inherit
from cleave.net.noise import Dropout, DropPath, noisy
from cleave.net.place import BlockModule, Function, Place, builds, places
from cleave.ops import Conv2d, Norm, Operation, Operations, operation

__all__ = [
    "BlockModule",
    "Conv2d",
    "DropPath",
    "Dropout",
    "Edge",
    "Function",
    "Gate",
    "Gates",
    "Network",
    "Norm",
    "Operation",
    "Operations",
    "Outputs",
    "Place",
    "build",
    "build_alone",
    "builds",
    "count_parameters",
    "extract",
    "inherit",
    "noisy",
    "one_hot",
    "only_live",
    "operation",
    "places",
]
