"""The space of 64 against what was published with it, and against a network written out by hand."""

from __future__ import annotations

import csv
import json
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, linear, max_pool2d

from cleave.errors import UserError
from cleave.net import Norm, build, count_parameters, one_hot
from cleave.net.cost import costs
from cleave.space import NetworkSize, Region, find_space
from cleave.space.cells64 import OPERATIONS, Cells64
from cleave.study.record.log import all_children
from tests.tiny import Ended

Capture = pytest.CaptureFixture[str]
SPACE = find_space("cells64")
LABELS = ["".join(digits) for digits in product("1234", repeat=3)]
CLASSIFIER_BIAS = 10
"""Additions of the classifier, which the published figures count among the multiply-adds."""


@pytest.fixture(scope="module")
def published(shared: Path) -> list[dict[str, str]]:
    with (shared / "data" / "deeper-insights" / "gt64.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def label(row: dict[str, str]) -> str:
    return next(value for name, value in row.items() if name.startswith("label"))


def test_every_child_has_the_published_number_of_parameters(published: list[dict[str, str]]) -> None:
    known = costs(SPACE)
    found = {name: known.of(SPACE.parse(name)).parameters for name in LABELS}
    assert found == {label(row): int(row["params"]) for row in published}
    assert (min(found.values()), max(found.values())) == (24_858, 40_602)


def test_every_child_has_the_published_multiply_adds_but_for_the_classifiers_biases(
    published: list[dict[str, str]],
) -> None:
    known = costs(SPACE)
    found = {name: known.of(SPACE.parse(name)).multiply_adds + CLASSIFIER_BIAS for name in LABELS}
    assert found == {label(row): int(row["macs"]) for row in published}


def test_children_are_in_the_published_order(published: list[dict[str, str]]) -> None:
    assert list(all_children(SPACE)) == LABELS
    assert [(int(row["index"]), label(row)) for row in published] == list(enumerate(LABELS))


def test_the_index_is_the_digits_in_base_four() -> None:
    for index, name in enumerate(all_children(SPACE)):
        first, second, third = (int(digit) for digit in name)
        assert index == 16 * (first - 1) + 4 * (second - 1) + (third - 1)


def test_a_built_child_has_as_many_parameters_as_is_said_and_the_supernet_58_074() -> None:
    layout = SPACE.layout(SPACE.paper_size, 3)
    arch = SPACE.sample(SPACE.region, torch.Generator().manual_seed(int(torch.randint(10**6, ()))))
    child = build(layout, Region.of(arch), classes=10, seed=0, norm=Norm(affine=False, running=True))
    assert count_parameters(child) == costs(SPACE).of(arch).parameters
    supernet = build(layout, SPACE.region, classes=10, seed=0, norm=Norm(affine=False, running=True))
    assert count_parameters(supernet) == 58_074


def operation(x: Tensor, name: str, weights: dict[str, Tensor]) -> Tensor:
    """One of the four, from its definition; `weights` by the rest of their names."""
    if name == "max_pool_3x3":
        return normalise(max_pool2d(x, 3, 1, 1))
    kernel, dilation, twice = {"sep_conv_3x3": (3, 1, 2), "sep_conv_5x5": (5, 1, 2), "dil_conv_5x5": (5, 2, 1)}[name]
    for number in range(twice):
        x = conv2d(
            x.relu(), weights[f"{4 * number + 1}.weight"], padding=dilation * (kernel // 2), dilation=dilation,
            groups=x.shape[1],
        )  # fmt: skip
        x = normalise(conv2d(x, weights[f"{4 * number + 2}.weight"]))
    return x


def normalise(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    return batch_norm(x, None, None, weight, bias, training=True)


def by_hand(images: Tensor, arch: dict[str, str], weights: dict[str, Tensor], cells: int) -> Tensor:
    """Logits of a child as the paper and the released code describe it."""

    def below(start: str) -> dict[str, Tensor]:
        return {name[len(start) :]: value for name, value in weights.items() if name.startswith(start)}

    x = images
    for stem in (below("blocks.stem0.op."), below("blocks.stem1.op.")):
        x = normalise(conv2d(x, stem["0.weight"], padding=1), stem["1.weight"], stem["1.bias"])
    for number in range(cells):
        cell = f"blocks.cell{number}"
        x0 = normalise(conv2d(x.relu(), weights[f"{cell}.preprocess.0.1.weight"]))

        def edge(source: Tensor, choice: str, place: str, cell: str = cell) -> Tensor:
            return operation(source, arch[choice], below(f"{cell}.edges.{place}.ops.{arch[choice]}."))

        x1 = edge(x0, "O01", "1<-0")
        x2 = edge(x0, "O02", "2<-0") + edge(x1, "O12", "2<-1")
        x = torch.cat([x1, x2], dim=1)
    return linear(x.mean(dim=(2, 3)), weights["classifier.weight"], weights["classifier.bias"])


def test_every_child_computes_what_the_network_written_out_by_hand_computes() -> None:
    size = NetworkSize(channels=3, cells=2)
    norm = Norm(affine=False, running=True)
    network = build(SPACE.layout(size, 3), SPACE.region, 4, int(torch.randint(10**6, ())), norm).double()
    images = torch.randn(5, 3, 7, 7, dtype=torch.float64)
    with torch.no_grad():
        for name in LABELS:
            arch = SPACE.parse(name)
            expected = by_hand(images, dict(arch), network.state_dict(), size.cells)
            torch.testing.assert_close(network(images, one_hot(arch)), expected, rtol=1e-9, atol=1e-9)


def test_what_is_read_is_written_again() -> None:
    for name in LABELS:
        assert SPACE.format(SPACE.parse(name)) == name
    assert SPACE.parse("124") == {"O01": "max_pool_3x3", "O02": "sep_conv_3x3", "O12": "dil_conv_5x5"}


def test_some_of_the_operations_make_a_space_whose_children_keep_their_names() -> None:
    space = Cells64(["dil_conv_5x5", "sep_conv_3x3"])
    assert list(all_children(space)) == ["222", "224", "242", "244", "422", "424", "442", "444"]
    with pytest.raises(UserError, match="'212', edge O02: unknown 'max_pool_3x3'"):
        space.parse("212")


@pytest.mark.parametrize("text", ["", "11", "1111", "501", "abc", "1 1", "-11"])
def test_what_is_no_architecture_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="write 3 digits from 1 to 4"):
        SPACE.parse(text)


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        (["max_pool_3x3"], "two or more"),
        (["max_pool_3x3", "max_pool_3x3"], "two or more different"),
        (["max_pool_3x3", "sep_conv_3x4"], "did you mean 'sep_conv_3x3'"),
        (3, "unknown '3'"),
    ],
)
def test_operations_that_make_no_space_are_refused(operations: list[str] | int, words: str) -> None:
    with pytest.raises(UserError, match=f"^space.ops: .*{words}"):
        find_space("cells64", operations)


@pytest.mark.parametrize("name", ["cells64", "64cells", "Cells-64"])
def test_the_command_line_knows_the_space(name: str, capsys: Capture) -> None:
    told = json.loads(Ended(["space", name, "--json"], capsys).out)
    assert (told["name"], told["size"], told["supernet_parameters"]) == ("cells64", 64, 58_074)
    assert [choice["name"] for choice in told["choices"]] == ["O01", "O02", "O12"]
    assert all(choice["candidates"] == list(OPERATIONS) for choice in told["choices"])
