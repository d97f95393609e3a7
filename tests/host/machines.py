"""A throw-away router for the tests of host/: a LAN, a WAN, and where the TUN would be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from socket import AF_INET, AF_INET6
from subprocess import run
from typing import Any

import pytest

from ratsnake.host.kernel.kernel_state import proxies
from ratsnake.lab.namespace import Namespace

_FAMILIES = (AF_INET, AF_INET6)
_ANYCAST = 4  # RTN_ANYCAST: the kernel has those routes exactly while it forwards
ADDRESSES = (("lan0", "192.0.2.129/25"), ("wan0", "198.51.100.254/25"), ("nat0", ""))
ADDRESSES_6 = (("lan0", "2001:db8:1::1/64"), ("wan0", "2001:db8:2::fe/64"))


@contextmanager
def router(*addresses: tuple[str, str]) -> Iterator[Namespace]:
    """A namespace with these interfaces, which the calling thread is in."""
    try:
        namespace = Namespace("machine")
    except OSError as error:
        pytest.skip(f"no network namespaces here: {error}")
    with namespace, namespace.entered():
        namespace.sysctl("net.ipv6.conf.default.accept_dad", 0)
        with namespace.netlink() as netlink:
            netlink.link("set", index=1, state="up")
            for name in dict.fromkeys(name for name, _ in addresses):
                add_link(netlink, name)
            for name, address in addresses:
                if address:
                    host, length = address.split("/")
                    netlink.addr(
                        "add", index=index(netlink, name), address=host, prefixlen=int(length)
                    )
        namespace.await_ipv6([address.split("/")[0] for _, address in addresses if ":" in address])
        yield namespace


def add_link(netlink: Any, name: str) -> None:
    netlink.link("add", ifname=name, kind="veth", peer=f"{name}-peer")
    for end in (name, f"{name}-peer"):
        netlink.link("set", index=index(netlink, end), state="up")


def renew_link(namespace: Namespace, name: str) -> None:
    """As when the program that made it was killed, and started again."""
    with namespace.netlink() as netlink:
        netlink.link("del", index=index(netlink, name))
        add_link(netlink, name)


def index(netlink: Any, name: str) -> int:
    (found,) = netlink.link_lookup(ifname=name)
    return int(found)


def state(namespace: Namespace) -> dict[str, object]:
    """All that a plan may touch."""
    with namespace.netlink() as netlink:
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in netlink.get_links()}
        return {
            "rules": [
                f"{rule['family']} {rule['action']} {rule['attrs']}"
                for family in _FAMILIES
                for rule in netlink.get_rules(family=family)
            ],
            "routes": sorted(
                f"{route['type']} {route['dst_len']} {route['scope']} {route['proto']}"
                f" {route.get_attr('RTA_DST')} {names.get(route.get_attr('RTA_OIF'))}"
                f" {route.get_attr('RTA_TABLE')} {route.get_attr('RTA_PRIORITY')}"
                f" {route.get_attr('RTA_PREFSRC')}"
                for family in _FAMILIES
                for route in netlink.get_routes(family=family)
                if route["type"] != _ANYCAST
                and not str(route.get_attr("RTA_DST")).startswith(("fe80", "ff"))
            ),
            "addresses": sorted(
                f"{address.get_attr('IFA_ADDRESS')} {address['prefixlen']} {address['scope']}"
                for family in _FAMILIES
                for address in netlink.get_addr(family=family)
                if not str(address.get_attr("IFA_ADDRESS")).startswith("fe80")
            ),
            "proxies": sorted(
                f"{entry.get_attr('NDA_DST')} {names[entry['ifindex']]}"
                f" {entry.get_attr('NDA_PROTOCOL')}"
                for entry in proxies(netlink)
            ),
            "filters": _filters(),
            "settings": {
                str(path): path.read_text()
                for pattern in ("ipv4/conf/*/*", "ipv6/conf/*/*", "ipv4/ip*", "ipv4/icmp_errors*")
                for path in sorted(Path("/proc/sys/net").glob(pattern))
                if path.is_file() and path.name != "stable_secret"
            },
        }


def _filters() -> list[str]:
    """The tables of nftables, in whichever order, where its program is there to tell them."""
    nft = which("nft")
    if nft is None:
        return []
    told = run([nft, "list", "ruleset"], check=True, capture_output=True, text=True).stdout
    return sorted(told.split("\n}\n"))
