"""The protocols to probe with, by name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from .icmp_probe_transport import IcmpTransport
from .probe_transport import ADDRESSES, Transport
from .tcp_probe_transport import TcpTransport
from .topology import Topology
from .udp_probe_transport import UdpTransport

_TRANSPORTS: dict[str, Callable[[Topology, int], AbstractContextManager[Transport]]] = {
    "udp": UdpTransport,
    "tcp": TcpTransport,
    "icmp": IcmpTransport,
}


def open_transport(
    topology: Topology, protocol: str, version: int = 4
) -> AbstractContextManager[Transport]:
    """Sockets to probe with over IPv4 or IPv6 (`version` 4 or 6).

    Raises ValueError for an unknown protocol, too few remotes, or a network without IPv6.
    """
    if protocol not in _TRANSPORTS:
        raise ValueError(f"protocol: {protocol!r} is none of {', '.join(_TRANSPORTS)}")
    topology.hosts[0].of(version)
    if len(topology.remotes) < ADDRESSES:
        raise ValueError(f"remotes: probing needs {ADDRESSES}, there are {len(topology.remotes)}")
    return _TRANSPORTS[protocol](topology, version)
