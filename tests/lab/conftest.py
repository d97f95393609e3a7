"""Fixtures of the lab's own tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ratsnake.lab import PrivilegeError, Topology, enter_privileged
from ratsnake.lab.router_nat import nft_program


@pytest.fixture(autouse=True, scope="session")
def privileges() -> None:
    """Skip everything here where there are no namespaces or no TUN.

    Not as another user: entering a user namespace would move all of pytest into it.
    """
    if os.geteuid() != 0:
        pytest.skip("namespaces and a TUN are needed: run as root")
    try:
        enter_privileged()
    except PrivilegeError as error:
        pytest.skip(str(error))


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
def nft() -> None:
    if nft_program() is None:
        pytest.skip("nft is not installed (package nftables)")
