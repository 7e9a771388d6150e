"""Children evaluated together, against each of them evaluated alone."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from cleave.data.stream import Batch
from cleave.engine.stop import Stop
from cleave.errors import Interrupted
from cleave.net import Gates, Network, Norm, build, one_hot, only_live
from cleave.rank.evaluate import PIECE, Exam, accuracies
from cleave.rank.judge import same_outputs
from cleave.rank.truth import architectures
from cleave.space import Arch, Layout, NetworkSize, Region, Space
from cleave.space.nb201 import NASBench201
from cleave.train import RECALIBRATED
from tests.toys import TOYS

SPACES = (NASBench201, *TOYS)
SIZE = NetworkSize(2, 1)


def layout_of(space: Space) -> Layout:
    return space.layout(SIZE, 3)


def supernet(space: Space, norm: Norm | None = None, region: Region | None = None) -> Network:
    # In double precision no rounding, which depends on what runs together, can turn an image.
    seed = int(torch.randint(10**6, ()))
    return build(layout_of(space), region or space.region, 4, seed, norm).double()


def some_batches(count: int, size: int = 6) -> list[Batch]:
    return [(torch.randn(size, 3, 8, 8, dtype=torch.float64), torch.randint(4, (size,))) for _ in range(count)]


def some(space: Space, count: int) -> list[Arch]:
    """Neighbours and strangers, in the space's order."""
    archs = architectures(space, connected=False)
    start = int(torch.randint(len(archs), ()))
    chosen = {start + offset for offset in range(count // 2)} | set(torch.randint(len(archs), (count // 2,)).tolist())
    return [archs[position] for position in sorted(chosen) if position < len(archs)]


def alone(network: Network, arch: Arch, batches: Sequence[Batch]) -> float:
    """The plain way: the accuracy of one child on all batches."""
    with torch.no_grad():
        hits = [(network(images, one_hot(arch)).argmax(dim=1) == labels).sum() for images, labels in batches]
    return 100 * float(sum(hits)) / sum(len(labels) for _, labels in batches)


def one_hots(archs: Sequence[Arch]) -> list[Gates]:
    return [one_hot(arch) for arch in archs]


def silent(done: int) -> None:
    pass


@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize("threads", [1, 3])
def test_together_children_get_what_each_gets_alone(kind: type[Space], threads: int) -> None:
    space = kind()
    network, batches, archs = supernet(space), some_batches(3), some(space, 60)
    before = deepcopy(network.state_dict())
    found = accuracies([network], one_hots(archs), Exam(batches, threads, Stop()), silent)
    assert found == [alone(network, arch, batches) for arch in archs]
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_several_networks_give_the_mean_of_their_accuracies() -> None:
    space = NASBench201()
    networks, batches, archs = [supernet(space) for _ in range(3)], some_batches(2), some(space, 20)
    found = accuracies(networks, one_hots(archs), Exam(batches, 2, Stop()), silent)
    each = [[alone(network, arch, batches) for arch in archs] for network in networks]
    assert found == pytest.approx(np.mean(each, axis=0))


def running(network: Network, arch: Arch, training: Sequence[Batch], batches: Sequence[Batch]) -> float:
    """The textbook way: statistics of every layer as means over the training batches, then evaluation with them."""
    fresh = build(layout_of(NASBench201()), network.region, 4, 0, Norm(affine=False, running=True)).double()
    fresh.load_state_dict({**fresh.state_dict(), **dict(network.named_parameters())})
    for module in fresh.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            module.reset_running_stats()
    fresh.train()
    for images, _ in training:
        fresh(images, one_hot(arch))
    return alone(fresh.eval(), arch, batches)


def test_recalibrated_children_have_statistics_of_their_own_whoever_came_before() -> None:
    space = NASBench201()
    network = supernet(space)
    training, batches, archs = some_batches(2, 16), some_batches(2), some(space, 12)
    found = accuracies([network], one_hots(archs), Exam(batches, 2, Stop(), RECALIBRATED, training), silent)
    assert found == [running(network, arch, training, batches) for arch in archs]
    assert (
        accuracies([network], one_hots(archs[::-1]), Exam(batches, 1, Stop(), RECALIBRATED, training), silent)
        == found[::-1]
    )


def test_recalibrated_children_do_not_depend_on_how_images_are_batched() -> None:
    space = NASBench201()
    network = supernet(space)
    training, (batch,), archs = some_batches(2, 16), some_batches(1, 12), some(space, 20)
    singles = [(batch[0][i : i + 1], batch[1][i : i + 1]) for i in range(12)]
    together, apart = (
        accuracies([network], one_hots(archs), Exam(batches, 1, Stop(), RECALIBRATED, training), silent)
        for batches in ([batch], singles)
    )
    hits = [np.rint(np.array(found) * 12 / 100) for found in (together, apart)]
    assert np.abs(hits[0] - hits[1]).max() <= 1  # rounding may turn one image


def test_progress_is_told_up_to_the_last_one() -> None:
    space, told = NASBench201(), list[int]()
    archs = architectures(space, connected=False)[: 2 * PIECE + 7]
    accuracies([supernet(space)], one_hots(archs), Exam(some_batches(1, 2), 2, Stop()), told.append)
    assert told == [PIECE, 2 * PIECE, len(archs)]


def test_whoever_asks_it_to_stop_is_not_kept_waiting_for_the_rest() -> None:
    space, told = NASBench201(), list[int]()
    exam = Exam(some_batches(1, 2), 1, Stop())

    def stop(done: int) -> None:
        told.append(done)
        exam.stop.requested = True

    with pytest.raises(Interrupted):
        accuracies([supernet(space)], one_hots(architectures(space, connected=False)), exam, stop)
    assert told[0] == PIECE
    assert len(told) < 10


@pytest.mark.parametrize("kind", SPACES)
def test_architectures_that_are_called_alike_compute_the_same(kind: type[Space]) -> None:
    space = kind()
    network, archs = supernet(space), some(space, 150)
    (images, _), *_ = some_batches(1)
    with torch.no_grad():
        logits = [network(images, one_hot(arch)) for arch in archs]
        only = [network(images, only_live(layout_of(space), arch)) for arch in archs]
    for position, first in enumerate(same_outputs(layout_of(space), archs)):
        assert first <= position
        torch.testing.assert_close(logits[position], logits[first])
        assert torch.equal(only[position], only[first])


@pytest.mark.parametrize("kind", SPACES)
def test_what_leads_nowhere_can_be_left_out(kind: type[Space]) -> None:
    space = kind()
    network, archs = supernet(space), some(space, 100)
    (images, _), *_ = some_batches(1)
    with torch.no_grad():
        for arch in archs:
            torch.testing.assert_close(
                network(images, only_live(layout_of(space), arch)), network(images, one_hot(arch))
            )


def test_a_fifth_of_the_convolutions_of_nas_bench_201_lead_nowhere_and_are_left_out() -> None:
    space = NASBench201()
    archs = architectures(space, connected=False)

    def convolutions(children: Sequence[Gates]) -> int:
        return sum(name.startswith("nor_conv") for gates in children for gate in gates.values() for name in gate.active)

    live = convolutions([only_live(layout_of(space), arch) for arch in archs])
    assert 0.75 < live / convolutions(one_hots(archs)) < 0.85


def test_architectures_that_compute_different_things_are_not_called_alike() -> None:
    """Where every operation but none has weights of its own, no two of the others can agree by chance."""
    space = NASBench201(["none", "nor_conv_1x1", "nor_conv_3x3"])
    network, archs = supernet(space), some(space, 150)
    (images, _), *_ = some_batches(1)
    first = same_outputs(layout_of(space), archs)
    with torch.no_grad():
        logits = {position: network(images, one_hot(archs[position])) for position in set(first)}
    different = {tuple(tensor.flatten().tolist()) for tensor in logits.values()}
    assert len(different) == len(logits)


def test_a_third_of_nas_bench_201_computes_what_others_do() -> None:
    space = NASBench201()
    archs = architectures(space, connected=False)
    assert len(set(same_outputs(layout_of(space), archs))) == 9445
    without_none = NASBench201(["skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"])
    archs = architectures(without_none, connected=False)
    assert same_outputs(layout_of(without_none), archs) == list(range(4096))
