"""One network, timed as a latency table was."""

from __future__ import annotations

import numpy as np
import torch

from cleave.deploy.measure import ROUNDS, WARM_UP, Clock, Time, timed
from cleave.deploy.runtimes import RUNTIMES, check_runtime
from cleave.deploy.subjects import Subject, network_of
from cleave.deploy.table import Binding
from cleave.engine.environment import cpu_name
from cleave.net.sized import Sized
from cleave.space import Arch


def time_network(asked: Sized, arch: Arch, binding: Binding, clock: Clock = timed) -> Time:
    """How long the network of an architecture takes by itself, on the device and in the way of a table of this machine.

    UserError where what runs it is not installed.
    """
    device = device_of(binding)
    check_runtime(binding.runtime, device)
    subject = Subject("network", network_of(asked, arch), (binding.batch, *asked.image))
    (call,) = RUNTIMES[binding.runtime]([(subject.module.to(device), subject.input(device))], binding.threads)
    for _ in range(WARM_UP):
        call()
    low, middle, high = np.percentile([clock(subject.key, call, binding.threads) for _ in range(ROUNDS)], (25, 50, 75))
    return Time(float(middle), float(high - low))


def device_of(binding: Binding) -> str:
    """The device of this machine that a table is of."""
    if binding.device == cpu_name():
        return "cpu"
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return f"cuda:{names.index(binding.device)}"
