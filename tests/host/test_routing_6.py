"""host/installation/install_changes.py for IPv6 and several external addresses, with a real TUN in
a throw-away namespace: which way packets go, and from where the router reports its errors."""

from __future__ import annotations

import os
import select
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from ratsnake.device.linux_tun import LinuxTun
from ratsnake.host.installation.install_changes import install
from ratsnake.host.kernel import ip_family
from ratsnake.host.kernel.route_dump import PROTOCOL
from ratsnake.host.routing.routing_request import Request, RoutingError
from ratsnake.lab.namespace import Namespace

EXTERNAL = IPv6Address("2001:db8:3::1")
INTERNAL = IPv6Network("2001:db8:1::/64")
REQUEST = Request("nat0", ("lan0",), (EXTERNAL,), (INTERNAL,))
BOTH = Request(
    "nat0",
    ("lan0",),
    (IPv4Address("203.0.113.1"), EXTERNAL, IPv4Address("203.0.113.2")),
    (IPv4Network("192.0.2.128/25"), INTERNAL),
)
HOST, SILENT = "2001:db8:1::130", "2001:db8:1::131"
REMOTE = "2001:db8:9::1"
ROUTER = "100::8"

_ADDRESSES = (("lan0", "2001:db8:1::1"), ("wan0", "2001:db8:2::fe"))
_NEIGHBOURS = (("lan0", HOST, "02:00:00:00:00:01"), ("wan0", "2001:db8:2::1", "02:00:00:00:00:02"))
_SETTINGS = (
    ("icmp.ratelimit", 0),
    ("conf.default.accept_dad", 0),
)
#: Who does not answer is given up at once.
_IMPATIENT = (("neigh.lan0.mcast_solicit", 1), ("neigh.lan0.retrans_time_ms", 10))
_UNREACHABLE, _TOO_BIG, _TIME_EXCEEDED = 1, 2, 3  # RFC 4443
_DEADLINE = 10.0


@pytest.fixture
def machine() -> Iterator[Namespace]:
    """A router with a LAN, and a WAN with a default route, whose neighbours are known."""
    try:
        namespace = Namespace("machine")
    except OSError as error:
        pytest.skip(f"no network namespaces here: {error}")
    with namespace, namespace.entered():
        for name, value in _SETTINGS:
            namespace.sysctl(f"net.ipv6.{name}", value)
        with namespace.netlink() as netlink:
            netlink.link("set", index=1, state="up")
            for name, address in _ADDRESSES:
                netlink.link("add", ifname=name, kind="veth", peer=f"{name}-peer")
                for end in (f"{name}-peer", name):
                    netlink.link("set", index=_index(netlink, end), state="up")
                netlink.addr("add", index=_index(netlink, name), address=address, prefixlen=64)
            for name, address, link in _NEIGHBOURS:
                netlink.neigh(
                    "add", dst=address, lladdr=link, ifindex=_index(netlink, name), state=0x80
                )
            netlink.route("add", family=10, dst="::/0", gateway="2001:db8:2::1")
        namespace.await_ipv6([address for _, address in _ADDRESSES])
        for name, value in _IMPATIENT:
            namespace.sysctl(f"net.ipv6.{name}", value)
        yield namespace


@pytest.fixture
def tun(machine: Namespace) -> Iterator[LinuxTun]:
    with _device() as device:
        yield device


def _device() -> LinuxTun:
    """What the NAT has at its start."""
    with ExitStack() as stack:
        device = stack.enter_context(LinuxTun("nat0", offload=False))
        device.bring_up(65535)
        stack.pop_all()
    return device


def _index(netlink: Any, name: str) -> int:
    (index,) = netlink.link_lookup(ifname=name)
    return int(index)


def _ours(namespace: Namespace) -> tuple[list[Any], list[Any]]:
    """The rules and routes of both families that are ours."""
    with namespace.netlink() as netlink:
        rules = [rule for number in (2, 10) for rule in netlink.get_rules(family=number)]
        routes = [route for number in (2, 10) for route in netlink.get_routes(family=number)]
    return (
        [rule for rule in rules if rule.get_attr("FRA_PROTOCOL") == PROTOCOL],
        [route for route in routes if route["proto"] == PROTOCOL],
    )


def _setting(path: str) -> str:
    return Path("/proc/sys/net", path).read_text().strip()


