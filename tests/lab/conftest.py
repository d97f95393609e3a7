"""Fixtures of the lab's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ratsnake.lab import Namespace, Topology
from ratsnake.lab.gateway import nft_program


@pytest.fixture(autouse=True, scope="session")
def namespaces() -> None:
    """Skip everything here where there are no network namespaces."""
    try:
        Namespace("probe").close()
    except OSError as error:
        pytest.skip(f"no network namespaces here (run as root): {error}")


@pytest.fixture
def topology() -> Iterator[Topology]:
    with Topology(hosts=2) as topology:
        yield topology


@pytest.fixture
def nft() -> None:
    if nft_program() is None:
        pytest.skip("nft is not installed (package nftables)")
