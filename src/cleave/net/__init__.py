"""Networks of a space, built from its layout for a region."""

from cleave.net.blocks import Edge
from cleave.net.convolution import Conv2d
from cleave.net.gates import Gate, Gates, one_hot, only_live
from cleave.net.network import Network, build, count_parameters
from cleave.net.ops import Norm, operation

__all__ = [
    "Conv2d",
    "Edge",
    "Gate",
    "Gates",
    "Network",
    "Norm",
    "build",
    "count_parameters",
    "one_hot",
    "only_live",
    "operation",
]
