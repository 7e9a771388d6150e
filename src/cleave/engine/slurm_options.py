"""What is asked of SLURM for each job, by submitit's names; nothing here needs submitit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cleave.engine.named import in_words, once
from cleave.errors import UserError, shown, unknown

Value = str | int | list[str]
Options = Mapping[str, Value]
SlurmLike = Mapping[str, object] | Sequence[str]
"""By name, or in words as in "partition=gpu"; a name of which there are several values is in several words."""

TEXTS = (
    "account", "comment", "constraint", "exclude", "gres", "mail_type", "mail_user", "mem", "mem_per_cpu",
    "mem_per_gpu", "nodelist", "partition", "qos", "wckey",
)  # fmt: skip
NUMBERS = ("cpus_per_gpu", "cpus_per_task", "gpus_per_node", "gpus_per_task", "signal_delay_s", "time")
LISTS = ("setup", "srun_args", "teardown")
"""Of these there may be several."""
GPUS = ("gpus_per_node", "gpus_per_task", "gres")
"""Any of them gives a job a GPU."""

TIME, DELAY, WARNING = "time", "signal_delay_s", 90
"""A job's limit in minutes, and so many seconds before its end it is warned."""


def read_options(given: SlurmLike | None) -> dict[str, Value]:
    """What was given, checked: UserError for a name that SLURM has not or a value that it would not take."""
    by_name = given if isinstance(given, Mapping) else in_words("--slurm", "partition=gpu", given or ())
    return {name: read_value(name, value) for name, value in by_name.items()}


def read_value(name: str, given: object) -> Value:
    """A value as submitit takes it."""
    if name not in (*TEXTS, *NUMBERS, *LISTS):
        raise unknown("--slurm", name, [*TEXTS, *NUMBERS, *LISTS])
    texts = [str(each) for each in given] if isinstance(given, list | tuple) else [str(given)]
    for text in texts:
        if not text or not text.isprintable():
            raise UserError(f"--slurm {name}={shown(text)}: has to be one line")
    if name in LISTS:
        return texts
    text = once("--slurm", name, texts)
    return read_number(name, text) if name in NUMBERS else text


def read_number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) == int(text)):
        unit = {TIME: " of minutes, as in time=60", DELAY: " of seconds, as in signal_delay_s=90"}
        raise UserError(f"--slurm {name}={shown(text)}: has to be a whole number{unit.get(name, '')}")
    return int(text)


def check_time(options: Options) -> None:
    """UserError where a job has no limit, or would be warned before it began."""
    minutes, delay = options.get(TIME), options.get(DELAY, WARNING)
    if minutes is None:
        raise UserError("--engine slurm: say how many minutes a job may take, as in --slurm time=60")
    assert isinstance(minutes, int)
    assert isinstance(delay, int)
    if minutes * 60 <= delay:
        raise UserError(
            f"--slurm time={minutes}: has to be more than the {delay} seconds before its end at which a job saves "
            "(signal_delay_s)"
        )


def parameters(options: Options, threads: int, on_gpu: bool) -> dict[str, Value]:
    """What submitit is told: of CPU cores as many as a job has threads, and a GPU where it computes on one."""
    usual: dict[str, Value] = {"cpus_per_task": threads}
    if on_gpu and not any(name in options for name in GPUS):
        usual["gpus_per_node"] = 1
    return {**usual, **options}


def words_of(options: Options) -> list[str]:
    """The options of the command line that say the same."""
    return [
        word
        for name, value in options.items()
        for each in (value if isinstance(value, list) else [value])
        for word in ("--slurm", f"{name}={each}")
    ]
