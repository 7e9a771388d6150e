"""Networks with timm's interface: the published ones, those of trainings, and what timm does with them."""

from __future__ import annotations

import pytest
import torch

import cleave
from cleave.errors import UserError
from cleave.net import count_parameters
from tests.retrain.mobile import ARCH, SIZES, tree

timm = pytest.importorskip("timm", reason="timm is not installed")

from cleave import timm_models  # noqa: E402  needs timm
from tests.space.test_mobilenet import GM, GPU  # noqa: E402

NAMES = {"cleave_mobilenet_proxyless_gm": 4_895_208, "cleave_mobilenet_proxyless_gpu": 7_119_848}
MIXED = " ".join(["3x3_e3", *["zero", "5x5_e3", "3x3_e3"], *(["3x3_e3"] * 17)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> cleave.TrainResult:
    folder = tmp_path_factory.mktemp("trained")
    settings = {**SIZES, "training.epochs": 1}
    return cleave.train(
        MIXED, recipe="proxyless-imagenet", data=tree(folder / "images"), out=folder / "run", settings=settings
    )


@pytest.mark.parametrize("name", NAMES)
def test_published_networks_are_made_by_name(name: str) -> None:
    made = timm.create_model(name)
    assert count_parameters(made) == NAMES[name]
    assert made.default_cfg["input_size"] == (3, 224, 224)
    assert [each["reduction"] for each in made.feature_info] == [2, 4, 8, 16, 32]
    assert {timm_models.PUBLISHED[each][1] for each in NAMES} == {GM, GPU}
    with pytest.raises(RuntimeError, match="No pretrained weights exist"):
        timm.create_model(name, pretrained=True)


def test_a_training_gives_the_network_that_it_gives(trained: cleave.TrainResult) -> None:
    images = torch.rand(4, 3, 32, 32)
    network, made = trained.network(), cleave.timm_model(trained).eval()
    mean, std = (torch.tensor(made.pretrained_cfg[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    normalised = (images - mean) / std
    with torch.no_grad():
        torch.testing.assert_close(made(normalised), network(images), rtol=0, atol=1e-5)
        torch.testing.assert_close(made.forward_head(made.forward_features(normalised)), made(normalised))
        assert torch.equal(cleave.timm_model(trained.run, num_classes=7).eval().forward_features(normalised),
                           made.forward_features(normalised))  # fmt: skip
    assert made.num_classes == 3
    assert made.pretrained_cfg["input_size"] == (3, 32, 32)


def test_its_weights_are_those_of_the_run_folder_by_name(trained: cleave.TrainResult) -> None:
    made = cleave.timm_model(MIXED, settings={"width": 0.25, "stem": "cifar"}, num_classes=3)
    timm.models.load_checkpoint(made, str(trained.run / "leaves" / "network" / "weights.safetensors"))
    for name, tensor in cleave.timm_model(trained).state_dict().items():
        assert torch.equal(tensor, made.state_dict()[name])


def test_it_is_fine_tuned_as_timms_are() -> None:
    made = cleave.timm_model(ARCH, settings={"width": 0.25}, num_classes=5, drop_rate=0.3, drop_path_rate=0.4)
    x = torch.rand(3, 3, 32, 32)
    plain = cleave.timm_model(ARCH, settings={"width": 0.25}, num_classes=5)
    plain.load_state_dict(made.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(made.eval()(x), plain.eval()(x), rtol=0, atol=1e-6)
        assert not torch.equal(made.train()(x), made(x)), "nothing was dropped"
    made.reset_classifier(2)
    assert made(x).shape == (3, 2)
    assert made.get_classifier().out_features == made.num_classes == 2
    made.reset_classifier(0)
    assert made(x).shape == (3, made.num_features)
    made.reset_classifier(0, "")
    assert made(x).shape == (3, made.num_features, 4, 4)
    with pytest.raises(ValueError, match="global_pool=''"):
        made.reset_classifier(4)
    last, (first, _) = made.forward_intermediates(x, indices=[0, 2])
    assert torch.equal(last.isfinite(), torch.ones_like(last, dtype=torch.bool))
    assert first.shape[1] == made.feature_info[0]["num_chs"]


def test_features_alone_are_those_in_front_of_each_halving() -> None:
    made = timm.create_model("cleave_mobilenet_proxyless_gm", features_only=True, out_indices=(1, 3))
    found = made(torch.rand(2, 3, 32, 32))
    assert [each.shape for each in found] == [(2, 24, 8, 8), (2, 96, 2, 2)]
    assert made.feature_info.channels() == [24, 96]


def test_what_is_no_network_is_a_line() -> None:
    with pytest.raises(UserError, match="has 2 operations, not one for each of 21 blocks"):
        cleave.timm_model("3x3_e3 zero")
    with pytest.raises(UserError, match=r"space\.widht: unknown key; did you mean space\.width"):
        cleave.timm_model(ARCH, settings={"widht": 1.0})
    with pytest.raises(ValueError, match=r"drop_path_rate=0\.1: there is no residual block"):
        cleave.timm_model(
            "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|", space="nasbench201", drop_path_rate=0.1
        )
