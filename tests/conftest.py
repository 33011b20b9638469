"""What holds for all tests: nothing under tests/unit opens a network socket."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_socket import disable_socket

from emulators import Emulator, ministack

UNIT = Path(__file__).parent / "unit"


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item):
    if UNIT in item.path.parents:
        # Event loops wake themselves through a pair of Unix sockets.
        disable_socket(allow_unix_socket=True)


@pytest.fixture(scope="session")
def emulated_aws() -> Emulator:
    """An AWS on loopback with nothing in it, for the whole session; tests keep apart by region."""
    with ministack() as emulator:
        yield emulator
