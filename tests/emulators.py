"""AWS emulators for tests, each in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

#: ministack pins its own botocore, so it lives in an environment of its own (see the Makefile).
MINISTACK = Path(__file__).parents[1] / ".venv-ministack" / "bin" / "ministack"
STARTS_WITHIN = 60.0


@dataclass(frozen=True)
class Emulator:
    """An AWS that listens on loopback."""

    url: str

    def environ(self, region: str = "us-east-1") -> dict[str, str]:
        """The environment that sends boto3 there and nowhere else."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": region,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }


@contextmanager
def ministack() -> Iterator[Emulator]:
    """Start ministack on a free port, stop it in the end; skips where it is not installed."""
    if not MINISTACK.exists():
        pytest.skip("no .venv-ministack; `make test` installs it")
    port = _free_port()
    inherited = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
    environ = {**inherited, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "ERROR"}
    process = subprocess.Popen([MINISTACK], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process)
        yield Emulator(url)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the emulator ended at once, exit code {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"the emulator did not answer within {STARTS_WITHIN:.0f} s")
