"""Files of weights, that people give or timm has in its caches. Needs the extra `train`."""

from __future__ import annotations

import os
import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cleave.errors import PATH, UserError, brief, cause, shown
from cleave.files import first_bytes, unpacked_size

UNREADABLE = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, RuntimeError, TypeError, ValueError,
    SafetensorError, pickle.UnpicklingError, struct.error,
)  # fmt: skip
"""What readers of weights raise on a file that holds none."""
NO_WEIGHTS = {
    b"<": "is a web page, not weights: download the file itself",
    b"version https://git-lfs": "is a pointer of Git LFS, not weights: fetch the file itself by `git lfs pull`",
}
"""What files begin with that people take for weights, since they were downloaded under their names."""
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""What weights are called in the cache of the Hugging Face hub, the best first."""


def tensors_in(file: str, key: str) -> dict[str, Tensor]:
    """Tensors by name, without running anything that a file may hold; UserError, which begins with `key`, where there
    are none.

    Out of a checkpoint of timm's training the averaged weights, if there are such.
    """
    from timm.models import load_state_dict

    where = f"{key}: {brief(file, PATH)}"
    try:
        refuse_packed(where, file)
        with warnings.catch_warnings():  # of a file that is not its own torch warns before it refuses it
            warnings.simplefilter("ignore")
            state: dict[str, Tensor] = load_state_dict(file, weights_only=True)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({cause(error)})") from error
    except UNREADABLE as error:
        raise UserError(f"{where}: {what_it_is(file, error)}") from error
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise UserError(f"{where}: {shown(name)} in it is no tensor; save the weights alone, as .safetensors")
    return state


def refuse_packed(where: str, file: str) -> None:
    """UserError for a zip that is far larger once it is unpacked, which torch's never are; OSError for no file."""
    with open(file, "rb") as opened:
        unpacked, size = unpacked_size(opened), os.path.getsize(file)
    if unpacked > 2 * size:
        raise UserError(f"{where}: is packed: {size:,} bytes would take {unpacked:,}; save the weights as torch does")


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


def cached(config: Mapping[str, Any]) -> Path | None:
    """Where weights of timm's lie on this machine, if they do: in the hub's cache, or torch's, as of earlier timm."""
    from huggingface_hub import try_to_load_from_cache

    hub, named, url = (config.get(key) for key in ("hf_hub_id", "hf_hub_filename", "url"))
    in_hub = [try_to_load_from_cache(hub, each) for each in ((named,) if named else HUB_FILES)] if hub else []
    found = [Path(each) for each in in_hub if isinstance(each, str)]  # else it is None, or says that there is none
    if url:
        found.append(Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name)
    return next((each for each in found if each.is_file()), None)
