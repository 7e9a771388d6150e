"""Networks of timm's with weights and statistics that no training would give, and files of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cleave.pretrained.mobilenetv3 import NAME


def network(classes: int = 10, stem: str = "imagenet") -> nn.Module:
    """timm's network in evaluation mode, all of it random; "cifar": with the strides of that stem."""
    import timm

    made: nn.Module = timm.create_model(NAME, num_classes=classes)
    for norm in (each for each in made.modules() if isinstance(each, nn.BatchNorm2d)):
        for tensor, low, high in ((norm.weight, -1.5, 1.5), (norm.bias, -0.5, 0.5), (norm.running_mean, -0.5, 0.5)):
            nn.init.uniform_(tensor, low, high)
        nn.init.uniform_(norm.running_var, 0.3, 2)
    if stem == "cifar":
        made.get_submodule("conv_stem").stride = made.get_submodule("blocks.1.0.conv_dw").stride = (1, 1)
    return made.eval()


def write(path: Path, state: dict[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    """A file of weights, by its ending."""
    if path.suffix == ".safetensors":
        save_file(state, path, metadata)
    else:
        torch.save(state, path)
    return path


def hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, Tensor]], Path]:
    """Empty caches of weights in place of the user's; what is returned puts weights under a name of timm's."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(folder))
    monkeypatch.setattr("torch.hub._hub_dir", str(folder / "torch"))

    def place(name: str, state: dict[str, Tensor]) -> Path:
        of = folder / "hub" / f"models--timm--{name}"
        (of / "refs").mkdir(parents=True)
        (of / "refs" / "main").write_text("0" * 40)
        (of / "snapshots" / ("0" * 40)).mkdir(parents=True)
        return write(of / "snapshots" / ("0" * 40) / "model.safetensors", state)

    return place
