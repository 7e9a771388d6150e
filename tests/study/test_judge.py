"""Children judged together, against each of them judged alone by a copy of its network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cleave.data.stream import Batch
from cleave.engine.stop import NEVER
from cleave.errors import Interrupted
from cleave.net import Norm
from cleave.space import Arch, NetworkSize, Space, find_space
from cleave.study.judge import CHUNK, Judge, Kind, chunks
from cleave.study.ledger import walk
from cleave.study.sharing import Shared, but_statistics, matching, prefix
from cleave.study.supernet import Blueprint, Supernet
from tests.recorder import Impatient
from tests.reference.judge import plain_hits
from tests.toys import TOYS

SIZE = NetworkSize(2, 2)
SPACES = {"cells64": lambda: find_space("cells64"), "nasbench201": lambda: find_space("nasbench201")} | {
    kind.name: kind for kind in TOYS
}
POLICIES = ("all", "prefix", "pattern", "child", "none")


def some(space: Space, count: int) -> list[Arch]:
    generator, found = torch.Generator().manual_seed(int(torch.randint(10**6, ()))), dict[str, Arch]()
    while len(found) < count:
        arch = space.sample(space.region, generator)
        found[space.format(arch)] = arch
    return list(found.values())


def policy(name: str, space: Space) -> Shared | None:
    return {
        "all": None,
        "prefix": prefix(1, space.layout(SIZE, 3)),
        "pattern": matching("Conv2d"),
        "child": but_statistics(None),
        "none": lambda name: False,
    }[name]


def batches(count: int, size: int = 6) -> list[Batch]:
    return [(torch.randn(size, 3, 8, 8, dtype=torch.float64), torch.randint(4, (size,))) for _ in range(count)]


def supernet(space: Space, archs: list[Arch], shared: Shared | None) -> Supernet:
    """With weights and statistics as after some training: children that share no weights differ in them."""
    made = Supernet(
        space,
        Blueprint(space.layout(SIZE, 3), 4, replace(space.layout(SIZE, 3).norm, running=True, momentum=0.4)),
        archs,
        0,
        shared,
    )
    with torch.no_grad():
        for network in made.networks:
            network.double()
        for tensor in made.tensors().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) / 4)
    return made


CASES = [(name, sharing) for name in SPACES for sharing in POLICIES if name == "cells64" or sharing in POLICIES[:2]]


@pytest.mark.parametrize("kind", ["tracked", "batch", "recalibrated"])
@pytest.mark.parametrize(("name", "sharing"), CASES)
def test_children_judged_together_get_what_they_get_alone(name: str, sharing: str, kind: str) -> None:
    space = SPACES[name]()
    made = supernet(space, some(space, 6), policy(sharing, space))
    judged, calibration = batches(2), batches(2, size=5)
    before = {name: tensor.clone() for name, tensor in made.tensors().items()}
    judge = Judge(made, Kind.of(kind, replace(space.layout(SIZE, 3).norm, running=True, momentum=0.4)))
    for network in judge.supernet.networks:
        network.double()
    assert judge.hits(judged, calibration) == plain_hits(made, kind, judged, calibration)
    assert all(torch.equal(before[name], tensor) for name, tensor in made.tensors().items()), "something changed"
    assert all(module.training for network in made.networks for module in network.modules())


def logits(judge: Judge, images: Tensor) -> dict[int, Tensor]:
    labels = torch.zeros(len(images), dtype=torch.int64)
    with torch.no_grad():
        return {child: found[0] for child, found in judge._logits([(images, labels)], (), NEVER)}


def test_the_outputs_are_the_same_to_the_last_bit() -> None:
    space = find_space("cells64")
    archs = [space.parse(f"{a}{b}{c}") for a in (1, 2, 4) for b in (1, 3) for c in (2, 4)]
    made = supernet(space, archs, None)
    images = torch.randn(5, 3, 8, 8, dtype=torch.float64)
    together = logits(Judge(made, Kind("tracked")), images)
    network = made.common.eval()
    for child, arch in enumerate(archs):
        with torch.no_grad():
            assert torch.equal(together[child], network(images, made.gates[child])), arch


def test_all_64_children_together_take_less_than_half_of_the_work_of_each_alone() -> None:
    from cleave.net.cost import costs

    space = find_space("cells64")
    archs = some(space, 64)
    size, image = NetworkSize(8, 4), (3, 16, 16)
    made = Supernet(space, Blueprint(space.layout(size, 3), 10, Norm(False, running=True)), archs, 0, None)
    each = costs(space, size, image)
    alone = sum(each.of(arch).multiply_adds for arch in archs)
    assert 2 * walk(made, Kind("tracked"), image) < alone
    assert 2 * walk(made, Kind.of("recalibrated", Norm(False, running=True)), image) < alone


def test_what_nobody_shares_is_worked_out_for_each_child() -> None:
    from cleave.net.cost import costs

    space = find_space("cells64")
    archs, size, image = some(space, 5), NetworkSize(2, 1), (3, 8, 8)
    made = Supernet(
        space, Blueprint(space.layout(size, 3), 10, Norm(False, running=True)), archs, 0, lambda name: False
    )
    each = costs(space, size, image)
    assert walk(made, Kind("tracked"), image) == sum(each.of(arch).multiply_adds for arch in archs)


@pytest.mark.parametrize("kind", ["tracked", "batch", "recalibrated"])
def test_a_look_can_be_stopped_at_every_block_and_leaves_no_trace(kind: str) -> None:
    space = find_space("cells64")
    made = supernet(space, some(space, 4), policy("prefix", space))
    judge = Judge(made, Kind.of(kind, replace(space.layout(SIZE, 3).norm, running=True, momentum=0.4)))
    for network in judge.supernet.networks:
        network.double()
    judged, calibration = batches(1), batches(2)
    modules = [dict(network.named_modules()) for network in judge.supernet.networks]
    asked = Impatient(10**9)
    hits = judge.hits(judged, calibration, asked)
    times = 10**9 - asked.patience
    assert times > len(judge.blocks)
    for patience in range(times):
        with pytest.raises(Interrupted):
            judge.hits(judged, calibration, Impatient(patience))
        assert [dict(network.named_modules()) for network in judge.supernet.networks] == modules
        assert all(module.training for each in modules for module in each.values())
    assert judge.hits(judged, calibration, Impatient(times)) == hits


def test_many_images_are_walked_through_in_pieces() -> None:
    sizes = [CHUNK // 2, CHUNK // 2, CHUNK + 1, 3]
    made = [(torch.zeros(size, 1, 1, 1), torch.zeros(size, dtype=torch.int64)) for size in sizes]
    assert [[len(labels) for _, labels in piece] for piece in chunks(made)] == [sizes[:2], sizes[2:3], sizes[3:]]
    space = find_space("cells64")
    network = supernet(space, some(space, 3), None)
    judge, images = Judge(network, Kind("tracked")), batches(3, size=CHUNK // 2)
    small = [(x[:, :, :8, :8], y) for x, y in images]
    assert judge.hits(small) == plain_hits(network, "tracked", small, ())
