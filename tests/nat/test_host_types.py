"""NAT types of some hosts: which type a host has, and hosts of all types on the same ports."""

from collections import defaultdict
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.busy import flows_of
from support.flavours import Engine
from support.packets import Endpoint
from support.properties import examples
from support.site import V4, V6, Places, Site
from support.wire import WITH_PORTS

HOST, OTHER, THIRD, FOURTH = V4.hosts[:4]
REMOTES = V4.remotes
EVERY_PROTOCOL = pytest.mark.parametrize("protocol", WITH_PORTS)
TIMEOUTS = {"udp": 60, "tcp_opening": 60, "icmp": 60}


def site(engine: Engine, general: str, hosts: dict[str, Any], **more: Any) -> Site:
    return Site(engine, general, hosts=hosts, timeouts=TIMEOUTS, **more)


def far(protocol: str, number: int = 0, port: int = 80, places: Places = V4) -> Endpoint:
    return places.remotes[number], 0 if protocol == "icmp" else port


def seen_as(there: Site, protocol: str, host: str, places: Places = V4) -> tuple[str, str]:
    """Mapping and filtering of a host, found out from outside."""
    ports = [
        there.open(protocol, (host, 4000), far(protocol, number, port, places))[1]
        for number, port in ((0, 80), (1, 80), (1, 81))
    ]
    mapping = "eim" if len(set(ports)) == 1 else "adm" if ports[1] == ports[2] else "apdm"
    external = there.open(protocol, (host, 5000), far(protocol, 0, 80, places))
    by_address = there.admits(protocol, far(protocol, 0, 9, places), external)
    filtering = "eif" if there.admits(protocol, far(protocol, 2, 9, places), external) else "apdf"
    return mapping, "adf" if by_address and filtering != "eif" else filtering


@pytest.mark.parametrize("protocol", ["tcp", "udp", "udplite", "dccp", "sctp"])
@pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])
def test_a_console_is_full_cone_among_symmetric_hosts(
    engine: Engine, protocol: str, places: Places
) -> None:
    console, neighbour = places.hosts[:2]
    there = site(engine, "symmetric", {console: "full-cone"})
    assert seen_as(there, protocol, console, places) == ("eim", "eif")
    assert seen_as(there, protocol, neighbour, places) == ("apdm", "apdf")


@pytest.mark.parametrize("protocol", ["tcp", "udp", "udplite", "dccp", "sctp"])
def test_a_symmetric_host_among_cones(engine: Engine, protocol: str) -> None:
    there = site(engine, "restricted-cone", {HOST: "symmetric-address"})
    assert seen_as(there, protocol, HOST) == ("adm", "adf")
    assert seen_as(there, protocol, OTHER) == ("eim", "adf")


def test_of_several_prefixes_the_longest_counts_for_each_protocol(engine: Engine) -> None:
    hosts = {
        "192.168.1.0/24": "symmetric",
        f"{HOST}/32": {"udp": "full-cone"},
        "192.168.1.8/29": {"udp": "restricted-cone", "tcp": "full-cone"},
    }
    for given_order in (hosts, dict(reversed(hosts.items()))):
        there = site(engine, "port-restricted-cone", given_order)
        assert seen_as(there, "udp", HOST) == ("eim", "eif")
        assert seen_as(there, "tcp", HOST) == ("eim", "eif")  # of the /29
        assert seen_as(there, "dccp", HOST) == ("apdm", "apdf")  # of the /24
        assert seen_as(there, "udp", OTHER) == ("eim", "adf")
        assert seen_as(there, "udp", V4.hosts[9]) == ("apdm", "apdf")
        assert seen_as(there, "udp", "192.168.2.1") == ("eim", "apdf")


