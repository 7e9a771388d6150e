"""A job as bytes for other machines, with its images beside it: they are sent once, however many workers there are."""

from __future__ import annotations

import io
import os
import pickle
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cleave.engine.job import Job, TaskType
from cleave.engine.told import FoundType
from cleave.engine.worker_start import Parcel
from cleave.errors import UserError

Array = NDArray[np.generic]


class _Packer(pickle.Pickler):
    """Writes the place of a tensor in a list, and its device, instead of the tensor."""

    def __init__(self, file: io.BytesIO, tensors: Sequence[Tensor]) -> None:
        super().__init__(file)
        self.places = {id(tensor): number for number, tensor in enumerate(tensors)}

    def persistent_id(self, value: Any) -> tuple[int, str] | None:  # noqa: ANN401
        place = self.places.get(id(value)) if isinstance(value, Tensor) else None
        return None if place is None else (place, str(value.device))


class _Unpacker(pickle.Unpickler):
    """The other way round."""

    def __init__(self, file: io.BytesIO, arrays: Sequence[Array]) -> None:
        super().__init__(file)
        self.arrays = arrays

    def persistent_load(self, place: tuple[int, str]) -> Tensor:
        number, device = place
        with warnings.catch_warnings():  # they are read-only, and nobody writes to images
            warnings.simplefilter("ignore")
            return torch.from_numpy(self.arrays[number]).to(device)


def pack(job: Job[TaskType, FoundType]) -> tuple[bytes, list[Array]]:
    """A job as bytes, and what its images hold in memory."""
    tensors = [tensor for images in job.images for tensor in images.tensors]

    def dumps(content: object) -> bytes:
        file = io.BytesIO()
        _Packer(file, tensors).dump(content)
        return file.getvalue()

    return pickle.dumps(Parcel(job, dumps)), [tensor.cpu().numpy() for tensor in tensors]


def unpack(data: bytes, arrays: Sequence[Array]) -> Any:  # noqa: ANN401
    """The job, once the files that it is made of are loaded; UserError where one of them is another now."""
    parcel: Parcel = pickle.loads(data)
    return parcel.open(lambda content: _Unpacker(io.BytesIO(content), arrays).load())


def opened(folder: str, data: bytes, arrays: Sequence[Array]) -> Any:  # noqa: ANN401
    """The job in a process that is at work where the search was started, if that is there."""
    with suppress(OSError):  # where it is not there, whole paths are all right
        os.chdir(folder)
    job = unpack(data, arrays)
    run: Path = job.run
    if not run.is_dir():
        raise UserError(
            f"{run}: is not there on {os.uname().nodename}; it has to be on a disk that all "
            "machines share, or in a store, as in --out s3://bucket/run"
        )
    return job