def _state(namespace: Namespace) -> tuple[object, ...]:
    """Everything a plan touches in IPv6, to compare before and after."""
    paths = [f"ipv6/conf/{name}/forwarding" for name in ("all", "default", "lan0", "wan0", "nat0")]
    settings = [_setting(path) for path in (*paths, "ipv6/conf/nat0/disable_ipv6")]
    with namespace.netlink() as netlink:
        return (
            settings,
            [str(rule["attrs"]) for rule in netlink.get_rules(family=10)],
            sorted(
                f"{route.get_attr('RTA_DST')} {route.get_attr('RTA_TABLE')}"
                for route in netlink.get_routes(family=10)
                if not _by_itself(route.get_attr("RTA_DST"))
            ),
            sorted(
                address.get_attr("IFA_ADDRESS")
                for address in netlink.get_addr(family=10)
                if not _by_itself(address.get_attr("IFA_ADDRESS"))
            ),
        )


def _by_itself(destination: str | None) -> bool:
    """Whether the kernel adds it when it likes: link-local addresses and multicast."""
    return destination is not None and destination.startswith(("fe80", "ff"))


def _way(namespace: Namespace, destination: str, **how: Any) -> str:
    """The interface the kernel would send to."""
    with namespace.netlink() as netlink:
        if "iif" in how:
            how["iif"] = _index(netlink, how["iif"])
        (route,) = netlink.route("get", dst=destination, **how)
        (link,) = netlink.get_links(route.get_attr("RTA_OIF"))
        return str(link.get_attr("IFLA_IFNAME"))


def _datagram(source: str, destination: str, size: int = 100, hop_limit: int = 64) -> bytes:
    """A UDP datagram of `size` octets in all."""
    length = size - 40
    return (
        struct.pack("!IHBB", 6 << 28, length, 17, hop_limit)
        + IPv6Address(source).packed
        + IPv6Address(destination).packed
        + struct.pack("!HHHH", 1000, 2000, length, 1)
        + bytes(length - 8)
    )


def _answer(tun: LinuxTun) -> tuple[str, str, int, int]:
    """The next packet the kernel gives the NAT: source, destination, ICMPv6 type and MTU field."""
    assert select.select([tun], [], [], _DEADLINE)[0], "nothing came"
    packet = tun.read()
    assert packet is not None and packet[6] == 58
    source, destination = (str(IPv6Address(packet[at : at + 16])) for at in (8, 24))
    return source, destination, packet[40], int.from_bytes(packet[44:48], "big")


def _narrow(machine: Namespace, name: str) -> None:
    with machine.netlink() as netlink:
        netlink.link("set", index=_index(netlink, name), mtu=1300)


@pytest.mark.usefixtures("tun")
@pytest.mark.parametrize("wanted", [REQUEST, BOTH])
def test_packets_of_the_lan_go_through_the_device_and_back(
    machine: Namespace, wanted: Request
) -> None:
    assert install(wanted).warnings == ()
    from_lan = {"src": HOST, "iif": "lan0"}
    assert _way(machine, REMOTE, **from_lan) == "nat0"
    assert _way(machine, str(EXTERNAL), **from_lan) == "nat0"  # hairpin
    assert _way(machine, SILENT, **from_lan) == "lan0"  # thrown: not the NAT's
    assert _way(machine, str(EXTERNAL)) == "nat0"
    assert _way(machine, REMOTE) == "wan0"  # the host's own packets
    assert _way(machine, REMOTE, src=str(EXTERNAL), iif="nat0") == "wan0"
    assert _way(machine, HOST, src=REMOTE, iif="nat0") == "lan0"


@pytest.mark.usefixtures("tun")
@pytest.mark.parametrize(
    ("source", "destination"), [(str(EXTERNAL), REMOTE), (HOST, str(EXTERNAL))]
)
def test_forged_addresses_are_thrown_away(
    machine: Namespace, source: str, destination: str
) -> None:
    install(REQUEST)
    with pytest.raises(Exception, match="Invalid argument"):  # a blackhole
        _way(machine, destination, src=source, iif="wan0")


@pytest.mark.parametrize("wanted", [REQUEST, BOTH])
def test_undo_leaves_the_host_as_it_was(machine: Namespace, tun: LinuxTun, wanted: Request) -> None:
    machine.sysctl("net.ipv6.conf.lan0.forwarding", 1)
    before = _state(machine)
    installed = install(wanted)
    assert _setting("ipv6/conf/all/forwarding") == "1"
    assert installed.undo() == ()
    assert _state(machine) == before
    assert _ours(machine) == ([], [])
    assert installed.undo() == ()


@pytest.mark.usefixtures("tun")
def test_a_family_without_an_address_is_left_alone(machine: Namespace) -> None:
    before = _state(machine)
    install(Request("nat0", ("lan0",), BOTH.external[:1], BOTH.internal[:1]))
    assert _state(machine) == before


