"""How many convolutions lie one behind the other on the deepest way through a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cleave.net.count import MultiplyAdds
from cleave.net.gates import only_live
from cleave.net.network import Network
from cleave.net.place import places
from cleave.net.units import Image
from cleave.space import Arch

aten = torch.ops.aten
LAYERS = {aten.convolution, aten.addmm, aten.baddbmm, aten.bmm, aten.linear, aten.mm}
"""What a convolution or a linear layer comes to."""
CONSTANT = {
    aten.new_empty, aten.new_full, aten.new_ones, aten.new_zeros, aten.empty_like, aten.full_like, aten.ones_like,
    aten.zeros_like,
}  # fmt: skip
"""What takes only the form of what it is given."""


def convolutions_deep(network: Network, arch: Arch, image: Image) -> int:
    """The convolutions of what is searched on the deepest way of an architecture; 0 where none leads to the output.

    (Oh et al., AAAI 2025, arXiv 2412.14678.) The network is on torch's meta device. NotImplementedError, which tells
    why, where an operation needs values.
    """
    images = torch.zeros(2, *image, device="meta")
    searched = [weight for place in places(network).values() for weight in place.parameters()]
    with torch.no_grad(), Followed(images, searched) as followed, MultiplyAdds():  # which runs less on that device
        try:
            output = network(images, only_live(network.layout, arch))
        except RuntimeError as error:  # NotImplementedError is one
            raise NotImplementedError(str(error).partition("\n")[0]) from error
    return int(followed.depths.get(id(output), 0))


class Followed(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own hook is untyped
    """Follows what becomes of images and of some weights while it is entered.

    `depths`: by the identity of a tensor that images have gone into, the most layers with these weights on a way to it.
    """

    def __init__(self, images: Tensor, weights: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: list[Any] = [images, *weights]  # identities of what is gone would be given to others
        self.depths, self.made_of_weights = {id(images): 0}, {id(each) for each in self.kept[1:]}

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        output = func(*args, **(kwargs or {}))
        if func.overloadpacket not in CONSTANT:
            given = [id(each) for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
            self._follow(given, [each for each in tree_leaves(output) if isinstance(each, Tensor)], func.overloadpacket)
        self.kept.append(output)
        return output

    def _follow(self, given: list[int], made: list[Tensor], what: Callable[..., Any]) -> None:
        behind = [self.depths[each] for each in given if each in self.depths]
        weights = any(each in self.made_of_weights for each in given)
        if behind:
            depth = max(behind) + (weights and what in LAYERS)
            self.depths |= {id(each): depth for each in made}
        elif weights:
            self.made_of_weights |= {id(each) for each in made}
