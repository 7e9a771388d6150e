"""Operations: how they are named, what they share, and those that every space may use."""

from cleave.ops.convolution import Conv2d
from cleave.ops.library import depthwise_bn, relu_conv_bn, separable
from cleave.ops.operation import OPERATIONS, Factory, Norm, Operation, Operations, operation

__all__ = [
    "OPERATIONS",
    "Conv2d",
    "Factory",
    "Norm",
    "Operation",
    "Operations",
    "depthwise_bn",
    "operation",
    "relu_conv_bn",
    "separable",
]
