"""Fixtures of the end-to-end tests: networks with a router in the middle, and what is installed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from ratsnake.lab import GatewayError, Namespace, PrivilegeError, Topology, enter_privileged
from ratsnake.lab.gateway import nft_program


@pytest.fixture(autouse=True, scope="session")
def namespaces() -> None:
    """Skip everything here where a NAT in network namespaces is out of reach."""
    try:
        enter_privileged()
        Namespace("probe").close()
    except (PrivilegeError, OSError) as error:
        pytest.skip(f"no network namespaces here: {error}")


@pytest.fixture
def topology() -> Iterator[Topology]:
    with Topology(hosts=2) as topology:
        yield topology


@pytest.fixture
def program() -> Callable[[str], str]:
    """Where a program is; the test is skipped where it is not installed."""

    def find(name: str) -> str:
        try:
            found = nft_program() if name == "nft" else shutil.which(name)
        except GatewayError:
            found = None
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return find
