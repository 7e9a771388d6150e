"""Children judged together, against each of them judged alone by a copy of its network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cleave.data.stream import Batch
from cleave.engine.stop import NEVER
from cleave.errors import Interrupted
from cleave.net import Norm, build, one_hot, only_live
from cleave.net.elastic import FirstNorm
from cleave.space import Arch, Fixed, Head, Layout, NetworkSize, Space, find_space
from cleave.space.ofa import MobileNetOfa, OfaSettings
from cleave.study.record.ledger import walk
from cleave.study.record.sharing import Shared, but_statistics, matching, prefix
from cleave.study.record.supernet import Blueprint, Supernet
from cleave.study.record.training import STATISTICS
from cleave.train import BATCH, RECALIBRATED, TRACKED, Child, Evaluator, Statistics
from cleave.train.evaluator import CHUNK, Remembered, Walked, begin, chunks
from tests.recorder import Impatient
from tests.reference.judge import plain_hits
from tests.toys import TOYS, ToyMobileNet

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
    found = Evaluator(STATISTICS[kind]).hits(made.members, judged, calibration)
    assert found.sum(dim=1).tolist() == plain_hits(made, kind, judged, calibration)
    assert all(torch.equal(before[name], tensor) for name, tensor in made.tensors().items()), "something changed"
    assert all(module.training for network in made.networks for module in network.modules())


def test_hits_are_told_by_class() -> None:
    space = find_space("nasbench201")
    made = supernet(space, some(space, 3), None)
    judged = [(torch.cat([images, images]), torch.cat([labels, labels])) for images, labels in batches(2)]
    found = Evaluator(TRACKED).hits(made.members, judged)
    network = made.common.eval()
    for gates, by_class in zip(made.gates, found.tolist(), strict=True):
        right = [labels[network(images, gates).argmax(dim=1) == labels] for images, labels in judged]
        assert by_class == torch.cat(right).bincount(minlength=4).tolist()


def test_the_outputs_are_the_same_to_the_last_bit() -> None:
    space = find_space("cells64")
    archs = [space.parse(f"{a}{b}{c}") for a in (1, 2, 4) for b in (1, 3) for c in (2, 4)]
    made = supernet(space, archs, None)
    images, evaluator = torch.randn(5, 3, 8, 8, dtype=torch.float64), Evaluator(TRACKED)
    own = [Child(TRACKED.of(made.common), gates) for gates in made.gates]
    made.common.eval()
    with torch.no_grad():
        together = dict(evaluator._walk(own, Walked([[begin(images)]], [], {}), 0, list(range(len(own))), NEVER))
        for child, arch in enumerate(archs):
            assert torch.equal(together[child][0], made.common(images, one_hot(arch))), arch


@pytest.mark.parametrize("statistics", [BATCH, RECALIBRATED])
def test_all_children_and_pieces_are_judged_in_the_precision_that_is_asked_for(statistics: Statistics) -> None:
    """Also what comes after the first of them, and whoever asks in between is in neither mode."""
    space = find_space("nasbench201")
    network = build(space.layout(SIZE, 3), space.region, 4, seed=0)
    children = [Child(network, one_hot(arch)) for arch in some(space, 4)]
    judged = [(images.float(), labels) for images, labels in batches(3)]
    for half, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        evaluator, seen = Evaluator(statistics, chunk=1, half=half), 0
        for child, logits, _ in evaluator.logits(children, judged, judged[:1]):
            assert not torch.is_inference_mode_enabled()
            assert not torch.is_autocast_enabled("cpu")
            (alone,) = (each for _, each, _ in Evaluator(statistics, 1, half).logits(
                [children[child]], [judged[seen // len(children)]], judged[:1]))  # fmt: skip
            assert logits.dtype == alone.dtype == dtype
            torch.testing.assert_close(logits, alone, rtol=0.1 if half else 1e-4, atol=0.1 if half else 1e-4)
            seen += 1
        assert seen == len(children) * len(judged)


def test_an_operation_that_remembers_works_once_for_equal_inputs_and_anew_for_others() -> None:
    class Counted(nn.Module):
        count = 0

        def forward(self, x: Tensor) -> Tensor:
            self.count += 1
            return 2 * x

    operation = Counted()
    remembered = Remembered("some", operation, {})
    one, other = torch.randn(2, 5)
    for x, count in ((one, 1), (one.clone(), 1), (other, 2), (one, 3), (one, 3)):
        assert torch.equal(remembered(x), 2 * x)
        assert operation.count == count


@pytest.mark.parametrize("kind", SPACES)
def test_in_whatever_order_children_come_nothing_is_worked_out_twice(kind: str) -> None:
    """Children that begin alike are put together: the work is that of the space's own order."""
    space = SPACES[kind]()
    archs = some(space, 12)
    shuffled = [archs[i] for i in torch.randperm(len(archs)).tolist()]
    works = {walk(supernet_of(space, order), TRACKED, (3, 8, 8)) for order in (archs, shuffled)}
    assert len(works) == 1


def supernet_of(space: Space, archs: list[Arch]) -> Supernet:
    return Supernet(
        space, Blueprint(space.layout(SIZE, 3), 4, replace(space.layout(SIZE, 3).norm, running=True)), archs, 0, None
    )


def test_all_64_children_together_take_less_than_half_of_the_work_of_each_alone() -> None:
    from cleave.net.cost import costs

    space = find_space("cells64")
    archs = some(space, 64)
    size, image = NetworkSize(8, 4), (3, 16, 16)
    made = Supernet(space, Blueprint(space.layout(size, 3), 10, Norm(False, running=True)), archs, 0, None)
    each = costs(space, size, image)
    alone = sum(each.of(arch).multiply_adds for arch in archs)
    assert 2 * walk(made, TRACKED, image) < alone
    assert 2 * walk(made, RECALIBRATED, image) < alone


