"""Networks of a space, built from its layout for a region."""

from cleave.net.blocks import Edge
from cleave.net.convolution import Conv2d
from cleave.net.gates import Gate, Gates, one_hot, only_live
from cleave.net.network import Network, build, count_parameters, extract
from cleave.net.ops import Norm, operation
from cleave.net.place import BlockModule, Function, Place, builds, places

__all__ = [
    "BlockModule",
    "Conv2d",
    "Edge",
    "Function",
    "Gate",
    "Gates",
    "Network",
    "Norm",
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
