"""nat_probe.py and contested_mapping_probe.py against the kernel's NATs, whose types are known."""

from __future__ import annotations

import pytest

from ratsnake.lab import (
    COMBINATIONS,
    EXPECTED,
    EXTERNAL_6,
    Expectation,
    ProbeError,
    Topology,
    forward,
    masquerade,
    observe,
    observe_contested,
)
from ratsnake.lab.expected_behaviour import MASQUERADE, MASQUERADE_RANDOM
from ratsnake.lab.nat_probe import classify
from ratsnake.nat.rules.behaviour import PRESETS, Filtering, Mapping

PROTOCOLS = ("udp", "tcp", "icmp")


@pytest.mark.usefixtures("nft")
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("random", "expectation"),
    [(None, MASQUERADE), ("random", MASQUERADE_RANDOM), ("fully-random", MASQUERADE_RANDOM)],
)
def test_kernel_nat(
    topology: Topology, protocol: str, random: str | None, expectation: Expectation
) -> None:
    expected = expectation.as_seen_by(protocol)
    with masquerade(topology, random=random):
        seen = observe(topology, protocol)
        assert (seen.alone, seen.filtering, seen.ports) == (
            expected.alone,
            expected.filtering,
            expected.ports,
        )
        if random is None:
            assert observe_contested(topology, protocol) == expected.contested


@pytest.mark.usefixtures("nft")
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("random", "expectation"), [(None, MASQUERADE), ("fully-random", MASQUERADE_RANDOM)]
)
def test_kernel_nat_of_ipv6(
    dual: Topology, protocol: str, random: str | None, expectation: Expectation
) -> None:
    expected = expectation.as_seen_by(protocol)
    with masquerade(dual, random=random):
        seen = observe(dual, protocol, 6)
        assert (seen.alone, seen.filtering, seen.ports) == (
            expected.alone,
            expected.filtering,
            expected.ports,
        )
        assert {address for _, external in seen.seen for address, _ in external} == {EXTERNAL_6}
        if random is None:
            assert observe_contested(dual, protocol, 6) == expected.contested


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_nat_of_ipv6_is_open_and_changes_nothing(dual: Topology, protocol: str) -> None:
    with forward(dual):
        seen = observe(dual, protocol, 6)
    assert (seen.alone, seen.filtering, seen.ports) == (Mapping.EIM, Filtering.EIF, "preserved")
    address = dual.hosts[0].of(6)
    assert all(external == ((address, port),) * 3 for port, external in seen.seen)


def test_a_network_without_ipv6(topology: Topology) -> None:
    with pytest.raises(ValueError, match="ipv6: this network has none"):
        observe(topology, "udp", 6)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_nat_is_open_and_changes_nothing(topology: Topology, protocol: str) -> None:
    with forward(topology):
        seen = observe(topology, protocol)
    assert (seen.alone, seen.filtering, seen.ports) == (Mapping.EIM, Filtering.EIF, "preserved")
    address = topology.hosts[0].address
    assert all(external == ((address, port),) * 3 for port, external in seen.seen)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_observing_twice_on_one_nat(topology: Topology, protocol: str) -> None:
    with forward(topology):
        assert observe(topology, protocol).filtering == Filtering.EIF
        assert observe(topology, protocol).filtering == Filtering.EIF


def test_a_contest_nobody_can_win_says_what_to_do(topology: Topology) -> None:
    with forward(topology), pytest.raises(ProbeError, match="fewer ports, for example 40000-40003"):
        observe_contested(topology)


def test_a_contest_needs_a_competitor() -> None:
    with Topology() as topology, pytest.raises(ValueError, match="2 LAN hosts"):
        observe_contested(topology)


def test_unknown_protocol(topology: Topology) -> None:
    with pytest.raises(ValueError, match="'sctp' is none of udp, tcp, icmp"):
        observe(topology, "sctp")


def test_too_few_remotes() -> None:
    with Topology(remotes=2) as topology, pytest.raises(ValueError, match="needs 3, there are 2"):
        observe(topology)


@pytest.mark.parametrize(
    ("ports", "mapping"),
    [
        ((1, 1, 1), Mapping.EIM),
        ((1, 2, 2), Mapping.ADM),
        ((1, 2, 3), Mapping.APDM),
        ((1, 2, 1), Mapping.APDM),
        ((1, 1, 2), Mapping.APDM),
    ],
)
def test_classify(ports: tuple[int, ...], mapping: Mapping) -> None:
    assert classify([("203.0.113.1", port) for port in ports]) == mapping


def test_every_preset_has_an_expectation() -> None:
    assert list(EXPECTED) == list(PRESETS)
    for name, preset in PRESETS.items():
        assert EXPECTED[name].contested == preset.behaviour.mapping
        assert EXPECTED[name].filtering == preset.behaviour.filtering


def test_every_combination_has_an_expectation() -> None:
    seen = {(expected.alone, expected.filtering) for expected in COMBINATIONS.values()}
    assert seen == {(mapping, filtering) for mapping in Mapping for filtering in Filtering}
    assert COMBINATIONS["apdm/eif"].filtering == Filtering.EIF
