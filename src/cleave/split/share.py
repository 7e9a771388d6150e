"""Which parameters two candidates of a choice share."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import nn

from cleave.net import Network, Place, places
from cleave.net.place import Index

Parameters = dict[str, nn.Parameter]


def shared_parameters(network: Network, choice: str, without: Collection[str] = ()) -> Parameters:
    """The parameters that stay in use whichever candidate of `choice` runs, by name.

    That is all of the network but what places say is their candidates' own, in every cell (GM-NAS, section 3.3: "the
    shared edges"). `without` names blocks whose parameters are left out as well: with `layout.ends` (stem, last
    normalisation, classifier on NAS-Bench-201) it is what the released code of GM-NAS compares.
    """
    own = {id(parameter) for place in acting(network, choice) for parameter in place.own(choice)}
    return {
        name: parameter
        for name, parameter in network.named_parameters()
        if id(parameter) not in own and name.removeprefix("blocks.").partition(".")[0] not in without
    }


def shared_parts(network: Network, choice: str, candidates: Sequence[str]) -> dict[str, Index]:
    """By name the parameters of which these candidates share a part, each with that part; of all others it is the
    whole."""
    parts = {
        id(parameter): part
        for place in acting(network, choice)
        for parameter, part in place.common(choice, candidates).items()
    }
    if not parts:
        return {}
    return {name: parts[id(each)] for name, each in network.named_parameters() if id(each) in parts}


def acting(network: Network, choice: str) -> list[Place]:
    """The places where a choice acts."""
    return [place for place in places(network).values() if choice in place.choices]
