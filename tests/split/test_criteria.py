"""Every criterion keeps the laws of distances, and is its slow twin; none changes the node that it looks at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cleave.errors import UserError
from cleave.given import splitter_keys
from cleave.net import build, one_hot, places
from cleave.net.cost import cost_alone, costs
from cleave.ops import OPERATIONS
from cleave.settings import Recipe, SplitSettings
from cleave.space import Arch, Choice, Fixed, Layer, Layout, NetworkSize, Region, Space, find_space
from cleave.split import ComparedNode, Pairwise, Probe
from cleave.split.dimension import local_dimensions
from cleave.split.metric import METRICS, metric
from cleave.split.parametric import weighted
from cleave.split.splitters import SPLITTERS
from tests.reference import criteria as slow
from tests.registries import as_they_were
from tests.toys import TOYS, NamedSpace, ToyElastic, ToyMobileNet

SPACE = find_space("nasbench201")
SIZE, IMAGE, CLASSES = NetworkSize(channels=2, cells=1), (1, 8, 8), 3
CRITERIA: dict[str, dict[str, Any]] = {
    "gradient": {"batches": 2},
    "output": {"batches": 2},
    "dimension": {"batches": 2, "neighbours": 5},
    "metric": {"completions": 3},
    "macs": {"splitter": "metric", "metric": "macs", "completions": 3},
    "gradient-norm": {"splitter": "metric", "metric": "gradient-norm", "completions": 2},
    "nonlinearity": {"completions": 2},
    "parametric": {},
}
UNDEFINED = {("parametric", "toymobilenet"), ("parametric", "toyelastic"), ("nonlinearity", "toyelastic")}
DISTANCES = [name for name in CRITERIA if name != "gradient"]


def criterion(name: str) -> tuple[type[Pairwise], Any]:
    """The class, and its settings."""
    given = {"splitter": name, **CRITERIA[name]}
    kind = SPLITTERS[given["splitter"]]
    assert issubclass(kind, Pairwise)
    return kind, kind.settings_class.model_validate(given)


def node_of(space: Space, settings: Any, size: NetworkSize = SIZE) -> ComparedNode:  # noqa: ANN401
    """A node of random weights, with random mini-batches of 12 images in float64."""
    network = build(space.layout(size, IMAGE[0]), space.region, CLASSES, seed=int(torch.randint(1000, ()))).double()
    batches = [(torch.randn(12, *IMAGE, dtype=torch.float64), torch.randint(CLASSES, (12,))) for _ in range(3)]

    def completion(number: int) -> Arch:
        generator = torch.Generator().manual_seed(number)
        return space.completed(space.sample(space.region, generator), space.region)

    def probe(number: int) -> Probe:
        images, labels = batches[number]
        return Probe(lambda gates: cross_entropy(network(images, gates), labels), one_hot(completion(number)))

    def logits(number: int) -> partial[Tensor]:
        return partial(network, batches[number][0])

    known = cache(lambda: costs(space, size, IMAGE, CLASSES))
    return ComparedNode(network, space, space.region, settings, IMAGE, probe, logits, completion, known)


def compared(name: str, space: Space) -> tuple[ComparedNode, str, Tensor]:
    """A node, its last choice that the criterion divides, and what it finds there."""
    kind, settings = criterion(name)
    node, choice = node_of(space, settings), kind.divides(space)[-1].name
    return node, choice, kind.compare(node, choice, range(kind.looks(settings)))


def divided(spaces: Iterable[Space]) -> list[Any]:
    """Each criterion on each space on which it is defined."""
    return [
        pytest.param(name, space, id=f"{name}-{space.name}")
        for space in spaces
        for name in CRITERIA
        if (name, space.name) not in UNDEFINED
    ]


@pytest.mark.parametrize(("name", "space"), divided([SPACE, *(toy() for toy in TOYS)]))
def test_it_is_symmetric_and_goes_with_the_order_of_candidates(name: str, space: Space) -> None:
    node, choice, found = compared(name, space)
    names, kind = node.region.allowed[choice], criterion(name)[0]
    before = {key: value.clone() for key, value in node.network.state_dict().items()}
    assert found.dtype == torch.float64
    assert found.shape == (len(names), len(names))
    assert found.isfinite().all()
    torch.testing.assert_close(found, found.T, rtol=0, atol=1e-12 if name == "gradient" else 0)
    if name in DISTANCES:
        assert found.diagonal().eq(0).all()
        assert found.le(0).all()
    order = torch.randperm(len(names)).tolist()
    region = Region({**node.region.allowed, choice: tuple(names[i] for i in order)})
    again = kind.compare(replace(node, region=region), choice, range(kind.looks(node.settings)))
    torch.testing.assert_close(again, found[order][:, order], rtol=1e-9, atol=1e-9)
    assert all(torch.equal(value, before[key]) for key, value in node.network.state_dict().items())
    assert all(parameter.grad is None for parameter in node.network.parameters())


class Twins(NamedSpace):
    """Two layers, each of which has a candidate twice."""

    name = "twins"
    names = ("one", "other", "skip_connect")

    def __init__(self) -> None:
        self.choices = tuple(Choice(name, self.names) for name in ("first", "second"))

    def layout(self, size: NetworkSize, image_channels: int) -> Layout:
        layers = [(choice.name, Layer(choice.name, size.channels, size.channels)) for choice in self.choices]
        operations = dict.fromkeys(("one", "other"), OPERATIONS["nor_conv_3x3"])
        blocks = (("stem", Fixed("conv_3x3_bn", image_channels, size.channels)), *layers)
        return Layout(blocks, size.channels, operations=operations)


@pytest.mark.parametrize("name", CRITERIA)
def test_equal_candidates_are_as_alike_as_can_be_and_others_are_not(name: str) -> None:
    kind, settings = criterion(name)
    node = node_of(Twins(), settings)
    for place in places(node.network).values():
        place.get_submodule("ops.other").load_state_dict(place.get_submodule("ops.one").state_dict())
    found = kind.compare(node, "second", range(kind.looks(settings)))
    assert found[0, 1].item() == pytest.approx(1.0 if name == "gradient" else 0.0, abs=1e-12)
    assert (found[:2, 2] < found[0, 1] - 1e-6).all()


def test_outputs_are_compared_image_by_image() -> None:
    node, choice, found = compared("output", SPACE)
    gates = [node.probe(number).gates for number in range(2)]
    names = node.region.allowed[choice]
    expected = slow.by_outputs([node.logits(number) for number in range(2)], gates, choice, names)
    torch.testing.assert_close(found, expected)


def test_dimensions_are_compared_block_by_block() -> None:
    node, choice, found = compared("dimension", SPACE)
    profiles = []
    for candidate in node.region.allowed[choice]:
        each = []
        for number in range(2):
            answer, gates = node.logits(number), slow.under(node.probe(number).gates, choice, candidate)
            assert isinstance(answer, partial)
            each.append(slow.block_dimensions(node.network, answer.args[0], gates, 5))
        profiles.append([sum(column) / 2 for column in zip(*each, strict=True)])
    torch.testing.assert_close(found, slow.euclidean(profiles))


def test_local_dimensions_are_their_twin_and_near_the_true_ones() -> None:
    points = torch.randn(30, 4, dtype=torch.float64)
    points[7] = points[3]  # a point that is there twice
    points[20:] = points[19]  # and one with more copies than neighbours
    found = local_dimensions(points, 6)
    expected = [slow.local_dimension(points.tolist(), at, 6) for at in range(30)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    assert found[3] == found[25] == 0
    plane = torch.rand(2000, 2, dtype=torch.float64) @ torch.randn(2, 10, dtype=torch.float64)
    assert local_dimensions(plane, 20).median().item() == pytest.approx(2, abs=0.5)
    assert local_dimensions(points[:2], 6).eq(0).all()
    assert local_dimensions(torch.full((5, 3), float("nan")), 4).isnan().all()


def test_metrics_are_the_figures_of_networks_built_alone() -> None:
    for name, figure in (("metric", "parameters"), ("macs", "multiply_adds")):
        node, choice, found = compared(name, SPACE)
        layout = node.network.layout
        archs = [[{**node.completion(n), choice: each} for n in range(3)] for each in node.region.allowed[choice]]
        means = [[sum(getattr(cost_alone(layout, arch, IMAGE, CLASSES), figure) for arch in row) / 3] for row in archs]
        torch.testing.assert_close(found, slow.euclidean(means))


def test_gradient_norms_are_those_of_a_backward_pass() -> None:
    node, choice, found = compared("gradient-norm", SPACE)
    means = [
        [
            sum(
                slow.gradient_norm(node.network, node.probe(n).loss, {**node.completion(n), choice: each})
                for n in range(2)
            )
            / 2
        ]
        for each in node.region.allowed[choice]
    ]
    torch.testing.assert_close(found, slow.euclidean(means))


def test_nonlinearity_is_the_difference_of_mean_depths() -> None:
    node, choice, found = compared("nonlinearity", SPACE)
    archs = [[{**node.completion(n), choice: each} for n in range(2)] for each in node.region.allowed[choice]]
    means = [[sum(map(slow.convolutions_deep, row)) / 2] for row in archs]
    torch.testing.assert_close(found, slow.euclidean(means))


def test_what_has_weights_is_cut_from_what_has_none() -> None:
    kind, settings = criterion("parametric")
    names = SPACE.region.allowed["1<-0"]
    found = kind.compare(node_of(SPACE, settings), "1<-0", [0])
    groups = kind(lambda request: []).cut(found, 2)
    assert [{names[i] for i in group} for group in groups] == [
        {"none", "skip_connect", "avg_pool_3x3"}, {"nor_conv_1x1", "nor_conv_3x3"}
    ]  # fmt: skip
    few = find_space("nasbench201", ["none", "skip_connect", "nor_conv_3x3", "avg_pool_3x3"])
    three_to_one = kind.compare(node_of(few, settings), "1<-0", [0])
    assert sorted(map(len, kind(lambda request: []).cut(three_to_one, 2))) == [1, 3]
    assert not any(weighted(find_space("nasbench201", ["none", "skip_connect"]))["1<-0"].values())
    assert kind.divides(ToyMobileNet()) == kind.divides(ToyElastic()) == []
    assert kind.divides(find_space("mobilenet-ofa")) == [], "a smaller depth has weights"


def test_a_space_that_does_not_tell_how_deep_it_is_is_refused() -> None:
    kind, recipe = SPLITTERS["nonlinearity"], Recipe()
    assert kind.refuses(recipe, Twins()) is None
    assert kind.refuses(recipe, ToyElastic()) == (
        "a kind of block of toyelastic does not tell how deep it is (`Block.deepest`); use another splitter"
    )


def test_a_figure_that_is_not_defined_for_an_operation_is_named_with_the_candidate() -> None:
    with as_they_were():

        @metric("letters")
        def letters(node: ComparedNode, arch: Arch, number: int) -> float:
            if arch["first"] == "skip_connect":
                raise NotImplementedError("it has no letters")
            return len(arch["first"])

        assert not METRICS["letters"].passes
        kind, settings = SPLITTERS["metric"], SPLITTERS["metric"].settings_class(splitter="metric", metric="letters")
        with pytest.raises(
            UserError, match=r"split\.metric=letters: is not defined with skip_connect at first: it has"
        ):
            kind.compare(node_of(Twins(), settings), "first", [0])


def numbers_seen(kind: type[Pairwise], settings: Any, numbers: Sequence[int]) -> list[int]:  # noqa: ANN401
    """The numbers that are taken, in order, each before the next one is looked at."""
    seen: list[int] = []

    def taken() -> Iterable[int]:
        for number in numbers:
            seen.append(number)
            yield number

    kind.compare(node_of(Twins(), settings), "first", taken())
    return seen


@pytest.mark.parametrize("name", [name for name in DISTANCES if name == criterion(name)[1].splitter])
def test_settings_that_are_given_as_an_object_say_whose_they_are(name: str) -> None:
    kind, _ = criterion(name)
    own = {"splitter": name} if kind.settings_class is SplitSettings else {}
    given = kind.settings_class.model_validate({"splits": 1, **own})
    assert splitter_keys(given) == {"split": {"splitter": name, "splits": 1}}


@pytest.mark.parametrize("name", [name for name in CRITERIA if name != "parametric"])
def test_looks_are_taken_one_by_one(name: str) -> None:
    kind, settings = criterion(name)
    assert numbers_seen(kind, settings, range(kind.looks(settings))) == list(range(kind.looks(settings)))
