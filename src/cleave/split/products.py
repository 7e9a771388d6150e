"""Similarities as functions of inner products, which unlike gradients can be averaged without keeping any.

Products are [filters, candidates, candidates], float64; whole gradients count as one filter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cleave.split.similarity import (
    Gradients,
    Similarity,
    as_filters,
    cosine,
    filter_cosine,
)


@dataclass(frozen=True)
class ByProducts:
    """`products` of two sets of gradients, one's candidates along the rows, and the similarities they make."""

    products: Callable[[Gradients, Gradients], Tensor]
    similarities: Callable[[Tensor], Tensor]


def whole_products(one: Gradients, other: Gradients) -> Tensor:
    """Inner products of whole gradients, [1, candidates, candidates]."""
    pairs = zip(one, other, strict=True)
    total = sum((a.flatten(1).double() @ b.flatten(1).double().T for a, b in pairs), start=torch.zeros(()))
    return total.unsqueeze(0)


def filter_products(one: Gradients, other: Gradients) -> Tensor:
    """Inner products filter by filter, [filters, candidates, candidates]."""
    pairs = zip(one, other, strict=True)
    return torch.cat([torch.einsum("afn,bfn->fab", as_filters(a), as_filters(b)) for a, b in pairs])


def mean_cosine(products: Tensor) -> Tensor:
    """The mean over filters that move; a filter that none of the candidates moves says nothing."""
    moved = products.diagonal(dim1=1, dim2=2).ne(0).any(dim=1)
    return cosines(products[moved]).sum(dim=0) / moved.sum().clamp(min=1)


def cosines(products: Tensor) -> Tensor:
    """0 where a length is 0, or, an estimate from few mini-batches, not even a length.

    Such an estimate can leave [-1, 1] too. It is brought back, but its derivative is kept: it is no less uncertain.
    """
    lengths = products.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()
    scale = lengths.unsqueeze(2) * lengths.unsqueeze(1)
    free = torch.where(scale == 0, 0.0, products / scale)
    return free + (free.clamp(-1, 1) - free).detach()


BY_PRODUCTS: dict[Similarity, ByProducts] = {
    cosine: ByProducts(whole_products, mean_cosine),
    filter_cosine: ByProducts(filter_products, mean_cosine),
}
