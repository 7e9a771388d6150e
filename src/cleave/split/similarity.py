"""How alike the gradients of a choice's candidates are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cleave.registry import Registry

Gradients = Sequence[Tensor]
"""Per shared parameter the candidates' gradients, [candidates, *shape of the parameter]."""

Similarity = Callable[[Gradients], Tensor]
"""Gradients -> symmetric similarities [candidates, candidates], float64."""


SIMILARITIES: Registry[Similarity] = Registry("split.similarity")


def similarity(name: str, *aliases: str) -> Callable[[Similarity], Similarity]:
    """Registers a criterion under the name by which recipes refer to it."""
    return SIMILARITIES.named(name, *aliases)


@similarity("cos", "cosine")
def cosine(gradients: Gradients) -> Tensor:
    """The cosine of the whole gradients (GM-NAS, eq. 2); 0 with a gradient that is zero throughout."""
    return normalised(gram(gradients))


@similarity("l2")
def negative_l2(gradients: Gradients) -> Tensor:
    """Minus the Euclidean distance of the whole gradients (GM-NAS, table 6)."""
    squares = torch.zeros(())
    for parameter in gradients:
        rows = parameter.flatten(1).double()  # their differences, since what a Gramian gives would cancel
        squares = squares + torch.stack([(rows - row).square().sum(dim=1) for row in rows])
    return -squares.sqrt()


@similarity("filter-cos", "per-filter-cos", "filter-cosine")
def filter_cosine(gradients: Gradients) -> Tensor:
    """The mean cosine over output filters (after Zhao et al. 2021, dataset condensation; GM-NAS, table 6).

    A filter is one output channel's weights; a vector (bias, scale) counts as one filter. Filters that no
    candidate moves say nothing and are left out.
    """
    total, filters = torch.zeros(()), 0
    for parameter in gradients:
        rows = as_filters(parameter)
        cosines = normalised(torch.einsum("afn,bfn->fab", rows, rows))
        moved = rows.ne(0).flatten(2).any(dim=2).any(dim=0)
        total, filters = total + cosines[moved].sum(dim=0), filters + int(moved.sum())
    count = len(gradients[0])
    return total / filters if filters else torch.zeros(count, count, dtype=torch.float64)


def gram(gradients: Gradients) -> Tensor:
    """Inner products of the whole gradients, [candidates, candidates], summed in float64."""
    rows = [parameter.flatten(1).double() for parameter in gradients]
    return sum((row @ row.T for row in rows), start=torch.zeros((), dtype=torch.float64))


def normalised(products: Tensor) -> Tensor:
    """Inner products [..., n, n] as cosines; 0 where either length is 0."""
    lengths = products.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    scale = lengths.unsqueeze(-1) * lengths.unsqueeze(-2)
    # Asking for zero, not for positive: a length that is not a number must come through as one.
    return torch.where(scale == 0, 0.0, products / scale).clamp(-1, 1)


def as_filters(parameter: Tensor) -> Tensor:
    """[candidates, filters, numbers per filter] in float64."""
    rows = parameter.double()
    return rows.flatten(2) if rows.dim() > 2 else rows.unsqueeze(1)
