"""Networks as text: layers, operations, and what cannot be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cleave.errors import UserError
from cleave.export.plain.graph import program_of
from cleave.export.plain.layers import in_sequence, is_layer, written
from cleave.export.plain.text import text_of

LAYERS = [
    nn.Conv2d(4, 6, 3, padding=1, bias=False), nn.Conv2d(4, 6, (3, 5), (2, 1), (1, 2), groups=2),
    nn.Conv2d(4, 4, 3, padding="same", dilation=2, groups=4, padding_mode="reflect"), nn.BatchNorm2d(4, eps=1e-3),
    nn.BatchNorm2d(4, affine=False), nn.Linear(8, 3), nn.Linear(8, 3, bias=False), nn.ReLU(inplace=True), nn.ReLU6(),
    nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.AvgPool2d(2, ceil_mode=True), nn.MaxPool2d(3, 1, 1),
    nn.Hardswish(), nn.GELU(approximate="tanh"), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.AdaptiveAvgPool2d(1),
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_layer_is_made_again_by_its_text(layer: nn.Module) -> None:
    made = eval(written(layer), {"nn": nn})
    assert repr(made) == repr(layer)
    assert {name: value.shape for name, value in made.state_dict().items()} == {
        name: value.shape for name, value in layer.state_dict().items()
    }
    assert {key: value for key, value in vars(made).items() if not key.startswith("_")} == {
        key: value for key, value in vars(layer).items() if not key.startswith("_")
    }


def test_only_layers_of_torch_itself_are_written_as_such() -> None:
    class Other(nn.ReLU):
        pass

    assert is_layer(nn.ReLU())
    assert not is_layer(Other())
    assert not is_layer(nn.Sequential(nn.ReLU()))
    assert in_sequence([nn.ReLU(), nn.Tanh()]) == ["nn.Sequential(nn.ReLU(), nn.Tanh())"]
    assert len(in_sequence([nn.Conv2d(128, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU()])) == 5


class Everything(nn.Module):
    """Branches, slices, sums in place and not, a layer that is called twice, parameters and buffers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.twice = nn.Conv2d(4, 4, 1)
        self.scale = nn.Parameter(torch.rand(4, 1, 1))
        self.register_buffer("shift", torch.rand(4, 1, 1))
        self.train_ = nn.Conv2d(4, 4, 3, stride=2)
        self.last = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        x = self.first(images)
        y = self.twice(self.twice(x)) * self.scale + self.get_buffer("shift")
        y += x[:, :, :, 1:2] - 0.5
        kept = y.clone()
        y.add_(1)  # `kept` is as it was
        z = torch.cat([y.tanh(), kept.sigmoid()], dim=1)
        padded = functional.pad(self.train_(y), (0, 1, 0, 1))
        small = functional.hardsigmoid(padded).mean(dim=(2, 3))
        parts = z.mean(dim=(2, 3)).chunk(2, dim=1)
        logits: Tensor = self.last(torch.cat([small, parts[0] * parts[1]], dim=1))
        return logits.view(images.shape[0], -1)


def run(text: Any, network: nn.Module) -> Any:  # noqa: ANN401
    """What the lines say, as a module."""
    body = "\n".join(f"    {line}" for line in text.forward)
    made = "\n".join(f"    {line}" for line in text.init)
    names = {"nn": nn, "torch": torch, "functional": functional}
    exec(f"def init(self):\n{made}\ndef forward(self, x):\n{body}\n    return {text.output}", names)
    module = nn.Module()
    names["init"](module)  # type: ignore[operator]
    module.load_state_dict(text.weights)
    return lambda x: names["forward"](module.eval(), x)  # type: ignore[operator]


def test_the_text_of_a_network_computes_what_the_network_does() -> None:
    network = Everything().eval().requires_grad_(False)
    text = text_of(program_of(network, (3, 9, 9)), network)
    again = run(text, network)
    for count in (1, 5):
        images = torch.randn(count, 3, 9, 9)
        torch.testing.assert_close(again(images), network(images), rtol=1e-5, atol=1e-6)
    lines = "\n".join(text.forward)
    assert "self.first(x)" in lines
    assert lines.count("self.twice") == 2
    assert sum("nn.BatchNorm2d(4)" in line for line in text.init) == 1


def test_an_operation_that_is_not_torchs_is_refused(tmp_path: Path) -> None:
    @torch.library.custom_op("cleave_test::own", mutates_args=())
    def own(x: Tensor) -> Tensor:
        return x + 1

    own.register_fake(lambda x: torch.empty_like(x))

    class Own(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            found: Tensor = own(images).mean(dim=(2, 3))
            return found

    network = Own()
    with pytest.raises(UserError, match="--format plain: cleave_test::own is no operation of torch"):
        text_of(program_of(network, (3, 4, 4)), network)
