"""A second LAN of the router's, which may come and go: an interface and one host behind it."""

from __future__ import annotations

import time
from contextlib import ExitStack

from end_to_end.harness import DEADLINE
from ratsnake.lab import Host, Namespace, Topology

#: Beside the topology's 192.0.2.128/25.
PREFIX, ROUTER_ADDRESS, HOST_ADDRESS = "192.0.2.0/25", "192.0.2.1", "192.0.2.10"


class SecondLan:
    """There from `__enter__` until `close`, or the end of the `with`; and then anew by `come`."""

    def __init__(self, topology: Topology, name: str = "lan1") -> None:
        self.name = name
        self._router = topology.router
        self._stack = ExitStack()
        self.host = Host(self._stack.enter_context(Namespace(f"host of {name}")), HOST_ADDRESS)

    def __enter__(self) -> SecondLan:
        self.come()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.go()
        self._stack.close()

    def come(self) -> None:
        """The interface, up, with the router's address, and the host behind it."""
        with self._router.netlink() as netlink:
            peer = {"ifname": "eth0", "net_ns_fd": self.host.namespace.fileno()}
            netlink.link("add", ifname=self.name, kind="veth", peer=peer)
        for namespace, interface, address in (
            (self._router, self.name, ROUTER_ADDRESS),
            (self.host.namespace, "eth0", HOST_ADDRESS),
        ):
            with namespace.netlink() as netlink:
                (index,) = netlink.link_lookup(ifname=interface)
                netlink.addr("add", index=index, address=address, prefixlen=25)
                netlink.link("set", index=index, state="up")
        with self.host.namespace.netlink() as netlink:
            netlink.route("add", dst="default", gateway=ROUTER_ADDRESS)
        self._await_carrier()

    def go(self) -> None:
        with self._router.netlink() as netlink:
            for index in netlink.link_lookup(ifname=self.name):
                netlink.link("del", index=index)

    def _await_carrier(self) -> None:
        deadline = time.monotonic() + DEADLINE
        with self._router.netlink() as netlink:
            while netlink.get_links(ifname=self.name)[0].get_attr("IFLA_OPERSTATE") != "UP":
                assert time.monotonic() < deadline, f"{self.name} did not come up"
