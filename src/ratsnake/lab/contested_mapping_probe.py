"""Observe the mapping of a NAT whose sticky, shared ports hide it (`expected` tells why).

The observed endpoint S contacts A1 and is seen from external port x.  Before it contacts B1, a
competitor K of another LAN host is made to hold x toward B1; likewise before B2.  To find a K to
whom the NAT gives x:

- K has the number x for its internal port: enough where ports are preserved.
- Else competitors contact a third remote C, one after another, until one is seen from x.  If the
  NAT has n ports they find it after n of them at the latest, since ports in use toward C are not
  given again.  From then on x is that competitor's last port, which a sticky NAT gives it toward B
  too.  So a NAT that does not preserve ports must be run with few of them (`CONTESTED_PORTS`).
- If the NAT refuses a competitor instead, all its ports are taken and x is nobody's but S's.

Three ports are the least: toward B there may be K on one, S on another, a second K on a third.
"""

from __future__ import annotations

from contextlib import ExitStack, closing

from ..nat.rules.behaviour import Mapping
from .nat_probe import classify
from .probe_protocols import open_transport
from .probe_transport import A1, B1, B2, C1, Endpoint, External, ProbeError, Transport
from .topology import Topology

#: A port set for `nat(ports=...)` small enough to contest.
CONTESTED_PORTS = "40000-40003"

_MAX_COMPETITORS = 8
_OBSERVED, _COMPETITOR = 0, 1  # places in Topology.hosts


def observe_contested(topology: Topology, protocol: str = "udp", version: int = 4) -> Mapping:
    """The mapping behaviour seen under competition; needs two LAN hosts.

    A NAT that draws ports at random without being sticky may give anything here: of such a one the
    mapping shows without competition.  Raises ValueError when there is one LAN host only,
    `ProbeError` when no competitor gets the port though the NAT still has others.
    """
    if len(topology.hosts) <= _COMPETITOR:
        raise ValueError("hosts: a contest needs 2 LAN hosts, there is 1")
    with (
        open_transport(topology, protocol, version) as transport,
        closing(transport.endpoint(_OBSERVED)) as observed,
        ExitStack() as stack,
    ):
        competitors = _Competitors(transport, observed, stack)
        seen = [observed.contact(A1)]
        for remote in (B1, B2):
            competitor = competitors.holder(seen[-1])
            if competitor is not None:
                competitor.reach(remote, observed)
            seen.append(observed.contact(remote))
        return classify(seen)


class _Competitors:
    """Internal endpoints of the other host, and the external endpoint each was seen from."""

    def __init__(self, transport: Transport, observed: Endpoint, stack: ExitStack) -> None:
        self._transport = transport
        self._observed = observed
        self._stack = stack
        self._seen: dict[External, Endpoint] = {}
        self._refused = False

    def holder(self, wanted: External) -> Endpoint | None:
        """A competitor whom the NAT gave the external endpoint `wanted`, or None: it gives it to
        no other."""
        port = wanted[1]  # the first to try has it for its own
        while wanted not in self._seen and not self._refused:
            if len(self._seen) == _MAX_COMPETITORS:
                raise ProbeError(
                    f"none of {_MAX_COMPETITORS} competitors was given port {wanted[1]}: "
                    f"run the NAT with fewer ports, for example {CONTESTED_PORTS}"
                )
            competitor = self._transport.endpoint(_COMPETITOR, port)
            self._stack.callback(competitor.close)
            seen = competitor.reach(C1, self._observed)
            self._refused = seen is None
            if seen is not None:
                self._seen[seen] = competitor
            port = 0
        return self._seen.get(wanted)