@pytest.mark.usefixtures("tun")
def test_ipv6_alone_leaves_ipv4_alone(machine: Namespace) -> None:
    machine.sysctl("net.ipv4.ip_forward", 0)
    install(REQUEST)
    assert _setting("ipv4/ip_forward") == "0"
    assert {rule["family"] for rule in _ours(machine)[0]} == {10}


@pytest.mark.usefixtures("tun")
def test_inside_without_an_external_address_of_its_family_does_not_leak(machine: Namespace) -> None:
    install(Request("nat0", ("lan0",), BOTH.external[:1], BOTH.internal))
    assert _way(machine, REMOTE, src=HOST, iif="lan0") == "nat0"


@pytest.mark.usefixtures("tun")
def test_where_new_interfaces_have_no_ipv6(machine: Namespace) -> None:
    machine.sysctl("net.ipv6.conf.nat0.disable_ipv6", 1)
    installed = install(REQUEST)
    assert _way(machine, str(EXTERNAL)) == "nat0"
    installed.undo()
    assert _setting("ipv6/conf/nat0/disable_ipv6") == "1"


@pytest.mark.parametrize(
    ("packet", "narrow", "report"),
    [
        (_datagram(str(EXTERNAL), REMOTE, 1400), "wan0", (_TOO_BIG, 1300)),
        (_datagram(str(EXTERNAL), REMOTE, hop_limit=1), "", (_TIME_EXCEEDED, 0)),
        (_datagram(REMOTE, HOST, 1400), "lan0", (_TOO_BIG, 1300)),
        (_datagram(REMOTE, HOST, hop_limit=1), "", (_TIME_EXCEEDED, 0)),
        (_datagram(REMOTE, SILENT), "", (_UNREACHABLE, 0)),
    ],
    ids=["out: too big", "out: hop limit", "in: too big", "in: hop limit", "in: nobody there"],
)
def test_the_routers_errors_go_back_into_the_device(
    machine: Namespace, tun: LinuxTun, packet: bytes, narrow: str, report: tuple[int, int]
) -> None:
    """From the address by which the NAT knows them; nothing else comes that the NAT must see."""
    install(REQUEST)
    if narrow:
        _narrow(machine, narrow)
    os.write(tun.fileno(), packet)
    sender = str(IPv6Address(packet[8:24]))
    assert _answer(tun) == (ROUTER, sender, *report)


def test_a_translated_error_of_the_router_reaches_the_lan(
    machine: Namespace, tun: LinuxTun
) -> None:
    """What came back as for the external address goes on to the LAN host, from the same source."""
    install(REQUEST)
    with machine.socket(17, 3, 0x86DD) as lan:  # AF_PACKET, SOCK_RAW
        lan.bind(("lan0-peer", 0x86DD))
        os.write(tun.fileno(), _datagram(ROUTER, HOST))
        while True:
            assert select.select([lan], [], [], _DEADLINE)[0]
            packet = lan.recv(2000)[14:]
            if packet[8:24] == IPv6Address(ROUTER).packed:
                break
    assert packet[24:40] == IPv6Address(HOST).packed


def test_errors_find_the_nat_they_belong_to(machine: Namespace, tun: LinuxTun) -> None:
    install(REQUEST)
    install(Request("wan0", ("nat0",), (IPv6Address("2001:db8:3::2"),), (INTERNAL,)))
    assert _way(machine, "2001:db8:3::1", src=ROUTER) == "nat0"
    assert _way(machine, "2001:db8:3::2", src=ROUTER) == "wan0"


def test_what_a_killed_run_left_behind_is_removed(machine: Namespace) -> None:
    with _device():
        install(BOTH)
    with pytest.raises(Exception, match="No route to host|unreachable"):  # and does not leak
        _way(machine, REMOTE, src=HOST, iif="lan0")
    before = len(_ours(machine)[0])
    with _device():
        installed = install(BOTH)
        assert len(_ours(machine)[0]) == before
        installed.undo()
        assert _ours(machine) == ([], [])


@pytest.mark.parametrize(
    "successor",
    [
        Request("nat0", ("lan0",), BOTH.external[:1], BOTH.internal[:1]),
        Request("nat0", ("wan0",), (EXTERNAL,), (INTERNAL,)),
        Request("nat0", ("wan0",), BOTH.external[2:], BOTH.internal[:1]),
    ],
    ids=["the LAN, other families", "the IPv6 address", "one of the IPv4 addresses"],
)
def test_a_successor_in_anything_removes_all_a_killed_run_left(
    machine: Namespace, successor: Request
) -> None:
    with _device():
        install(BOTH)
    with _device():
        install(successor).undo()
    assert _ours(machine) == ([], [])


