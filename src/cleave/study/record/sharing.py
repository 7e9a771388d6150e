"""Which children share which weights: a division into supernets, and within each the tensors that all have."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from cleave.errors import UserError, brief
from cleave.space import Layout
from cleave.stats.clusters import Groups, clusters, sequential, shuffled
from cleave.study.record.log import read_log
from cleave.study.record.partition import read_partition
from cleave.study.record.settings import SharingSettings
from cleave.study.record.truth import log_file
from cleave.study.record.views import correlation_to_cluster

Shared = Callable[[str], bool]
"""Whether the children of a supernet share the tensor of that name (`tensor_names`)."""

STATISTIC = re.compile(r"\.running_(mean|var)$|\.num_batches_tracked$")


def divide(sharing: SharingSettings, children: Sequence[str]) -> list[list[str]]:
    """The children of each supernet; UserError where the policy cannot be followed."""
    if sharing.policy == "none":
        return [[child] for child in children]
    if sharing.policy != "groups":
        return [list(children)]
    if sharing.by == "given":
        return read_partition(_file(sharing), children)
    return [[children[number] for number in group] for group in numbered(sharing, children)]


def numbered(sharing: SharingSettings, children: Sequence[str]) -> Groups:
    """Groups of the asked number, as the children's numbers."""
    count = sharing.groups
    if count is None:
        raise UserError("sharing.groups: say how many with sharing.policy=groups")
    if count > len(children):
        raise UserError(f"sharing.groups={count}: there are {len(children)} children; give at most that")
    if sharing.by == "sequential":
        return sequential(len(children), count)
    if sharing.by == "shuffled":
        return shuffled(len(children), count, sharing.seed)
    path = _file(sharing)
    log = read_log(log_file(path))
    if log.children != tuple(children):
        raise UserError(f"sharing.file={path}: has other children than this study; use a log of the same ones")
    return clusters(correlation_to_cluster(log, f"sharing.file={path}"), count)


def _file(sharing: SharingSettings) -> Path:
    if sharing.file is None:
        raise UserError(f"sharing.file: name it with sharing.by={sharing.by}")
    return Path(sharing.file)


def shared_tensors(sharing: SharingSettings, layout: Layout) -> Shared | None:
    """The tensors that all children of a supernet share; None where they share all."""
    if sharing.policy == "prefix":
        return prefix(sharing.cells, layout)
    if sharing.policy == "pattern":
        return matching(sharing.pattern)
    return None


def prefix(cells: int | None, layout: Layout) -> Shared:
    """All blocks up to the searched one of that number; the classifier is always each child's own, as published."""
    searched = [name for name, block in layout.blocks if block.choices]
    if cells is None:
        raise UserError("sharing.cells: say how many with sharing.policy=prefix")
    if cells > len(searched):
        raise UserError(f"sharing.cells={cells}: the network has {len(searched)} cells; give at most that")
    names = [name for name, _ in layout.blocks]
    end = names.index(searched[cells]) if cells < len(searched) else len(names)
    first = set(names[:end])
    return lambda name: name.startswith("blocks.") and name.split(".")[1] in first


def matching(pattern: str | None) -> Shared:
    """All tensors whose name matches."""
    if pattern is None:
        raise UserError("sharing.pattern: give one with sharing.policy=pattern")
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise UserError(f"sharing.pattern={brief(pattern)}: is no regular expression ({brief(str(error))})") from error
    return lambda name: wanted.search(name) is not None


def but_statistics(shared: Shared | None) -> Shared:
    """The same without running statistics: each child has its own."""
    return lambda name: STATISTIC.search(name) is None and (shared is None or shared(name))


def tensor_names(network: nn.Module) -> dict[str, str]:
    """Every entry of the state by what patterns see: with the kind of its layer before the last part.

    "blocks.cell0.edges.2<-1.ops.sep_conv_3x3.1.weight" is seen as "...sep_conv_3x3.1.Conv2d.weight".
    """
    return {
        f"{path}.{name}": f"{path}.{type(module).__name__}.{name}"
        for path, module in network.named_modules()
        for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    }
