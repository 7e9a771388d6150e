"""Training steps by torch.compile."""

from __future__ import annotations

import torch

from cleave.net import Network

BACKEND = "inductor"
"""Of torch.compile."""

VERSIONS = 64
"""Of a block's code at most: one for each of its sizes, with and without gradients of what goes in."""


def compile_blocks(network: Network) -> None:
    """Block by block: those of one kind and size are compiled once. What was compiled before is given up."""
    torch.compiler.reset()
    torch._dynamo.config.recompile_limit = VERSIONS
    for block in network.blocks.values():
        block.compile(fullgraph=True, backend=BACKEND)
