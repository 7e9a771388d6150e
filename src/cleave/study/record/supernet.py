"""Networks that share: the same Parameter objects and the same buffers, where a policy says so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from cleave.net import Gates, Network, Norm, build, one_hot
from cleave.space import Arch, Layout, Region, Space
from cleave.study.record.sharing import Shared, tensor_names
from cleave.train import Child


def region_of(space: Space, children: Sequence[Arch]) -> Region:
    """The smallest box that holds the children."""
    used = {(choice, name) for arch in children for choice, name in arch.items()}
    kept = {
        choice.name: tuple(name for name in choice.candidates if (choice.name, name) in used)
        for choice in space.choices
    }
    return Region({choice: names for choice, names in kept.items() if names})


def tie(network: nn.Module, name: str, tensor: Tensor) -> None:
    """Puts a tensor in the place of the one of that name."""
    path, _, last = name.rpartition(".")
    module = network.get_submodule(path)
    if isinstance(tensor, nn.Parameter):
        setattr(module, last, tensor)
    else:
        module.register_buffer(last, tensor)


@dataclass(frozen=True)
class Blueprint:
    """What all networks of a supernet have in common."""

    layout: Layout
    classes: int
    norm: Norm
    device: str = "cpu"

    def network(self, region: Region, seed: int = 0) -> Network:
        """A network of its own for a region."""
        return build(self.layout, region, self.classes, seed, self.norm, self.device)


class Supernet:
    """One network for every child; all the same one where everything is shared.

    At the beginning all that has the same name has the same value, also in other supernets of this seed. A child's own
    network holds what it uses, no more.
    """

    def __init__(
        self, space: Space, blueprint: Blueprint, children: Sequence[Arch], seed: int, shared: Shared | None
    ) -> None:
        self.blueprint, self.children = blueprint, children
        self.gates: list[Gates] = [one_hot(arch) for arch in children]
        self.common = blueprint.network(region_of(space, children))
        whole = blueprint.network(space.region, seed).state_dict()
        self.common.load_state_dict({name: whole[name] for name in self.common.state_dict()})
        if shared is None:
            self.networks = [self.common] * len(children)
        else:
            together = {name for name, full in tensor_names(self.common).items() if shared(full)}
            self.networks = [self._own(arch, together) for arch in children]

    def _own(self, arch: Arch, together: Collection[str]) -> Network:
        network, values = self.blueprint.network(Region.of(arch)), self.common.state_dict(keep_vars=True)
        for name in network.state_dict():
            value = values[name]
            if name in together:
                tie(network, name, value)
            else:
                own = value.detach().clone()
                tie(network, name, nn.Parameter(own) if isinstance(value, nn.Parameter) else own)
        return network

    @cached_property
    def members(self) -> list[Child]:
        """Each child with the network that it runs in."""
        return [Child(network, gates) for network, gates in zip(self.networks, self.gates, strict=True)]

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor once, by the first network that has it."""
        found: dict[int, tuple[str, Tensor]] = {}
        for number, network in enumerate(self.networks):
            for name, tensor in network.state_dict(keep_vars=True).items():
                found.setdefault(id(tensor), (f"{number}.{name}", tensor))
        return dict(found.values())

    def parameters(self) -> dict[str, nn.Parameter]:
        return {name: tensor for name, tensor in self.tensors().items() if isinstance(tensor, nn.Parameter)}

    def state(self) -> dict[str, Tensor]:
        """All values, by name."""
        return {name: tensor.detach() for name, tensor in self.tensors().items()}

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Takes over all values."""
        for name, tensor in self.tensors().items():
            tensor.copy_(state[name])

    def idle(self, child: int) -> Iterator[nn.Parameter]:
        """The parameters that are shared or this child's own, and got no gradient."""
        loaded = dict.fromkeys([*self.shared_parameters, *self.networks[child].parameters()])
        return (parameter for parameter in loaded if parameter.grad is None)

    @cached_property
    def shared_parameters(self) -> list[nn.Parameter]:
        """Those of the common network that some child's network has."""
        used = {parameter for network in self.networks for parameter in network.parameters()}
        return [parameter for parameter in self.common.parameters() if parameter in used]
