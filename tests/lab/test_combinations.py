"""Every mapping with every filtering, over both versions of IP, observed from outside."""

from __future__ import annotations

import pytest

from ratsnake.lab import (
    COMBINATIONS,
    EXTERNAL,
    EXTERNAL_6,
    LAN_PREFIX,
    LAN_PREFIX_6,
    Topology,
    nat,
    observe,
)

PROTOCOLS = ("udp", "tcp", "icmp")


@pytest.mark.parametrize("name", COMBINATIONS)
def test_observed_over_both_versions(dual: Topology, name: str) -> None:
    external, internal = (EXTERNAL, EXTERNAL_6), (LAN_PREFIX, LAN_PREFIX_6)
    with nat(dual, name, external=external, internal=internal):
        for version in (4, 6):
            for protocol in PROTOCOLS:
                expected = COMBINATIONS[name].as_seen_by(protocol)
                seen = observe(dual, protocol, version)
                assert (version, protocol, seen.alone, seen.filtering, seen.ports) == (
                    version,
                    protocol,
                    expected.alone,
                    expected.filtering,
                    expected.ports,
                ), seen