def test_what_nobody_shares_is_worked_out_for_each_child() -> None:
    from cleave.net.cost import costs

    space = find_space("cells64")
    archs, size, image = some(space, 5), NetworkSize(2, 1), (3, 8, 8)
    made = Supernet(
        space, Blueprint(space.layout(size, 3), 10, Norm(False, running=True)), archs, 0, lambda name: False
    )
    each = costs(space, size, image)
    assert walk(made, TRACKED, image) == sum(each.of(arch).multiply_adds for arch in archs)


@pytest.mark.parametrize("kind", ["tracked", "batch", "recalibrated"])
def test_a_look_can_be_stopped_at_every_block_and_leaves_no_trace(kind: str) -> None:
    space = find_space("cells64")
    made = supernet(space, some(space, 4), policy("prefix", space))
    evaluator = Evaluator(STATISTICS[kind])
    judged, calibration = batches(1), batches(2)
    asked = Impatient(10**9)
    hits = evaluator.hits(made.members, judged, calibration, asked)
    modules = [dict(network.named_modules()) for network in evaluator.twins.values()]
    times = 10**9 - asked.patience
    assert times > len(made.common.blocks)
    for patience in range(times):
        with pytest.raises(Interrupted):
            evaluator.hits(made.members, judged, calibration, Impatient(patience))
        assert [dict(network.named_modules()) for network in evaluator.twins.values()] == modules
    assert torch.equal(evaluator.hits(made.members, judged, calibration, Impatient(times)), hits)


def test_many_images_are_walked_through_in_pieces() -> None:
    sizes = [CHUNK // 2, CHUNK // 2, CHUNK + 1, 3]
    made = [(torch.zeros(size, 1, 1, 1), torch.zeros(size, dtype=torch.int64)) for size in sizes]
    assert [[len(labels) for _, labels in piece] for piece in chunks(made)] == [sizes[:2], sizes[2:3], sizes[3:]]
    space = find_space("cells64")
    network = supernet(space, some(space, 3), None)
    small = [(x[:, :, :8, :8], y) for x, y in batches(3, size=CHUNK // 2)]
    assert Evaluator(TRACKED).hits(network.members, small).sum(dim=1).tolist() == plain_hits(
        network, "tracked", small, ()
    )


@pytest.mark.parametrize("kind", ["toyelastic", "toymobilenet"])
def test_a_child_gets_the_same_to_the_bit_whatever_was_judged_before(kind: str) -> None:
    space = SPACES[kind]()
    archs = some(space, 4)
    made = supernet(space, archs, None).common
    children = [Child(made, only_live(made.layout, arch)) for arch in archs]
    in_all_orders(children, calibration=batches(2, size=3), judged=batches(2, size=2))


def test_a_part_of_an_elastic_network_gets_the_same_to_the_bit_whatever_was_judged_before() -> None:
    """Wide ones before narrow ones too, of which they share the statistics' tensors."""
    settings = OfaSettings(width=0.1, kernels=(3, 5), expansions=(3, 6), depths=(1, 2))
    space = MobileNetOfa(settings)
    made = build(space.layout(settings, 3), space.region, 4, seed=0).double()
    children = [Child(made, only_live(made.layout, arch)) for arch in some(space, 3)]
    in_all_orders(children, calibration=batches(2, size=3), judged=batches(1, size=2))


def test_of_a_wider_part_nothing_is_left_in_the_statistics_of_a_narrow_one() -> None:
    norm = FirstNorm.of(Norm(running=True), 6)
    for channels in (6, 4):
        with torch.no_grad(), RECALIBRATED.measuring(norm, [norm]) as count:
            for size in (3, 2):
                count(size)
                norm(torch.randn(size, channels, 2, 2) + 1)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.running_mean[:4].ne(0).all()
    assert norm.running_mean[4:].eq(0).all()
    assert norm.running_var[4:].eq(1).all()


def test_statistics_of_the_head_are_measured_too() -> None:
    class Headed(ToyMobileNet):
        """Under a hidden layer with a normalisation."""

        def layout(self, size: NetworkSize, image_channels: int) -> Layout:
            found = super().layout(size, image_channels)
            return replace(found, head=Head((Fixed("nor_conv_1x1", found.features, 5),)))

    space = Headed()
    made = supernet(space, some(space, 3), None)
    judged, calibration = batches(2), batches(2, size=5)
    found = Evaluator(RECALIBRATED, chunk=1).hits(made.members, judged, calibration)
    assert found.sum(dim=1).tolist() == plain_hits(made, "recalibrated", judged, calibration)


def in_all_orders(children: list[Child], calibration: list[Batch], judged: list[Batch]) -> None:
    """Asserts that logits are the same to the bit, in 100 orders, and of whatever children are judged together; and
    that their network stays as it is."""
    network = children[0].network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    evaluator, known = Evaluator(RECALIBRATED, chunk=1), dict[int, list[Tensor]]()
    for _ in range(100):
        together = torch.randperm(len(children)).tolist()[: int(torch.randint(1, 1 + len(children), ()))]
        found: dict[int, list[Tensor]] = {number: [] for number in together}
        for child, logits, _ in evaluator.logits([children[i] for i in together], judged, calibration):
            found[together[child]].append(logits)
        for number, outputs in found.items():
            assert all(map(torch.equal, outputs, known.setdefault(number, outputs)))
    assert len(known) == len(children)
    assert len({tuple(torch.cat(logits).flatten().tolist()) for logits in known.values()}) > 1, "all the same"
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
