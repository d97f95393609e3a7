"""UDP datagrams of one flow, joined where they arrive, pass the NAT as one super-packet.

The kernel joins (GRO) TCP segments by itself, but UDP datagrams it is to forward only where the
interface says so (Linux 5.12).  They leave as they came: the way out cuts them again.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..kernel.default_routes import ways_out
from ..kernel.ip_family import known
from .running_instances import others_live

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from ..kernel.kernel_state import KernelState

#: As `ethtool -k` names it.  It acts only where generic-receive-offload is on.
FEATURE = "rx-udp-gro-forwarding"

_LOOPBACK = "lo"


@dataclass(frozen=True)
class UdpGro:
    """Where the kernel has that and allows it.

    Other runs may need it as well; `number` is this run's own.
    """

    interface: str
    number: int

    def __str__(self) -> str:
        return f"ethtool -K {self.interface} {FEATURE} on"

    def apply(self, netlink: IPRoute) -> str | None:
        return "off" if _switch(self.interface, True) else None

    def in_force(self, kernel: KernelState) -> bool:
        """Or as good as: where it cannot be had nobody misses it."""
        return self.interface not in kernel.links or not _lacks(self.interface)

    def renew(self, netlink: IPRoute, before: str | None) -> str | None:
        return self.apply(netlink) or before

    def undo(self, netlink: IPRoute, before: str | None) -> None:
        if before is not None and not others_live(netlink, self.number):
            _switch(self.interface, False)


def udp_gro_interfaces(
    netlink: IPRoute, lans: Collection[str], wan: str | None = None
) -> tuple[str, ...]:
    """Where packets for the NAT arrive: LANs and WAN.

    A LAN's interface, also one that is still to come, or the ports if it is a bridge; the WAN's, or
    if it is not given the interfaces of the default routes.
    """
    links = list(netlink.get_links())
    names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in links}
    inside = [index for index, name in names.items() if name in lans]
    ports = {
        index: [link["index"] for link in links if link.get_attr("IFLA_MASTER") == index]
        for index in inside
    }
    to_come = {name for name in (*lans, *([wan] if wan else ())) if name not in names.values()}
    outside = {wan} & {*names.values()} if wan else ways_out(netlink, known())
    arriving = {names[one] for index in inside for one in ports[index] or [index]}
    return tuple(sorted((arriving | outside | to_come) - {_LOOPBACK}))


def _lacks(interface: str) -> bool:
    """Whether the feature is off and can be switched on."""
    from pyroute2.ethtool.ioctl import EthtoolError, IoctlEthtool

    with closing(IoctlEthtool(interface)) as ethtool:
        try:
            features = ethtool.get_features()
            return FEATURE in features and not features[FEATURE] and features.is_available(FEATURE)
        except (OSError, EthtoolError):
            return False


def _switch(interface: str, on: bool) -> bool:
    """Set the feature; whether that changed it.  It only spares work: no refusal is an error."""
    from pyroute2.ethtool.ioctl import EthtoolError, IoctlEthtool

    with closing(IoctlEthtool(interface)) as ethtool:
        try:
            features = ethtool.get_features()
            if FEATURE not in features or features[FEATURE] == on:
                return False
            features[FEATURE] = on
            ethtool.set_features(features)
            return bool(ethtool.get_features()[FEATURE] == on)
        except (OSError, EthtoolError):
            return False
