"""Splitting: the tree of regions, the partitions of a choice, and the criteria by which candidates are compared."""

import cleave.split.dimension
import cleave.split.matching
import cleave.split.nonlinearity
import cleave.split.output
import cleave.split.parametric
import cleave.split.weight_copies  # noqa: F401  splitters are registered
from cleave.split.gradient import Matching, Probe, match
from cleave.split.pairwise import ComparedNode, Pairwise, nearness
from cleave.split.share import shared_parameters
from cleave.split.tree import Node, Path, Score, Split, Tree, label

__all__ = [
    "ComparedNode",
    "Matching",
    "Node",
    "Pairwise",
    "Path",
    "Probe",
    "Score",
    "Split",
    "Tree",
    "label",
    "match",
    "nearness",
    "shared_parameters",
]
