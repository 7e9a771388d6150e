"""Stores for tests: in memory, a folder by its URL, and S3 as a server of this machine's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

SERVER = """
import logging
import sys
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").disabled = True
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
import boto3

url = f"http://{host}:{port}"
boto3.client("s3", endpoint_url=url).create_bucket(Bucket="bucket")
print(url, flush=True)
sys.stdin.read()
"""
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
"""What S3 asks for; the server takes any."""


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """The environment in which s3://bucket is on a server of its own, which lasts as long as the `with` block."""
    if find_spec("moto") is None or find_spec("s3fs") is None:
        pytest.skip("S3 needs the packages moto and s3fs")
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **KEYS},
    ) as process:
        try:
            assert process.stdout is not None
            yield {**KEYS, "AWS_ENDPOINT_URL": process.stdout.readline().strip()}
        finally:
            process.kill()
