"""What was gathered on the similarities of one choice's candidates, mini-batch by mini-batch.

Each keeps sums only, so that it costs the memory of one or two probes however many there are.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jvp, vmap

from cleave.split.products import BY_PRODUCTS
from cleave.split.similarity import Gradients, Similarity


class Tally(ABC):
    """The probes so far."""

    def __init__(self, similarity: Similarity) -> None:
        self.similarity, self.probes = similarity, 0

    def add(self, gradients: Gradients) -> None:
        """One more probe: per parameter the gradient under each candidate, [candidates, *shape]."""
        self._add(gradients)
        self.probes += 1

    @abstractmethod
    def _add(self, gradients: Gradients) -> None: ...

    @property
    @abstractmethod
    def similarities(self) -> Tensor:
        """[candidates, candidates], float64."""


class RaceTally(Tally):
    """A tally that also tells how sure it is."""

    @property
    @abstractmethod
    def influences(self) -> Tensor:
        """How each probe but the first moved the similarities, [probes - 1, candidates, candidates].

        But for a constant: they scatter as the similarities of n probes do times the root of n. NaN where nothing can
        be said yet.
        """


class MeanGradients(Tally):
    """Gradients are averaged and then compared (GM-NAS, algorithm 2)."""

    total: Gradients = ()

    def _add(self, gradients: Gradients) -> None:
        self.total = added(self.total, gradients) if self.probes else gradients

    @property
    def similarities(self) -> Tensor:
        return self.similarity([parameter / self.probes for parameter in self.total])


class MeanSimilarities(RaceTally):
    """Each mini-batch is compared and the similarities are averaged (the released code of GM-NAS)."""

    def __init__(self, similarity: Similarity) -> None:
        super().__init__(similarity)
        self.each: list[Tensor] = []

    def _add(self, gradients: Gradients) -> None:
        self.each.append(self.similarity(gradients))

    @property
    def similarities(self) -> Tensor:
        return torch.stack(self.each).mean(dim=0)

    @property
    def influences(self) -> Tensor:
        return torch.stack(self.each[1:])


class Extrapolated(RaceTally):
    """What `MeanGradients` will come to with `horizon` probes, as far as fewer can tell.

    A mean over n mini-batches holds 1/n of the noise of each, and where candidates are compared on the same ones, that
    is alike: at n=4 cosines are far from what they settle at. Of n probes the inner products of different ones,
    U, are free of noise on average, and those of each with itself, Q, hold it whole, so the products of a mean over h
    are on average U + (Q - U) / h. With n = h that is what `MeanGradients` has, but for rounding.
    """

    def __init__(self, similarity: Similarity, horizon: int) -> None:
        super().__init__(similarity)
        self.by, self.horizon = BY_PRODUCTS[similarity], horizon
        self.total: Gradients = ()
        self.own = torch.zeros(())  # sums of Q
        self.pairs: list[Tensor] = []  # per probe but the first: twice its products with the mean of those before

    def _add(self, gradients: Gradients) -> None:
        self.own = self.own + self.by.products(gradients, gradients)
        if self.probes:
            before = self.by.products(gradients, self.total) / self.probes
            self.pairs.append(before + before.mT)
        self.total = added(self.total, gradients) if self.probes else gradients

    @property
    def products(self) -> Tensor:
        """[filters, candidates, candidates], expected of the mean gradient over `horizon` probes."""
        weights = torch.arange(1, self.probes, dtype=torch.float64)
        pairs = torch.stack(self.pairs)
        different = torch.einsum("p,pfab->fab", weights.to(pairs.device), pairs) / (self.probes * (self.probes - 1))
        return different + (self.own / self.probes - different) / self.horizon

    @property
    def similarities(self) -> Tensor:
        return self.by.similarities(self.products)

    @property
    def influences(self) -> Tensor:
        """The derivative of the similarities along what a probe adds to the products.

        NaN for a candidate whose gradient is hidden in noise: whose length has an estimate below zero.
        """
        products = self.products
        moves = derivatives(self.by.similarities, products, torch.stack(self.pairs))
        squares, own = (each.diagonal(dim1=1, dim2=2) for each in (products, self.own))
        hidden = (squares <= 0).all(dim=0) & (own > 0).any(dim=0)
        return moves.masked_fill(hidden | hidden[:, None], torch.nan)


def added(one: Gradients, other: Gradients) -> list[Tensor]:
    return [a + b for a, b in zip(one, other, strict=True)]


def derivatives(function: Callable[[Tensor], Tensor], at: Tensor, directions: Tensor) -> Tensor:
    """The directional derivatives of a function of a tensor, exactly (forward-mode AD), a row for each direction."""

    def along(direction: Tensor) -> Tensor:
        slope: Tensor = jvp(function, (at,), (direction,))[1]
        return slope

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about what torch itself loads at its first derivative
        return vmap(along)(directions)