@EVERY_PROTOCOL
@pytest.mark.parametrize("general", ["quasi-restricted-cone", "quasi-symmetric", "symmetric"])
def test_a_port_of_a_consoles_is_nobody_elses(engine: Engine, general: str, protocol: str) -> None:
    there = site(engine, general, {HOST: "full-cone"}, ports="2000-2003")
    mine = there.open(protocol, (HOST, 4000), far(protocol))[1]
    others = {there.open(protocol, (OTHER, 4000 + n), far(protocol, n))[1] for n in range(30)}
    assert mine not in others and others <= set(range(2000, 2004))
    # Toward one remote all other ports are found, and then none.
    for n in range(3):
        there.open(protocol, (THIRD, 4000 + n), far(protocol, 50))
    assert there.attempt(protocol, (THIRD, 4003), far(protocol, 50)) == "no-port"
    assert there.admits(protocol, far(protocol, 60), (V4.external, mine))
    assert there.seen().destination == (HOST, 4000)


@EVERY_PROTOCOL
@pytest.mark.parametrize("general", ["quasi-restricted-cone", "symmetric", "quasi-symmetric"])
def test_a_quarter_of_the_ports_is_spared_for_who_needs_one_alone(
    engine: Engine, general: str, protocol: str
) -> None:
    there = site(engine, general, {HOST: "full-cone"}, ports="2000-2015")
    for n in range(100):
        there.open(protocol, (OTHER, 4000 + n), far(protocol, n))
    used = {row.external_port for row in there.mappings()}
    assert len(used) == 12
    mine = {there.open(protocol, (HOST, 4000 + n), far(protocol, n))[1] for n in range(4)}
    assert len(mine) == 4 and not mine & used
    assert there.attempt(protocol, (HOST, 5000), far(protocol)) == "no-port"


@EVERY_PROTOCOL
def test_who_finds_no_port_to_share_gets_one_that_was_spared(engine: Engine, protocol: str) -> None:
    there = site(engine, "quasi-restricted-cone", {HOST: "full-cone"}, ports="2000-2007")
    ports = {there.open(protocol, (OTHER, 4000 + n), far(protocol))[1] for n in range(8)}
    assert len(ports) == 8
    assert there.attempt(protocol, (OTHER, 5000), far(protocol)) == "no-port"


@pytest.mark.parametrize("protocol", ["udp", "icmp", "udplite"])
def test_a_port_of_a_consoles_rests_before_others_share_it(engine: Engine, protocol: str) -> None:
    """RFC 6888 REQ-8: strangers may still send to it."""
    hosts = {HOST: "full-cone"}
    there = site(engine, "quasi-symmetric", hosts, ports="2000-2001")
    rested = there.open(protocol, (HOST, 4000), far(protocol))[1]
    there.now += 61_000
    there.expire()
    assert there.open(protocol, (OTHER, 4000), far(protocol))[1] != rested
    # Nothing else is left toward that remote; so it is served first.
    assert there.open(protocol, (OTHER, 4001), far(protocol))[1] == rested
    there.now += 200_000
    there.expire()
    assert there.is_empty()
    again = {there.open(protocol, (OTHER, 5000 + n), far(protocol))[1] for n in range(2)}
    assert again == {2000, 2001}


def test_who_takes_a_port_that_has_rested_has_it_alone_or_shares_it(engine: Engine) -> None:
    """What counted its users begins anew."""
    there = site(engine, "quasi-symmetric", {HOST: "full-cone"}, ports="2000")
    for turn in range(3):
        there.open("udp", (HOST, 4000 + turn), far("udp"))
        assert there.attempt("udp", (OTHER, 4000), far("udp", 1)) == "no-port"
        there.now += 400_000
        there.expire()
        for n in range(3):
            there.open("udp", (OTHER, 4000 + n), far("udp", n))
        assert there.attempt("udp", (HOST, 4000), far("udp", 7)) == "no-port"
        there.now += 400_000
        there.expire()
        assert there.is_empty()


