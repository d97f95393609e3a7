"""Fixtures of the end-to-end tests: networks with a router in the middle, and what is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from ratsnake.lab import Namespace, Topology
from ratsnake.lab.router_nat import nft_program


@pytest.fixture(autouse=True, scope="session")
def namespaces() -> None:
    """Skip everything here where a NAT in network namespaces is out of reach."""
    try:
        Namespace("probe").close()
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        pytest.skip(f"no network namespaces with a TUN here (run as root): {error}")


@pytest.fixture
def topology() -> Iterator[Topology]:
    with Topology(hosts=2) as topology:
        yield topology


@pytest.fixture
def dual() -> Iterator[Topology]:
    """A network with both versions of IP."""
    with Topology(hosts=2, ipv6=True) as topology:
        yield topology


@pytest.fixture
def program() -> Callable[[str], str]:
    """Where a program is; the test is skipped where it is not installed."""

    def find(name: str) -> str:
        found = nft_program() if name == "nft" else shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return find
