"""The laws that every space keeps, for those who write one: `check_space(MySpace())` in a test of yours.

What can be told without a network is in `cleave.space.laws` and is checked whenever a user's space is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cleave.errors import brief, shown
from cleave.net import (
    Gate,
    Gates,
    Network,
    Norm,
    build,
    build_alone,
    count_parameters,
    extract,
    inherit,
    one_hot,
    only_live,
    places,
)
from cleave.net.cost import costs
from cleave.net.count import MultiplyAdds
from cleave.space import Arch, Region, Space
from cleave.space.laws import LawBroken, check_data, part, require

__all__ = ["LawBroken", "check_space"]

CLOSE = 1e-9
"""What is closer, in float64, is the same."""


def check_space(
    space: Space,
    size: Any = None,  # noqa: ANN401  what the space's own layout takes
    image: tuple[int, int, int] = (3, 8, 8),
    classes: int = 5,
    draws: int = 5,
    seed: int = 0,
) -> None:
    """Holds a space to what searches, studies and plans take for granted; LawBroken (a ValueError) says what is not so.

    Names, texts, regions and draws; then, on networks of `draws` random architectures, places, shared and own
    parameters, extraction, what is left out, what is live, costs, and children that go on with their parent's weights.
    `size` is as the space's layout takes it, by default that of a recipe which says none; `image` is (channels, height,
    width). Seconds on a CPU.
    """
    check_data(space)
    case = Case(space, size or space.usual_size, image, classes, torch.Generator().manual_seed(seed))
    network = case.network(space.region)
    check_places(case, network)
    check_parameters(case, network)
    for _ in range(draws):
        arch = space.sample(space.region, case.generator)
        check_extraction(case, network, arch)
        check_inheriting(case, network, arch)
        check_left_out(case, network, arch)
        check_live(case, network, arch)
        check_cost(case, arch)
        check_child(case, network)


@dataclass(frozen=True)
class Case:
    """A space at a size, on images."""

    space: Space
    size: Any
    image: tuple[int, int, int]
    classes: int
    generator: torch.Generator

    def network(self, region: Region, norm: Norm | None = None) -> Network:
        """Float64, its weights the same for every region; LawBroken where there is no such network."""
        layout = self.space.layout(self.size, self.image[0])
        try:
            return build(layout, region, self.classes, 0, norm).double()
        except ValueError as error:
            raise LawBroken(f"space {self.space.name}: every region has a network ({error})") from error

    def outputs(self, network: nn.Module, gates: Gates) -> Tensor:
        """Of three images, the same each time; statistics of the batch."""
        images = torch.randn(3, *self.image, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            found: Tensor = network(images, gates)
        return found

    def require(self, holds: bool, law: str, arch: Arch) -> None:
        require(holds, self.space, law, shown(dict(arch)))


def close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=CLOSE, atol=CLOSE, equal_nan=True)


def check_places(case: Case, network: Network) -> None:
    """Every choice acts in a place of the supernet, and nothing else does."""
    met = {choice for place in places(network).values() for choice in place.choices}
    own = {choice.name for choice in case.space.choices}
    odd = ", ".join(sorted(met ^ own))
    require(met == own, case.space, "the places of the supernet answer for the choices of the space", odd)


def check_parameters(case: Case, network: Network) -> None:
    """A choice's own parameters are of the network, and what its candidates share is used whichever of them runs.

    By construction (`cleave.split.shared_parameters`) all that is not a choice's own is shared.
    """
    everything = {id(parameter) for parameter in network.parameters()}
    for choice in case.space.choices:
        found = [place for place in places(network).values() if choice.name in place.choices]
        own = {id(parameter) for place in found for parameter in place.own(choice.name)}
        law = "a choice's own parameters are parameters of the network"
        require(own <= everything, case.space, law, choice.name)
        parts = {each: part for place in found for each, part in place.common(choice.name, choice.candidates).items()}
        shared = [each for place in found for each in place.parameters() if id(each) not in own]
        rest = [each for each in shared if each[parts.get(each, ())].numel()]
        arch = case.space.completed(case.space.sample(case.space.region, case.generator), case.space.region)
        uses = {used(case, network, {**arch, choice.name: candidate}, rest) for candidate in choice.candidates}
        law = "what the candidates of a choice share is used whichever runs"
        require(len(uses) == 1, case.space, law, choice.name)


def used(case: Case, network: Network, arch: Arch, parameters: list[nn.Parameter]) -> tuple[bool, ...]:
    """Which of the parameters an architecture's outputs depend on."""
    outputs = network(torch.zeros(2, *case.image, dtype=torch.float64), one_hot(arch))
    reached = {id(each) for each in leaves(outputs)}
    return tuple(id(each) in reached for each in parameters)


