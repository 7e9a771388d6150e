"""Randomness as a pure function of (seed, leaf, purpose, step): nothing to save, any order, any place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Chance:
    """The random numbers of one node of the tree."""

    seed: int
    leaf: str

    def number(self, purpose: str, step: int = 0) -> int:
        """A seed in [0, 2**63) for this purpose and step."""
        text = f"{self.seed}/{self.leaf}/{purpose}/{step}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1

    def generator(self, purpose: str, step: int = 0) -> torch.Generator:
        """A fresh generator on the CPU; equal arguments give equal numbers."""
        return torch.Generator().manual_seed(self.number(purpose, step))
