"""Whole networks of timm's, as operations."""

from __future__ import annotations

from functools import partial

import pytest
import timm
import torch
from torch import nn

from cleave.costing import cost_of
from cleave.errors import UserError
from cleave.net import build_alone, one_hot
from cleave.net.cost import counted
from cleave.net.count import MultiplyAdds
from cleave.ops import timm_body
from cleave.ops.timm_body import SCALED, TimmBody, features_of, make_network
from cleave.space import find_space


def test_costs_are_the_published_ones() -> None:
    """torchvision's table: 11,689,512 parameters and 1.814 G multiply-adds; timm's: 5.48 M and .22 G."""
    found = cost_of("timm:resnet18", None, [])
    assert (found["params"], found["macs"]) == (11_689_512, 1_814_073_344)
    found = cost_of("timm:mobilenetv3_large_100", None, [])
    assert (found["params"], found["macs"]) == (5_483_032, 216_589_760)


def test_attention_counts() -> None:
    """Each of the tokens is multiplied with each: twice, in every block."""
    space = find_space("timm")
    size = space.settings_class(name="timm", network="test_vit")
    network = build_alone(space.layout(size, 3), {}, 10, seed=0, device="meta")
    run = partial(network, torch.zeros(1, 3, 160, 160, device="meta"), one_hot({}))
    layers = MultiplyAdds()
    with layers:
        run()
    body = timm.create_model("test_vit")
    tokens, width = body.pos_embed.shape[1:]
    assert counted(network, run) - layers.total == len(body.blocks) * 2 * tokens**2 * width


def test_small_images_are_enlarged_within_and_large_ones_are_not() -> None:
    seen = list[torch.Size]()

    class Looking(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.shape)
            return x.mean(dim=(2, 3))

    for side, only in ((64, False), (64, True)):
        body = TimmBody(Looking(), side, only)
        for given in (28, 64, 96):
            assert body(torch.rand(2, 3, given, given)).shape == (2, 3, 1, 1)
    assert [size[-1] for size in seen] == [64, 64, 96, 64, 64, 64]
    flat = torch.full((1, 1, 20, 20), 0.3)
    assert torch.allclose(TimmBody(Looking(), 64, False).sized(flat), torch.tensor(0.3))


@pytest.mark.parametrize("name", ["mobilenetv3_large_075", "mobilenetv3_small_075", *SCALED])
def test_a_scaled_network_is_that_which_timm_names(name: str) -> None:
    """Where timm has a name for the factor."""
    plain, factor = name[:-3] + "100", int(name[-3:]) / 100
    known = timm.create_model(name, num_classes=0).state_dict()
    assert {key: each.shape for key, each in make_network(plain, factor, 3).state_dict().items()} == {
        key: each.shape for key, each in known.items()
    }


def test_a_network_that_draws_in_training_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is resumed could not go on as it would have."""
    dropping = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1))
    monkeypatch.setattr(timm_body, "make_network", lambda *_: dropping)
    before = torch.get_rng_state()
    with pytest.raises(UserError, match=r"space\.network=test_resnet: drops something at random"):
        features_of("test_resnet", 1.0, 33, 3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "width", "said"),
    [
        ("resnet19", 1.0, "space.network: timm has no network 'resnet19'; did you mean 'resnet18'?"),
        ("resnet18", 0.5, "space.width=0.5: is a factor for mobilenetv3_large_100 and mobilenetv3_small_100 alone"),
    ],
)
def test_what_there_is_not_is_refused(name: str, width: float, said: str) -> None:
    with pytest.raises(UserError) as caught:
        cost_of(f"timm:{name}", None, [f"width={width}"])
    assert said in str(caught.value)