def test_a_live_run_is_not_taken_for_a_killed_one(machine: Namespace, tun: LinuxTun) -> None:
    install(REQUEST)
    before = len(_ours(machine)[0])
    install(Request("wan0", ("nat0",), (IPv6Address("2001:db8:3::2"),), (INTERNAL,)))
    assert len(_ours(machine)[0]) == 2 * before


@pytest.mark.usefixtures("tun")
def test_neighbouring_addresses_share_their_rules(machine: Namespace) -> None:
    """The kernel tries rules one by one for every packet."""
    pool = tuple(IPv4Address("203.0.113.16") + n for n in range(16))
    install(Request("nat0", ("lan0",), pool, BOTH.internal[:1]))
    rules, _ = _ours(machine)
    sources = [
        f"{rule.get_attr('FRA_SRC')}/{rule['src_len']}"
        for rule in rules
        if rule.get_attr("FRA_PRIORITY") == 21000
    ]
    assert sources == ["203.0.113.16/28"]
    assert all(_way(machine, str(address)) == "nat0" for address in (pool[0], pool[15]))


def test_an_external_prefix_is_as_good_as_its_addresses(machine: Namespace) -> None:
    with _device():
        install(Request("nat0", ("lan0",), (IPv6Network("2001:db8:3::/64"),), (INTERNAL,)))
        assert _way(machine, "2001:db8:3::77") == "nat0"
    with _device():  # a successor for one of the addresses finds what a killed run left
        install(Request("nat0", ("wan0",), (IPv6Address("2001:db8:3::77"),), (INTERNAL,))).undo()
        assert _ours(machine) == ([], [])
        for prefix in ("2001:db8:2::/64", "2001:db8::/32"):
            with pytest.raises(RoutingError, match="is assigned to|is inside the internal"):
                install(Request("nat0", ("lan0",), (IPv6Network(prefix),), (INTERNAL,)))


@pytest.mark.usefixtures("tun")
def test_an_external_address_of_the_host_is_refused(machine: Namespace) -> None:
    before = _state(machine)
    with pytest.raises(RoutingError, match=r"2001:db8:2::fe: is assigned to wan0 of this host"):
        install(Request("nat0", ("lan0",), (EXTERNAL, IPv6Address("2001:db8:2::fe")), (INTERNAL,)))
    with pytest.raises(RoutingError, match=r"2001:db8:1::9: is inside the internal prefix"):
        install(Request("nat0", ("lan0",), (IPv6Address("2001:db8:1::9"),), (INTERNAL,)))
    assert _state(machine) == before


@pytest.mark.usefixtures("machine", "tun")
def test_a_kernel_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ip_family, "FAMILIES", (ip_family.IPV4,))
    with pytest.raises(RoutingError, match="this kernel has no IPv6: leave out --external"):
        install(BOTH)


@pytest.mark.usefixtures("tun")
def test_an_advertised_route_that_will_be_lost_is_a_warning(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        wan = {"gateway": "2001:db8:2::1", "oif": _index(netlink, "wan0"), "proto": 9}
        netlink.route("add", family=10, dst="::/0", priority=2000, **wan)
    installed = install(REQUEST)
    (warning,) = installed.warnings
    assert warning.startswith("interface wan0 has IPv6 routes from router advertisements")
    assert warning.endswith("set net.ipv6.conf.wan0.accept_ra=2 before")
    late = install(Request("lan0", ("wan0",), (EXTERNAL + 1,), (INTERNAL,))).warnings
    assert not any("router advertisements" in warning for warning in late)
    installed.undo()


@pytest.mark.usefixtures("tun")
def test_an_advertised_route_that_stays_is_none(machine: Namespace) -> None:
    machine.sysctl("net.ipv6.conf.wan0.accept_ra", 2)
    with machine.netlink() as netlink:
        wan = {"gateway": "2001:db8:2::1", "oif": _index(netlink, "wan0"), "proto": 9}
        netlink.route("add", family=10, dst="::/0", priority=2000, **wan)
    assert install(REQUEST).warnings == ()


@pytest.mark.usefixtures("tun")
def test_the_hosts_own_packets_with_lan_lo(machine: Namespace) -> None:
    """They are sent from an inside address; those for the link stay there."""
    install(Request("nat0", ("lo",), (EXTERNAL,), (INTERNAL,)))
    assert _way(machine, REMOTE) == "nat0"
    with machine.netlink() as netlink:
        (route,) = netlink.route("get", dst=REMOTE)
        assert route.get_attr("RTA_PREFSRC") == "2001:db8:1::1"
        oif = _index(netlink, "wan0")
    assert _way(machine, "fe80::1", oif=oif) == "wan0"


def test_the_routers_own_errors_come_from_the_discard_prefix() -> None:
    assert IPv6Address(ip_family.IPV6.router) in IPv6Network("100::/64")
