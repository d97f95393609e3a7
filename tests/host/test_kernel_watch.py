"""host/notifications/kernel_watch.py, host/notifications/route_notification_filter.py: what the
kernel tells of, and what wakes nobody."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from shutil import which

import pytest
from machines import ADDRESSES, router

from ratsnake.host.notifications.kernel_watch import Heard, KernelWatch, Polled
from ratsnake.lab.namespace import Namespace

POLLED = Polled(("net/ipv4/ip_forward", "net/ipv4/conf/gone/forwarding"), proxies=True)
LINKS = Heard.KERNEL | Heard.LINKS
#: In this order: what is typed, and what is heard then.
TYPED = (
    ("ip route add 203.0.113.0/24 via 198.51.100.129", Heard.NOTHING),
    ("ip route replace 203.0.113.0/24 via 198.51.100.130", Heard.NOTHING),
    ("ip route del 203.0.113.0/24", Heard.NOTHING),
    ("ip route add 203.0.113.1 dev nat0 proto 82", Heard.NOTHING),
    ("ip route replace 203.0.113.1 dev wan0", Heard.KERNEL),
    ("ip route replace 203.0.113.1 dev nat0 proto 82", Heard.KERNEL),
    ("ip route del 203.0.113.1", Heard.KERNEL),
    ("ip route add default via 198.51.100.129", Heard.KERNEL),
    ("ip route del default", Heard.KERNEL),
    ("ip rule add priority 7 lookup 99", Heard.NOTHING),
    ("ip rule del priority 7", Heard.KERNEL),
    ("ip -6 rule del priority 32766", Heard.KERNEL),
    ("ip link add other0 type veth peer other1", Heard.NOTHING),
    ("ip address add 10.0.0.1/24 dev other0", Heard.NOTHING),
    ("ip link del other0", Heard.NOTHING),
    ("ip address add 10.0.0.1/24 dev wan0", LINKS),
    ("ip address del 10.0.0.1/24 dev wan0", LINKS),
    ("ip link set wan0 mtu 1400", LINKS),
    ("ip link set lan0 down", LINKS),
    ("ip link set lan0 name other0", LINKS),
    ("ip link set other0 name lan0", LINKS),
)


@pytest.fixture
def machine() -> Iterator[Namespace]:
    if which("ip") is None:
        pytest.skip("ip is not installed (package iproute2)")
    with router(*ADDRESSES) as namespace:
        yield namespace


@pytest.fixture
def watch(machine: Namespace) -> Iterator[KernelWatch]:
    made = KernelWatch()
    made.only((32,), ("nat0", "lan0", "wan0"))
    yield made
    made.close()


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)


def test_what_is_heard(watch: KernelWatch) -> None:
    watch.heard()
    for command, heard in TYPED:
        _run(command)
        assert watch.heard() == heard, command


def test_proxy_entries_and_settings_are_polled(machine: Namespace, watch: KernelWatch) -> None:
    assert not watch.differs(POLLED)
    for command in (
        "ip neigh add proxy 198.51.100.200 dev wan0",
        "ip neigh del proxy 198.51.100.200 dev wan0",
        "sysctl -q net.ipv4.ip_forward=1",
    ):
        watch.note(POLLED)
        assert not watch.differs(POLLED)
        _run(command)
        assert watch.differs(POLLED), command
    assert watch.heard() & Heard.FILTER == Heard.NOTHING