def test_a_host_may_have_its_share_of_ports_alone_or_of_shared_mappings(engine: Engine) -> None:
    limits = {"host_share": 50}
    there = site(engine, "quasi-symmetric", {HOST: "full-cone"}, ports="2000-2009", limits=limits)
    for n in range(5):
        there.open("udp", (HOST, 4000 + n), far("udp"))
    assert there.attempt("udp", (HOST, 4005), far("udp")) == "host-limit"
    for n in range(30):
        there.open("udp", (OTHER, 4000), far("udp", n))


@pytest.mark.parametrize(("sender", "receiver"), [(OTHER, HOST), (HOST, OTHER), (HOST, THIRD)])
def test_hosts_of_different_types_reach_each_other_by_their_outside_endpoints(
    engine: Engine, sender: str, receiver: str
) -> None:
    """RFC 4787 REQ-9, as far as the receiver's filter lets them."""
    hosts = {HOST: "full-cone", THIRD: "full-cone"}
    there = site(engine, "quasi-restricted-cone", hosts)
    door = there.open("udp", (receiver, 4000), far("udp"))
    verdict = there.attempt("udp", (sender, 5000), door)
    assert verdict == ("no-mapping" if receiver == OTHER else "translated")
    if verdict == "translated":
        assert there.seen().destination == (receiver, 4000)
        assert there.seen().source[0] == V4.external


def test_a_protocol_without_ports(engine: Engine) -> None:
    """One host alone has the protocol, or hosts one for each remote."""
    there = site(engine, "symmetric", {HOST: {"other": "full-cone"}}, ports="1-9999")
    remote, another = (REMOTES[0], 0), (REMOTES[1], 0)
    there.open("gre", (OTHER, 0), remote)
    there.open("gre", (THIRD, 0), another)
    assert there.attempt("gre", (HOST, 0), (REMOTES[2], 0)) == "no-port"
    there.now += 700_000
    there.expire()
    there.open("gre", (HOST, 0), remote)
    assert there.attempt("gre", (OTHER, 0), another) == "no-port"
    assert there.admits("gre", (REMOTES[5], 0), (V4.external, 0))


WAYS = ("full-cone", "restricted-cone", "quasi-restricted-cone", "quasi-port-restricted-cone")
ALL_WAYS = (*WAYS, "quasi-symmetric", "symmetric", "symmetric-address", "eim/apdf+parity")
STEPS = st.lists(
    st.tuples(
        st.integers(0, len(ALL_WAYS) - 1),
        st.integers(0, 3),
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from([0, 0, 0, 20, 61, 200]),
    ),
    max_size=60,
)


@examples(60)
@given(steps=STEPS, protocol=st.sampled_from(["udp", "tcp"]))
def test_whatever_shares_ports_every_answer_comes_to_who_asked(
    engine: Engine, steps: list[tuple[int, int, int, int, int]], protocol: str
) -> None:
    """A host of every type on few ports: of one port all mappings differ in the same way."""
    hosts = {host: way for host, way in zip(V4.hosts, ALL_WAYS, strict=False)}
    there = site(engine, "quasi-restricted-cone", hosts, ports="2000-2011")
    shares = {
        host: int(engine.modules["nat.rules.behaviour"].parse_behaviour(way).share)
        for host, way in hosts.items()
    }
    for which, internal, remote, port, seconds in steps:
        there.now += seconds * 1000
        there.expire()
        inside, target = (V4.hosts[which], 4000 + internal), far(protocol, remote, 80 + port)
        if there.attempt(protocol, inside, target) == "translated":
            external = there.seen().source
            assert there.answer(protocol, target, external) == "translated"
            assert there.seen().destination == inside
        by_port = defaultdict(list)
        for row in there.mappings():
            by_port[row.external_port].append(row)
        for rows in by_port.values():
            (share,) = {shares[row.internal] for row in rows}
            assert share or len(rows) == 1
            remotes = {(row.remote, row.remote_port)[:share] for row in rows}
            assert share == 0 or len(remotes) >= len({row.internal for row in rows})
    there.now += 9_000_000
    there.expire()
    assert there.is_empty()


