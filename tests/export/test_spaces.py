"""Networks of every space in every format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cleave.errors import UserError
from cleave.export.deployed import check_alone
from cleave.export.formats import FORMATS
from cleave.export.onnx_file import FILE
from cleave.space import find_space
from cleave.space.timm_networks import TimmSettings
from tests.elastic import ToyElastic
from tests.export.made import check, chosen, handed
from tests.registries import as_they_were
from tests.toys import TOYS, toys_known

CHAIN = Path(__file__).parents[2] / "docs" / "examples" / "chain.py"
SPACES = (
    "nasbench201", "darts", "cells64", "mobilenet-proxyless", "mobilenet-ofa", f"{CHAIN}:Chain",
    *(toy.name for toy in TOYS if toy is not ToyElastic),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    with as_they_were(), toys_known():
        yield


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.rpartition("/")[2])
def test_a_network_of_every_space_is_written_in_every_format(space: str, name: str, tmp_path: Path) -> None:
    check(name, handed(find_space(space)), tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_network_of_timms_is_written_in_every_format(name: str, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    check(name, handed(find_space(TimmSettings(network="test_efficientnet"))), tmp_path)


def test_a_space_that_always_normalises_by_the_batch_is_named() -> None:
    check_alone(chosen(find_space("nasbench201")), "space nasbench201")
    with pytest.raises(UserError, match="space toyelastic: its networks normalise by the batch in use too"):
        check_alone(chosen(find_space("toyelastic")), "space toyelastic")


def test_the_opset_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    check("onnx", replace(handed(find_space("nasbench201")), opset=21), tmp_path)
    assert [each.version for each in onnx.load(tmp_path / FILE).opset_import if each.domain == ""] == [21]
