"""What of the inside prefixes lies outside all the same: a remote as any other."""

from ipaddress import ip_network

import pytest

from ratsnake.nat.settings.prefix_exclusion import without
from support.dual import EACH_FAMILY, EACH_PROTOCOL, Dual, far
from support.families import V4, V6, Family
from support.flavours import Engine


@pytest.mark.parametrize(
    ("prefixes", "excepted", "left"),
    [
        ("10.0.0.0/8", "", "10.0.0.0/8"),
        ("10.0.0.0/30", "10.0.0.2/32", "10.0.0.0/31 10.0.0.3/32"),
        ("10.0.0.0/30", "10.0.0.1/32 10.0.0.2/32", "10.0.0.0/32 10.0.0.3/32"),
        ("10.0.0.0/8 192.168.0.0/16", "192.168.0.0/17", "10.0.0.0/8 192.168.128.0/17"),
        ("10.0.0.0/24", "10.0.0.0/16", ""),
        ("fd00::/8 10.0.0.0/8", "fd00::/9", "fd80::/9 10.0.0.0/8"),
    ],
)
def test_prefixes_without_others(prefixes: str, excepted: str, left: str) -> None:
    found = without(map(ip_network, prefixes.split()), map(ip_network, excepted.split()))
    assert " ".join(map(str, found)) == left


@EACH_FAMILY
@EACH_PROTOCOL
def test_it_is_a_remote_as_any_other(engine: Engine, protocol: str, family: Family) -> None:
    """The remote is in the inside prefix; only the exception tells it from a LAN host."""
    everything = {"internal": (ip_network(V4.internal), ip_network(V6.internal))}
    remotes = tuple(ip_network(one) for one in (V4.r1, V6.r1))
    inside = (*everything["internal"], *remotes)
    for excepted, verdict in (((), "destination"), (remotes, "translated")):
        bench = Dual(engine, "full-cone", internal=inside, internal_except=excepted)
        assert bench.try_open(protocol, (family.inside, 5000), far(protocol, family.r1)) == verdict