def hand_over(there: Site, general: str, hosts: dict[str, Any], **more: Any) -> Any:
    after = site(there.engine, general, hosts, **more)
    moved = there.engine.modules["nat.handover.flow_transfer"].transfer(
        there.nat, after.nat, there.now
    )
    there.nat, there.settings = after.nat, after.settings
    return moved


@pytest.mark.parametrize("ports", ["2000-2063", "2000"])
def test_when_a_host_gets_another_type_what_it_permits_goes_on(engine: Engine, ports: str) -> None:
    there = site(engine, "quasi-symmetric", {}, ports=ports)
    mine = [there.open("udp", (HOST, 4000), far("udp", n)) for n in range(2)]
    there.now += 5_000
    theirs = there.open("udp", (OTHER, 4000), far("udp", 2))
    moved = hand_over(there, "quasi-symmetric", {HOST: "full-cone"}, ports=ports)
    assert there.answer("udp", far("udp", 2), theirs) == "translated"
    if ports == "2000":
        # The neighbour has the port, and the console would need it alone.
        assert (moved.kept, moved.ended) == (1, 2)
        return
    assert moved.kept == 2 and there.admits("udp", far("udp", 9), mine[1])
    # And back again: what strangers opened goes, what the host did not.
    moved = hand_over(there, "quasi-symmetric", {}, ports=ports)
    assert (moved.kept, moved.ended) == (2, 1)
    assert there.answer("udp", far("udp", 1), mine[1]) == "translated"


def test_who_used_a_port_last_has_it_alone_when_others_shared_it(engine: Engine) -> None:
    there = site(engine, "quasi-symmetric", {}, ports="2000")
    there.open("udp", (OTHER, 4000), far("udp", 2))
    there.now += 5_000
    mine = there.open("udp", (HOST, 4000), far("udp"))
    moved = hand_over(there, "quasi-symmetric", {HOST: "full-cone"}, ports="2000")
    assert (moved.kept, moved.ended) == (1, 1)
    assert there.admits("udp", far("udp", 2), mine)
    assert there.seen().destination == (HOST, 4000)


def test_ports_go_on_resting_when_a_type_is_added(engine: Engine) -> None:
    hosts = {HOST: "full-cone"}
    there = site(engine, "quasi-symmetric", hosts, ports="2000-2001")
    rested = there.open("udp", (HOST, 4000), far("udp"))[1]
    there.now += 61_000
    there.expire()
    hand_over(there, "quasi-symmetric", {**hosts, THIRD: "restricted-cone"}, ports="2000-2001")
    assert there.open("udp", (OTHER, 4000), far("udp"))[1] != rested
    there.now += 200_000
    there.expire()
    assert {there.open("udp", (OTHER, 4000 + n), far("udp"))[1] for n in range(2)} == {2000, 2001}


def test_flows_of_hosts_with_types_go_into_a_file_and_back(engine: Engine) -> None:
    hosts = {HOST: "full-cone", THIRD: "symmetric"}
    there = site(engine, "quasi-restricted-cone", hosts)
    doors = {
        (host, n): there.open("udp", (host, 4000), far("udp", n))
        for host, n in product((HOST, OTHER, THIRD), range(3))
    }
    forms = flows_of(engine, there.nat, there.now, page=7)
    again = site(engine, "quasi-restricted-cone", hosts)
    transfer = engine.modules["nat.handover.flow_transfer"]
    assert transfer.restore(again.nat, bytearray(forms), 0, 0) == len(doors)
    for (host, n), door in doors.items():
        assert again.answer("udp", far("udp", n), door) == "translated"
        assert again.seen().destination == (host, 4000)
    assert again.admits("udp", far("udp", 9), doors[HOST, 0])
    assert not again.admits("udp", far("udp", 9), doors[THIRD, 0])


def explained(there: Site, protocol: str, source: Endpoint, destination: Endpoint) -> Any:
    ends = [(ip_address(address), port) for address, port in (source, destination)]
    return there.nat.explain(protocol, *ends, there.now, None)


