"""Networks of cleave's as timm has its own, for whatever is built on timm. Needs the extra `train`.

Importing this registers the published networks, so that `timm.create_model("cleave_mobilenet_proxyless_gm")` makes one.
Weights have the names that they have in a training's run folder, `leaves/network/weights.safetensors`, which
`create_model(..., checkpoint_path=...)` takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from cleave.config import checked
from cleave.errors import UserError
from cleave.extras import need_extra
from cleave.net import build, one_hot
from cleave.net.place import History
from cleave.ops.mobile import Residual
from cleave.retrain.recipes import arch_of, recipe_of
from cleave.retrain.result import trained_network
from cleave.retrain.settings import RetrainRecipe
from cleave.run.origin import TRAIN, read_origin
from cleave.space import Arch, Region, Space, find_space
from cleave.space.mobilenet import MobileNetProxyless

need_extra("train")

from timm.layers import DropPath  # noqa: E402  after the word on what is missing
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model  # noqa: E402

__all__ = ["TimmNetwork"]

SIDE = 256
"""Pixels of the image by which sizes of features are found out."""
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
PUBLISHED = {
    "cleave_mobilenet_proxyless_gm": (
        "proxyless",
        "7x7_e6 5x5_e6 5x5_e6 5x5_e6 7x7_e6 5x5_e6 3x3_e6 5x5_e6 7x7_e6 3x3_e6 5x5_e6 3x3_e6 5x5_e6 3x3_e6 3x3_e6 "
        "3x3_e6 7x7_e6 7x7_e6 7x7_e6 7x7_e6 3x3_e6",
    ),
    "cleave_mobilenet_proxyless_gpu": (
        "proxyless-gpu",
        "5x5_e3 zero zero zero 7x7_e3 zero zero 3x3_e3 7x7_e6 zero zero 5x5_e3 5x5_e6 zero 3x3_e3 5x5_e3 7x7_e6 7x7_e6 "
        "7x7_e6 5x5_e6 7x7_e6",
    ),
}
"""Backbone and architecture of GM-Proxyless (GM-NAS, Table 5) and ProxylessNAS-GPU (Cai et al., 2019)."""


class TimmNetwork(nn.Module):
    """The network of one architecture with timm's interface. It takes normalised images, as timm's networks do.

    `size`: what the space's `layout` takes. `drop_rate`: of the pooled channels. `drop_path_rate`: of the last residual
    block's branch, rising from 0 at the first block. `global_pool`: avg, or "" for features as they are, without a
    classifier. `inherits`: as of what goes on with a supernet's weights. ValueError for what cannot be had.
    """

    def __init__(
        self,
        space: Space,
        size: object,
        arch: Arch,
        num_classes: int = 1000,
        in_chans: int = 3,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        global_pool: str = "avg",
        inherits: bool = False,
    ) -> None:
        super().__init__()
        usual = space.layout(size, in_chans)
        layout, region = replace(usual.inheriting if inherits else usual, auxiliary=None), Region.of(arch)
        norm, seed = replace(layout.norm, running=True), int(torch.randint(2**62, ()))
        network = build(layout, region, max(1, num_classes), seed, norm)
        self.blocks, self.head = network.blocks, network.head
        self.classifier: nn.Module = network.classifier if num_classes else nn.Identity()
        self.gates = one_hot(arch)
        self.in_chans, self.drop_rate = in_chans, drop_rate
        self.num_features = self.head_hidden_size = layout.classified
        with torch.no_grad():
            self.feature_info = feature_info(build(layout, region, 1, 0, norm, "meta").blocks, in_chans, self.gates)
        check_pool(num_classes, global_pool)
        self.num_classes, self.global_pool = num_classes, global_pool
        drop_paths(self.blocks, drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [n, num_classes] of normalised images [n, channels, height, width]."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """What the last block gives, [n, channels, height, width]."""
        return self._through(x)[0]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits of such features, or what the classifier is given."""
        if self.global_pool == "":
            return x
        pooled = x.mean(dim=(2, 3))
        if len(self.head):
            pooled = self.head(pooled[:, :, None, None]).flatten(1)
        pooled = dropout(pooled, self.drop_rate, self.training)
        logits: Tensor = pooled if pre_logits else self.classifier(pooled)
        return logits

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Features in front of each halving (`feature_info`), those at `indices` or the last so many; and the last.

        `norm` has nothing to do here; `stop_early` leaves out what follows the last of them.
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt={output_fmt}: features are NCHW")
        names = [each["module"].removeprefix("blocks.") for each in self.feature_info]
        chosen = range(len(names))[-indices:] if isinstance(indices, int) else indices or range(len(names))
        wanted = [names[index] for index in chosen]
        last, seen = self._through(x, wanted, stop_early or intermediates_only)
        found = [seen[name] for name in wanted]
        return found if intermediates_only else (last, found)

    def _through(self, x: Tensor, wanted: Sequence[str] = (), stop: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
        """The last output, and those of the wanted blocks; `stop`: no more is run than these need."""
        history, seen = [x.contiguous(memory_format=torch.channels_last)], dict[str, Tensor]()
        for name, block in self.blocks.items():
            history = block(history, self.gates)
            if name in wanted:
                seen[name] = history[-1]
            if stop and len(seen) == len(wanted):
                break
        return history[-1], seen

    def get_classifier(self) -> nn.Module:
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A new classifier for so many classes; 0: none, so that the network gives the pooled features."""
        pool = self.global_pool if global_pool is None else global_pool
        check_pool(num_classes, pool)
        self.num_classes, self.global_pool = num_classes, pool
        like = next(self.blocks.parameters())
        made = nn.Linear(self.num_features, num_classes, device=like.device, dtype=like.dtype) if num_classes else None
        self.classifier = made or nn.Identity()


def check_pool(num_classes: int, pool: str) -> None:
    """ValueError for a pooling that there is not, or one that leaves nothing to classify."""
    if pool not in ("avg", "") or (pool == "" and num_classes):
        raise ValueError(f"global_pool={pool!r}: give 'avg', or '' together with num_classes=0")


def feature_info(blocks: nn.ModuleDict, in_chans: int, gates: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """The last block in front of each halving of the image: its channels, by what the image was reduced, its name."""
    history: History = [torch.zeros(1, in_chans, SIDE, SIDE, device="meta")]
    found: dict[int, dict[str, Any]] = {}
    for name, block in blocks.items():
        history = block(history, gates)
        reduction = SIDE // history[-1].shape[-1]
        found[reduction] = {"num_chs": history[-1].shape[1], "reduction": reduction, "module": f"blocks.{name}"}
    return list(found.values())


def drop_paths(blocks: nn.ModuleDict, rate: float) -> None:
    """Has residual blocks drop their branch for some images in training; ValueError where there are none."""
    if not rate:
        return
    bodies = [each.body for each in blocks.modules() if isinstance(each, Residual) and each.shortcut]
    if not bodies:
        raise ValueError(f"drop_path_rate={rate}: there is no residual block whose branch could be dropped")
    for number, body in enumerate(bodies, start=1):
        body.append(DropPath(rate * number / len(bodies)))


def of_architecture(text: str, space: Mapping[str, Any], classes: int, options: Mapping[str, Any]) -> TimmNetwork:
    """That of an architecture as its space writes it, with new weights; a space of which a name alone is said has its
    published size."""
    asked = checked(RetrainRecipe, {"arch": text, "space": dict(space)}).space
    found = find_space(asked)
    size = found.paper_size if space.keys() == {"name"} else asked.size
    network = TimmNetwork(found, size, arch_of(found, text), classes, **options)
    return configured(network, IMAGENET, found.paper_image_size)


def of_training(run: Path, num_classes: int | None, options: Mapping[str, Any]) -> TimmNetwork:
    """The network of a finished training, with its weights; other than its classes get a new classifier."""
    origin, weights = read_origin(run, TRAIN), trained_network(run).network.state_dict()
    recipe, told = recipe_of(origin), origin.environment
    space, classes = find_space(recipe.space), len(told["classes"])
    if options.get("in_chans", len(told["mean"])) != len(told["mean"]):
        raise UserError(f"in_chans={options['in_chans']}: {run} was trained on images of {len(told['mean'])} channels")
    own = {"in_chans": len(told["mean"]), "inherits": recipe.begin.inherits}
    network = TimmNetwork(space, recipe.space.size, space.parse(recipe.arch), classes, **{**options, **own})
    network.load_state_dict(weights)
    if num_classes not in (None, classes):
        network.reset_classifier(num_classes or 0)
    return configured(network, {key: tuple(told[key]) for key in IMAGENET}, told["size"])


def configured(network: TimmNetwork, statistics: Mapping[str, Any], side: int) -> TimmNetwork:
    """With what timm wants to know of a network."""
    network.pretrained_cfg = network.default_cfg = {  # type: ignore[assignment]
        "architecture": "cleave",
        **config(network.in_chans, side, network.num_classes),
        **statistics,
    }
    return network


def config(in_chans: int = 3, side: int = 224, classes: int = 1000) -> dict[str, Any]:
    """What timm says of a network's images and ends."""
    return {
        "url": "",
        "num_classes": classes,
        "input_size": (in_chans, side, side),
        "pool_size": (side // 32, side // 32),
        "crop_pct": 0.875,
        "interpolation": "bicubic",
        "first_conv": "blocks.stem.op.0",
        "classifier": "classifier",
        **IMAGENET,
    }


default_cfgs = generate_default_cfgs({name: config() for name in PUBLISHED})
"""Where timm looks for them."""


def published(name: str, pretrained: bool, **options: Any) -> nn.Module:  # noqa: ANN401
    """A published network as timm makes one; there are no weights of it."""
    backbone, text = PUBLISHED[name]
    space = MobileNetProxyless()
    size = space.paper_size.model_copy(update={"backbone": backbone})

    def make(**kwargs: Any) -> TimmNetwork:  # noqa: ANN401
        return TimmNetwork(space, size, space.parse(text), **kwargs)

    made: nn.Module = build_model_with_cfg(make, name, pretrained, feature_cfg={"feature_cls": "getter"}, **options)
    return made


@register_model  # type: ignore[untyped-decorator]
def cleave_mobilenet_proxyless_gm(pretrained: bool = False, **options: Any) -> nn.Module:  # noqa: ANN401
    """GM-Proxyless: 4,895,208 parameters, 529,670,912 multiply-adds at 224 pixels."""
    return published("cleave_mobilenet_proxyless_gm", pretrained, **options)


@register_model  # type: ignore[untyped-decorator]
def cleave_mobilenet_proxyless_gpu(pretrained: bool = False, **options: Any) -> nn.Module:  # noqa: ANN401
    """ProxylessNAS-GPU: 7,119,848 parameters, 465,260,160 multiply-adds at 224 pixels."""
    return published("cleave_mobilenet_proxyless_gpu", pretrained, **options)
