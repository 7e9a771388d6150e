"""A Ray whose machines share nothing: neither the images' folder nor the run's; the run is in an S3 store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

import cleave
from tests.engine.test_ray import nothing_left
from tests.process import PATIENCE
from tests.run.befalling import whole_run, write_images
from tests.stores import s3_server
from tests.survival.runs import TINY
from tests.tiny import RSPS, leaves, same, sets

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")

HEAD = """
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
print(cluster.address, flush=True)
input()
"""
ELSEWHERE = """
set -e
for folder in {hidden}; do mount -t tmpfs none "$folder"; done
cd /
exec {python} -m ray.scripts.scripts start --address {address} --num-cpus 2 --block
"""


@contextmanager
def machines(hidden: list[Path], environment: dict[str, str]) -> Iterator[str]:
    """The address of a Ray whose head takes no tasks; its other machine does not see what is in these folders."""
    with subprocess.Popen(
        [sys.executable, "-c", HEAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=environment,
    ) as head:  # fmt: skip
        try:
            assert head.stdout is not None
            address = head.stdout.readline().strip()
            script = ELSEWHERE.format(hidden=" ".join(map(str, hidden)), python=sys.executable, address=address)
            words = ["unshare", "--mount", "--propagation", "private", "bash", "-c", script]
            with subprocess.Popen(
                words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as other:
                try:
                    yield address
                finally:
                    other.terminate()
                    other.wait(PATIENCE)
        finally:
            head.communicate("\n", timeout=PATIENCE)


def may_hide() -> bool:
    """Whether this user may mount a disk in memory for a process alone."""
    words = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        shutil.which("unshare") is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not may_hide(), reason="a folder cannot be hidden from a process by this user")
def test_workers_that_share_no_disk_leave_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, cache = write_images(tmp_path / "images"), tmp_path / "cache"
    whole = whole_run(images, tmp_path / "whole")
    cache.mkdir()
    with s3_server() as store, nothing_left() as started:
        environment = {**os.environ, **store, "XDG_CACHE_HOME": str(cache), **dict([started.mark.split("=")])}
        with machines([images, cache, whole], environment) as address:
            words = [
                sys.executable,
                "-m",
                "cleave",
                "search",
                "--data",
                str(images),
                "--out",
                "s3://bucket/a/run",
                "--json",
            ]
            words += ["--engine", "ray", "--workers", "2", "--address", address, *sets({**TINY, **RSPS})]
            ended = subprocess.run(
                words, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        assert ended.returncode == 0, ended.stderr
        for name, value in {**store, "XDG_CACHE_HOME": str(tmp_path / "another")}.items():
            monkeypatch.setenv(name, value)
        found = cleave.load("s3://bucket/a/run").run
    assert same(found, whole)
    assert {name: data for name, data in leaves(found).items() if "weights" in name} == {
        name: data for name, data in leaves(whole).items() if "weights" in name
    }
