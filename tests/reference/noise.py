"""Drop path, image by image: a slow, obvious twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor


def drop_path(x: Tensor, kept: Sequence[bool], rate: float) -> Tensor:
    """Nothing of an image that is not kept, and the more of the others."""
    rows = [image / (1 - rate) if keep else torch.zeros_like(image) for image, keep in zip(x, kept, strict=True)]
    return torch.stack(rows)


def cell(
    x: Tensor,
    edges: Mapping[tuple[int, int], Callable[[Tensor], Tensor]],
    kept: Mapping[tuple[int, int], Sequence[bool]],
    rate: float,
) -> Tensor:
    """The last node of a cell whose node `target` is the sum of its edges (source, target), each dropped by itself.

    Edges that `kept` does not name are not dropped.
    """
    nodes = [x]
    for target in range(1, 1 + max(target for _, target in edges)):
        arriving = []
        for (source, to), operation in edges.items():
            if to == target:
                output = operation(nodes[source])
                named = (source, to) in kept
                arriving.append(drop_path(output, kept[source, to], rate) if named else output)
        nodes.append(torch.stack(arriving).sum(dim=0))
    return nodes[-1]
