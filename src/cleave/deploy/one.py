"""Networks timed by themselves: one as a latency table was, or several beside each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from cleave.deploy.measure import ROUNDS, WARM_UP, Clock, Time, timed
from cleave.deploy.runtimes import RUNTIMES, Call, check_runtime
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
    return time_calls({subject.key: call}, binding.threads, clock)[subject.key]


def time_calls(calls: Mapping[str, Call], threads: int, clock: Clock = timed) -> dict[str, Time]:
    """How long each takes: the median of rounds in which all take turns."""
    for call in calls.values():
        for _ in range(WARM_UP):
            call()
    rounds = [[clock(key, call, threads) for key, call in calls.items()] for _ in range(ROUNDS)]
    low, middle, high = np.percentile(rounds, (25, 50, 75), axis=0)
    return {key: Time(float(middle[i]), float(high[i] - low[i])) for i, key in enumerate(calls)}


def device_of(binding: Binding) -> str:
    """The device of this machine that a table is of."""
    if binding.device == cpu_name():
        return "cpu"
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return f"cuda:{names.index(binding.device)}"