def test_explain_says_which_rule_gave_the_type(engine: Engine) -> None:
    hosts = {"192.168.1.0/24": "restricted-cone", HOST: {"udp": "eim/eif+parity"}}
    there = site(engine, "symmetric", hosts)
    for protocol, host, name, prefix in (
        ("udp", HOST, "eim/eif+exclusive+random+parity", f"{HOST}/32"),
        ("tcp", HOST, "restricted-cone", "192.168.1.0/24"),
        ("tcp", OTHER, "restricted-cone", "192.168.1.0/24"),
        ("udp", "192.168.9.1", "symmetric", None),
    ):
        for mapping in ("new", "existing"):
            said = explained(
                there, protocol, (host, 4000), far(protocol, 0 if mapping == "new" else 1)
            )
            assert (said.nat_type, said.nat_type_of) == (name, prefix)
            source = f"hosts in {prefix} (host-nat)" if prefix else "all hosts"
            assert f"its NAT type is {name}, that of {source}" in said.steps
            there.open(protocol, (host, 4000), far(protocol))
    door = there.open("udp", (HOST, 4000), far("udp"))
    said = explained(there, "udp", far("udp", 5), door)
    assert (said.verdict, said.nat_type_of) == ("translated", f"{HOST}/32")


def test_without_types_of_hosts_explain_has_no_more_to_say(engine: Engine) -> None:
    there = Site(engine, "full-cone")
    said = explained(there, "udp", (HOST, 4000), far("udp"))
    assert (said.nat_type, said.nat_type_of) == ("full-cone", None)
    assert not any("NAT type" in step for step in said.steps)


REFUSED = [
    ({"192.168.1.0/24": {}}, "192.168.1.0/24 has no type; give it one"),
    ({"10.0.0.0/24": "full-cone"}, "10.0.0.0/24 does not lie in any internal prefix"),
    ({"192.0.0.0/8": "full-cone"}, "192.0.0.0/8 does not lie in any internal prefix"),
    ({"2001:db8:2::/64": "full-cone"}, "2001:db8:2::/64 does not lie in any internal prefix"),
    (
        {f"192.168.{n // 200}.{n % 200}": "full-cone" for n in range(257)},
        "257 prefixes; at most 256 work",
    ),
    (
        {f"192.168.0.{n}": {"udp": WAYS[n // 4], "tcp": ALL_WAYS[4 + n % 4]} for n in range(16)},
        "more than 15 different combinations of types",
    ),
]


@pytest.mark.parametrize(("hosts", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_be_is_refused(engine: Engine, hosts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="^host-nat: ") as caught:
        site(engine, "full-cone", hosts)
    assert message in str(caught.value)


def test_a_prefix_given_twice_and_one_that_is_excepted_are_refused(engine: Engine) -> None:
    once = site(engine, "full-cone", {HOST: "symmetric"}).settings
    with pytest.raises(ValueError, match=f"host-nat: {HOST}/32 is given twice"):
        replace(once, hosts=once.hosts * 2)
    with pytest.raises(ValueError, match=f"host-nat: {HOST}/32 lies outside by internal-except"):
        replace(once, internal_except=(ip_network("192.168.1.0/24"),))


def test_as_many_classes_and_prefixes_as_may_be(engine: Engine) -> None:
    several = {
        f"192.168.{n // 200}.{n % 200}": {"udp": WAYS[n % 15 // 4], "tcp": ALL_WAYS[4 + n % 15 % 4]}
        for n in range(256)
    }
    there = site(engine, "eim/eif+preserve", several, ports="1-9999")
    for n, host in enumerate(several):
        wide = 1 if n % 15 // 4 else 0
        door = there.open("udp", (host, 4000), far("udp"))
        assert there.admits("udp", far("udp", 1), door) == (wide == 0)
    assert there.attempt("udp", ("192.168.200.1", 4000), far("udp")) == "translated"