def leaves(output: Tensor) -> Iterator[Tensor]:
    """The parameters that an output is computed from."""
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [following for following, _ in node.next_functions]
            if hasattr(node, "variable"):
                yield node.variable


def check_extraction(case: Case, network: Network, arch: Arch) -> None:
    """The supernet under an architecture is the network extracted for it."""
    alone = case.outputs(extract(network, arch), one_hot(arch))
    law = "the supernet under an architecture is the network extracted for it"
    case.require(close(case.outputs(network, one_hot(arch)), alone), law, arch)


def check_inheriting(case: Case, network: Network, arch: Arch) -> None:
    """A network that goes on by itself with a supernet's weights has the supernet's outputs."""
    layout = case.space.layout(case.size, case.image[0])
    alone = build_alone(layout.inheriting, arch, case.classes, seed=0).double()
    law = "a network that is trained by itself can go on with a supernet's weights"
    try:
        inherit(alone, network, arch)
    except RuntimeError as error:
        raise LawBroken(f"space {case.space.name}: {law} ({brief(str(error))}): {shown(dict(arch))}") from error
    case.require(close(case.outputs(network, one_hot(arch)), case.outputs(alone, one_hot(arch))), law, arch)


def check_left_out(case: Case, network: Network, arch: Arch) -> None:
    """What an architecture leaves out changes nothing, whatever its weights are."""
    left_out = {choice.name for choice in case.space.choices} - arch.keys()
    before = case.outputs(network, one_hot(arch))
    own = [
        parameter
        for place in places(network).values()
        for choice in left_out & set(place.choices)
        for parameter in place.own(choice)
    ]
    kept = [parameter.detach().clone() for parameter in own]
    with torch.no_grad():
        for parameter in own:
            parameter.add_(1)
        after = case.outputs(network, one_hot(arch))
        for parameter, value in zip(own, kept, strict=True):
            parameter.copy_(value)
    case.require(torch.equal(before, after), "what an architecture leaves out changes nothing", arch)


def check_live(case: Case, network: Network, arch: Arch) -> None:
    """The outputs depend on nothing but the live choices."""
    space, layout = case.space, case.space.layout(case.size, case.image[0])
    live = layout.live(arch)
    case.require(live <= arch.keys(), "live choices are choices of the architecture", arch)
    whole = case.outputs(network, one_hot(arch))
    law = "choices that are not live change nothing"
    case.require(close(case.outputs(network, only_live(layout, arch)), whole), law, arch)
    for choice in sorted(arch.keys() - live):
        for candidate in space.region.allowed[choice]:
            other = {**arch, choice: candidate}
            if layout.live(other) == live:
                case.require(close(case.outputs(network, one_hot(other)), whole), law, other)


def check_cost(case: Case, arch: Arch) -> None:
    """Costs are those counted on the network that holds an architecture alone."""
    known = costs(case.space, case.size, case.image, case.classes, auxiliary=True).of(arch)
    alone = extract(case.network(case.space.region, case.space.layout(case.size, case.image[0]).norm), arch)
    counted = count_parameters(alone)
    law = "costs are those counted on the network built alone"
    require(known.parameters == counted, case.space, law, f"{known.parameters} parameters, {counted} counted")
    with MultiplyAdds() as counter:  # of two images: one alone has no statistics where a single pixel is left of it
        alone.heads(torch.zeros(2, *case.image, dtype=torch.float64), one_hot(arch))
    told = f"{known.multiply_adds} multiply-adds, {counter.total / 2:g} counted"
    require(2 * known.multiply_adds == counter.total, case.space, law, told)


def check_child(case: Case, network: Network) -> None:
    """A part of the space with its parent's weights has its parent's outputs."""
    region = part(case.space, 2, case.generator)
    child = case.network(region)
    state = network.state_dict()
    law = "a part of the space has parameters of its parent's names and shapes"
    own = child.state_dict()
    fits = all(name in state and state[name].shape == value.shape for name, value in own.items())
    require(fits, case.space, law)
    child.load_state_dict({name: state[name] for name in own})
    gates = {choice: Gate(allowed) for choice, allowed in region.allowed.items()}
    same = close(case.outputs(child, gates), case.outputs(network, gates))
    require(same, case.space, "a part of the space with its parent's weights has its parent's outputs")
