"""Every preset of ratsnake, with every protocol, observed from outside."""

from __future__ import annotations

import pytest

from ratsnake.lab import (
    CONTESTED_PORTS,
    EXPECTED,
    Topology,
    nat,
    observe,
    observe_contested,
)

PROTOCOLS = ("udp", "tcp", "icmp")


@pytest.mark.parametrize("name", EXPECTED)
def test_observed_alone(topology: Topology, name: str) -> None:
    with nat(topology, name):
        for protocol in PROTOCOLS:
            expected = EXPECTED[name].as_seen_by(protocol)
            seen = observe(topology, protocol)
            assert (protocol, seen.alone, seen.filtering, seen.ports) == (
                protocol,
                expected.alone,
                expected.filtering,
                expected.ports,
            ), seen


#: Random and not sticky: there is nothing to contest.
_UNCONTESTED = {"quasi-symmetric"}


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in _UNCONTESTED])
def test_observed_contested(topology: Topology, name: str) -> None:
    with nat(topology, name, ports=CONTESTED_PORTS):
        for protocol in PROTOCOLS:
            expected = EXPECTED[name].as_seen_by(protocol)
            assert (protocol, observe_contested(topology, protocol)) == (
                protocol,
                expected.contested,
            )
