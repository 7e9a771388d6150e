"""Children judged one by one, each by a network of its own: the slow and obvious way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from cleave.data.stream import Batch
from cleave.net import Gates, one_hot
from cleave.study.record.supernet import Supernet


def plain_hits(supernet: Supernet, kind: str, batches: Sequence[Batch], calibration: Sequence[Batch]) -> list[int]:
    """How many images each child gets right, by statistics of that kind (see `cleave.train`)."""
    found = []
    for arch, shared in zip(supernet.children, supernet.networks, strict=True):
        network, gates = deepcopy(shared), one_hot(arch)
        network.eval()
        if kind == "recalibrated":
            recalibrate(network)
            with torch.no_grad():
                for images, _ in calibration:
                    network(images, gates)
            network.eval()
        if kind == "batch":
            network.train()
        with torch.no_grad():
            found.append(sum(int((network(x, gates).argmax(dim=1) == y).sum()) for x, y in batches))
    return found


def recalibrate(network: nn.Module) -> None:
    """From now on the running statistics are the plain mean over what goes through."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    network.train()


def of_batches(batches: Sequence[Tensor], shares: Sequence[float] | None) -> tuple[Tensor, Tensor]:
    """Mean and variance by channel: of the batches' own means and unbiased variances the mean by images, or a moving
    average that begins with 0 and 1; of more batches than shares the last share holds."""
    means = torch.stack([batch.mean(dim=(0, 2, 3)) for batch in batches])
    variances = torch.stack([batch.var(dim=(0, 2, 3)) for batch in batches])
    if shares is None:
        weights = torch.tensor([len(batch) for batch in batches], dtype=means.dtype)[:, None]
        return (weights * means).sum(dim=0) / weights.sum(), (weights * variances).sum(dim=0) / weights.sum()
    mean, variance = torch.zeros_like(means[0]), torch.ones_like(variances[0])
    for number, (one, other) in enumerate(zip(means, variances, strict=True)):
        share = shares[min(number, len(shares) - 1)]
        mean, variance = (1 - share) * mean + share * one, (1 - share) * variance + share * other
    return mean, variance


@torch.no_grad()
def logits_by_own_statistics(
    network: nn.Module,
    gates: Gates,
    batches: Sequence[Batch],
    calibration: Sequence[Batch],
    shares: Sequence[float] | None,
) -> list[Tensor]:
    """Logits of each batch, normalised by the statistics that calibration batches have under the same gates, each of
    which goes through the network normalised by its own. In float64."""
    twin, seen = deepcopy(network).double().train(), dict[nn.BatchNorm2d, list[Tensor]]()
    with ExitStack() as stack:
        for norm in (module for module in twin.modules() if isinstance(module, nn.BatchNorm2d)):
            norm.track_running_stats = True  # what stands for all later, and what comes in now is a layer's own
            norm.running_mean, norm.running_var = torch.zeros(2, norm.num_features, dtype=torch.float64)
            stack.enter_context(hooked(norm, lambda it, inputs: seen.setdefault(it, []).append(inputs[0].clone())))
        for images, _ in calibration:
            twin(images.double(), gates)
    for norm, shown in seen.items():
        norm.running_mean, norm.running_var = of_batches(shown, shares)
    twin.eval()
    return [twin(images.double(), gates) for images, _ in batches]


@contextmanager
def hooked(module: nn.BatchNorm2d, hook: Callable[[nn.BatchNorm2d, tuple[Tensor, ...]], None]) -> Iterator[None]:
    """Meanwhile the hook hears what goes into the module."""
    handle = module.register_forward_pre_hook(hook)
    yield
    handle.remove()
