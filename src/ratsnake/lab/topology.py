"""The network every lab uses, and its addresses.

     LAN (internal)                 router                         internet (external)
    ┌─────────────┐          ┌──────────────────┐                 ┌─────────────────────┐
    │ host 0      │ eth0     │                  │                 │ remote addresses    │
    │ 192.0.2.130 ├────┐lan0 │  a gateway goes  │wan0         eth0│ 198.51.100.1        │
    └─────────────┘    ├─────┤  here: nat(),    ├─────────────────┤ 198.51.100.2        │
    ┌─────────────┐    │     │  masquerade() or │                 │ 198.51.100.3        │
    │ host 1      │ eth0     │  forward()       │                 │ (.4, … on request)  │
    │ 192.0.2.131 ├────┘.129 │                  │.254             │                     │
    └─────────────┘          └──────────────────┘                 └─────────────────────┘
       192.0.2.128/25                       198.51.100.0/24
                              external addresses 203.0.113.1, .2, …, which the
                              internet routes to the router, and the router to nobody yet

With `ipv6=True` every box has IPv6 addresses too: the LAN 2001:db8:1::/64 (router ::129, hosts
::130, ::131), the WAN 2001:db8:2::/64 (remotes ::1, ::2, …, router ::254), external 2001:db8:3::1.

Every box is a network namespace, every line a veth pair.  With one host lan0 is the router's end
of the pair itself, with more it is a bridge.  192.0.2.2 stays outside the LAN: it is the NAT's own
address for status requests.  The router has no default route, and the internet no route to the LAN:
what leaks untranslated or comes for nobody is lost and not passed around.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from .ethtool import without_offloads
from .namespace import Namespace

LAN_INTERFACE = "lan0"
WAN_INTERFACE = "wan0"
LAN_PREFIX, LAN_PREFIX_6 = "192.0.2.128/25", "2001:db8:1::/64"
ROUTER_LAN, ROUTER_LAN_6 = "192.0.2.129", "2001:db8:1::129"
ROUTER_WAN, ROUTER_WAN_6 = "198.51.100.254", "2001:db8:2::254"
# While ratsnake runs, in the router's own errors (host/kernel/ip_family.py).
ROUTER_NAT, ROUTER_NAT_6 = "192.0.0.8", "100::8"
EXTERNAL, EXTERNAL_6 = "203.0.113.1", "2001:db8:3::1"
EXTERNAL_2 = "203.0.113.2"

#: What the internet routes to the router.
_EXTERNAL_PREFIXES = ("203.0.113.0/24", "2001:db8:3::/64")
_FIRST_HOST = 130
_MAX_HOSTS = 254 - _FIRST_HOST + 1
_MAX_REMOTES = 253
_HOST_INTERFACE = "eth0"
_FIRST_INDEX = 100
_LINK_DEADLINE = 10.0  # seconds

#: Settings of every namespace: name, value, why.
_SYSCTLS = (
    ("net.ipv6.conf.default.disable_ipv6", 1, "no packets but those a test sends"),
    ("net.ipv6.conf.all.disable_ipv6", 1, "the same"),
    ("net.ipv4.icmp_ratelimit", 0, "a second traceroute within a second is answered too"),
)
#: Those with IPv6, after them.  What a NAT adds to the router still starts without IPv6.
_SYSCTLS_6 = (
    ("net.ipv6.conf.all.disable_ipv6", 0, ""),
    ("net.ipv6.conf.default.disable_ipv6", 1, "no packets but those of the links below"),
    ("net.ipv6.conf.default.accept_dad", 0, "addresses work at once"),
    ("net.ipv6.conf.default.accept_ra", 0, "no router solicitations"),
    ("net.ipv6.icmp.ratelimit", 0, "as with IPv4"),
)


@dataclass(frozen=True)
class Host:
    """A host of the LAN; `address_6` is None in a network without IPv6."""

    namespace: Namespace
    address: str
    address_6: str | None = None

    def of(self, version: int) -> str:
        """Its IPv4 or IPv6 address; raises ValueError where it has none."""
        address = self.address if version == 4 else self.address_6
        if address is None:
            raise ValueError("ipv6: this network has none, right is Topology(ipv6=True)")
        return address


class Topology:
    """The network above, from construction until `close` or the end of the `with`.

    `hosts` (1-125) and `remotes` (1-253) say how many there are, `mtu` is in octets for every link,
    `wan_mtu` for the router's end of the WAN if that differs (the way out is then narrower),
    `offloads=False` makes every link carry real frames only, `ipv6=True` adds IPv6 to it all.
    Raises OSError.
    """

    def __init__(
        self,
        hosts: int = 1,
        remotes: int = 3,
        mtu: int = 1500,
        wan_mtu: int | None = None,
        offloads: bool = True,
        ipv6: bool = False,
    ) -> None:
        if not 1 <= hosts <= _MAX_HOSTS:
            raise ValueError(f"hosts: {hosts} is not between 1 and {_MAX_HOSTS}")
        if not 1 <= remotes <= _MAX_REMOTES:
            raise ValueError(f"remotes: {remotes} is not between 1 and {_MAX_REMOTES}")
        self._mtu = mtu
        self._wan_mtu = wan_mtu or mtu
        self.ipv6 = ipv6
        self._interfaces: list[tuple[Namespace, str]] = []
        self._stack = ExitStack()
        with self._stack:
            self.router = self._namespace("router")
            self.internet = self._namespace("internet")
            self.remotes = tuple(f"198.51.100.{n}" for n in range(1, remotes + 1))
            self.remotes_6 = tuple(f"2001:db8:2::{n}" for n in range(1, remotes + 1) if ipv6)
            self.hosts = tuple(self._host(n) for n in range(hosts))
            self._build_wan()
            self._build_lan()
            self._wait_for_links()
            # A bridge opened after its ports are up works at once, else when linkwatch looks.
            _configure(self.router, LAN_INTERFACE, (f"{ROUTER_LAN}/25",))
            if ipv6:
                self._add_ipv6()
            if not offloads:
                self._stack.enter_context(without_offloads(*self._interfaces))
            self._stack = self._stack.pop_all()  # nothing failed: keep it all until close()

    def __enter__(self) -> Topology:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    @property
    def interfaces(self) -> tuple[tuple[Namespace, str], ...]:
        """Every veth end, as `ethtool.without_offloads` takes them."""
        return tuple(self._interfaces)

    def remotes_of(self, version: int) -> tuple[str, ...]:
        """The IPv4 or IPv6 remote addresses."""
        return self.remotes if version == 4 else self.remotes_6

    def _host(self, number: int) -> Host:
        last = _FIRST_HOST + number
        address_6 = f"2001:db8:1::{last}" if self.ipv6 else None
        return Host(self._namespace(f"host {number}"), f"192.0.2.{last}", address_6)

    def _namespace(self, label: str) -> Namespace:
        namespace = self._stack.enter_context(Namespace(label))
        for name, value, _ in (*_SYSCTLS, *(_SYSCTLS_6 if self.ipv6 else ())):
            try:
                namespace.sysctl(name, value)
            except FileNotFoundError:  # a kernel without IPv6
                continue
        with namespace.netlink() as netlink:
            netlink.link("set", index=1, state="up")
        return namespace

    def _build_wan(self) -> None:
        self._pair((self.router, WAN_INTERFACE), (self.internet, _HOST_INTERFACE))
        with self.router.netlink() as netlink:
            (index,) = netlink.link_lookup(ifname=WAN_INTERFACE)
            netlink.link("set", index=index, mtu=self._wan_mtu)
        _configure(self.router, WAN_INTERFACE, (f"{ROUTER_WAN}/24",))
        _configure(
            self.internet, _HOST_INTERFACE, tuple(f"{address}/24" for address in self.remotes)
        )
        with self.internet.netlink() as netlink:
            netlink.route("add", dst=_EXTERNAL_PREFIXES[0], gateway=ROUTER_WAN)

    def _build_lan(self) -> None:
        bridged = len(self.hosts) > 1
        if bridged:
            with self.router.netlink() as netlink:
                netlink.link("add", ifname=LAN_INTERFACE, kind="bridge")
        for number, host in enumerate(self.hosts):
            port = f"port{number}" if bridged else LAN_INTERFACE
            self._pair((self.router, port), (host.namespace, _HOST_INTERFACE))
            if bridged:
                with self.router.netlink() as netlink:
                    (bridge,) = netlink.link_lookup(ifname=LAN_INTERFACE)
                    (index,) = netlink.link_lookup(ifname=port)
                    netlink.link("set", index=index, master=bridge)
            _configure(self.router, port, ())
            _configure(host.namespace, _HOST_INTERFACE, (f"{host.address}/25",))
            with host.namespace.netlink() as netlink:
                netlink.route("add", dst="default", gateway=ROUTER_LAN)

    def _add_ipv6(self) -> None:
        """Once links are up: only then has IPv6 routes by them."""
        _configure_6(self.router, WAN_INTERFACE, (ROUTER_WAN_6,))
        _configure_6(self.internet, _HOST_INTERFACE, self.remotes_6)
        with self.internet.netlink() as netlink:
            netlink.route("add", dst=_EXTERNAL_PREFIXES[1], gateway=ROUTER_WAN_6)
        _configure_6(self.router, LAN_INTERFACE, (ROUTER_LAN_6,))
        for host in self.hosts:
            _configure_6(host.namespace, _HOST_INTERFACE, (host.of(6),))
            with host.namespace.netlink() as netlink:
                netlink.route("add", dst="::/0", gateway=ROUTER_LAN_6)

    def _pair(self, near: tuple[Namespace, str], far: tuple[Namespace, str]) -> None:
        """A veth pair.  Its ends get different indices: for a veth whose index is its peer's the
        kernel (linkwatch) takes up to a second to notice the carrier."""
        index = _FIRST_INDEX + len(self._interfaces)
        peer: dict[str, Any] = {
            "ifname": far[1],
            "index": index + 1,
            "mtu": self._mtu,
            "net_ns_fd": far[0].fileno(),
        }
        with near[0].netlink() as netlink:
            netlink.link("add", index=index, ifname=near[1], kind="veth", mtu=self._mtu, peer=peer)
        self._interfaces += (near, far)

    def _wait_for_links(self) -> None:
        """A link is usable a moment after it is set up; packets before that would be lost."""
        deadline = time.monotonic() + _LINK_DEADLINE
        for namespace, interface in self._interfaces:
            with namespace.netlink() as netlink:
                while not _is_up(netlink, interface):
                    if time.monotonic() > deadline:
                        raise OSError(f"{namespace}: {interface} did not come up")


def _configure(namespace: Namespace, interface: str, addresses: tuple[str, ...]) -> None:
    with namespace.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname=interface)
        for address in addresses:
            host, length = address.split("/")
            netlink.addr("add", index=index, address=host, prefixlen=int(length))
        netlink.link("set", index=index, state="up")


def _configure_6(namespace: Namespace, interface: str, addresses: tuple[str, ...]) -> None:
    namespace.sysctl(f"net/ipv6/conf/{interface}/disable_ipv6", 0)
    with namespace.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname=interface)
        for address in addresses:
            netlink.addr("add", index=index, address=address, prefixlen=64)
    namespace.await_ipv6(addresses)


def _is_up(netlink: Any, interface: str) -> bool:
    (link,) = netlink.get_links(ifname=interface)
    return bool(link.get_attr("IFLA_OPERSTATE") == "UP")
