"""Files of weights that people give, and what timm says of its networks. Needs the extra `train`."""

from __future__ import annotations

import pickle
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cleave.errors import PATH, UserError, brief, cause, shown, unknown
from cleave.files import first_bytes

UNREADABLE = (
    AttributeError, RuntimeError, ValueError, LookupError, TypeError, EOFError, pickle.UnpicklingError, SafetensorError,
)  # fmt: skip
"""What readers of weights raise on a file that holds none."""
NO_WEIGHTS = {
    b"<": "is a web page, not weights: download the file itself",
    b"version https://git-lfs": "is a pointer of Git LFS, not weights: fetch the file itself by `git lfs pull`",
}
"""What files begin with that people take for weights, since they were downloaded under their names."""


def tensors_in(file: str, key: str) -> dict[str, Tensor]:
    """Tensors by name, without running anything that a file may hold; UserError, which begins with `key`, where there
    are none.

    Out of a checkpoint of timm's training the averaged weights, if there are such.
    """
    from timm.models import load_state_dict

    where = f"{key}: {brief(file, PATH)}"
    try:
        open(file, "rb").close()  # timm has no word on why it cannot
        with warnings.catch_warnings():  # of a file that is not its own torch warns before it refuses it
            warnings.simplefilter("ignore")
            state: dict[str, Tensor] = load_state_dict(file, weights_only=True)
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({cause(error)})") from error
    except UNREADABLE as error:
        raise UserError(f"{where}: {what_it_is(file, error)}") from error
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise UserError(f"{where}: {shown(name)} in it is no tensor; save the weights alone, as .safetensors")
    return state


def what_it_is(file: str, error: Exception) -> str:
    """Why a file holds no weights."""
    begins = first_bytes(Path(file), 64).lstrip()
    known = next((why for start, why in NO_WEIGHTS.items() if begins.startswith(start)), None)
    if known is None and (objects := unsafe_in(file)):
        known = f"holds {brief(objects[0])}, and such objects can run anything; save the weights alone, as .safetensors"
    return known or f"holds no weights that can be read ({brief(str(error) or type(error).__name__)})"


def unsafe_in(file: str) -> list[str]:
    """What a pickled file would load beside tensors; nothing of it is loaded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: list[str] = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except UNREADABLE:
        return []
    return found


def metadata_of(file: str) -> dict[str, str]:
    """What a .safetensors file says of itself; nothing for another."""
    if not file.endswith(".safetensors"):
        return {}
    with safe_open(file, "pt") as opened:
        return dict(opened.metadata() or {})


def config_of(name: str, key: str) -> dict[str, Any]:
    """What timm says of a network; UserError, which begins with `key`, where it has none of that name."""
    from timm.models import get_pretrained_cfg, is_model, list_models, list_pretrained

    if not is_model(name):
        near = get_close_matches(name.partition(".")[0], list_models(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"{key}: timm has no network {shown(name)}{hint}")
    try:
        found = get_pretrained_cfg(name, allow_unregistered=True)
    except RuntimeError as error:  # another tag
        raise unknown(key, name, list_pretrained(f"{name.partition('.')[0]}.*")) from error
    if found is None:
        raise UserError(f"{key}={name}: timm does not say what images it takes; use another one")
    config: dict[str, Any] = found.to_dict()
    return config
