"""Splitting: the tree of regions, the partitions of a choice, and the gradient matching score."""

from cleave.split.gradient import Matching, Probe, match
from cleave.split.share import shared_parameters
from cleave.split.tree import Node, Path, Score, Split, Tree, label

__all__ = [
    "Matching",
    "Node",
    "Path",
    "Probe",
    "Score",
    "Split",
    "Tree",
    "label",
    "match",
    "shared_parameters",
]
