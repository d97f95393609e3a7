"""What kind of NAT stands in the router, found out from outside as RFC 5780 does.

Real sockets send from LAN hosts to two remote addresses A, B with two ports each (1, 2) and look at
where packets come from; the NAT is not asked.

- Mapping (RFC 5780 section 4.3): one internal endpoint contacts A1, B1, B2.  One external port:
  EIM.  The same for B1 and B2 only: ADM.  Otherwise APDM.
- Filtering (section 4.4): the internal endpoint contacts A1 only; then B2 sends to its external
  endpoint, then A2.  B2 comes in: EIF.  Only A2: ADF.  Neither: APDF.

That something was refused is concluded without waiting: after the probe A1, which must pass, sends
a *fence* on the same way, and the inside answers it.  When a fence arrived and the probe did not,
the probe was dropped.

Every observation uses fresh internal endpoints, so it can be repeated on a running NAT.  `contest`
holds what one more observation needs, that of a NAT type that hides its mapping.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

from ..nat.rules.behaviour import Filtering, Mapping
from .probe_protocols import open_transport
from .probe_transport import A1, A2, B1, B2, External, Transport
from .topology import Topology

#: Fresh internal endpoints to look at: by chance alone a random port repeats once in 64,512.
_ENDPOINTS = 4


@dataclass(frozen=True)
class Observation:
    """What was seen; `ports` is as in `expected`."""

    alone: Mapping
    filtering: Filtering
    ports: str
    #: (internal port, external endpoints toward A1, B1, B2) of each endpoint observed alone.
    seen: tuple[tuple[int, tuple[External, ...]], ...]


def observe(
    topology: Topology, protocol: str = "udp", version: int = 4, host: int = 0
) -> Observation:
    """Observe the NAT with "udp", "tcp" or "icmp" packets, in about a tenth of a second.

    `version` is that of IP: 4, or 6 in a network that has it; `host` is the number of the LAN host
    that looks.

    ICMP Echo has an identifier for a port and none at the remote, so there is nothing between ADM
    and APDM, or ADF and APDF: the former of each is reported.
    """
    with open_transport(topology, protocol, version) as transport:
        seen = tuple(_contacts(transport, host) for _ in range(_ENDPOINTS))
        return Observation(
            alone=max(classify(external) for _, external in seen),
            filtering=_filtering(transport, host),
            ports=_selection(seen),
            seen=seen,
        )


def classify(external: Sequence[External]) -> Mapping:
    """The mapping behaviour that shows these external endpoints toward A1, B1 and B2."""
    toward_a1, toward_b1, toward_b2 = external
    if toward_b1 != toward_b2:
        return Mapping.APDM
    return Mapping.EIM if toward_a1 == toward_b1 else Mapping.ADM


def _contacts(transport: Transport, host: int) -> tuple[int, tuple[External, ...]]:
    with closing(transport.endpoint(host)) as endpoint:
        return endpoint.port, tuple(endpoint.contact(remote) for remote in (A1, B1, B2))


def _filtering(transport: Transport, host: int) -> Filtering:
    with closing(transport.endpoint(host)) as endpoint:
        external = endpoint.contact(A1)
        if endpoint.admits(B2, external):
            return Filtering.EIF
        return Filtering.ADF if endpoint.admits(A2, external) else Filtering.APDF


def _selection(seen: Sequence[tuple[int, tuple[External, ...]]]) -> str:
    """How external ports were chosen, as `expected` names it."""
    if all(external[0][1] == internal for internal, external in seen):
        return "preserved"
    # A counter may be the NAT's or the endpoint's own: look at each endpoint's ports, if several.
    orders = [[port for _, port in dict.fromkeys(external)] for _, external in seen]
    steps = [step for order in orders for step in pairwise(order)]
    steps = steps or list(pairwise(port for order in orders for port in order))
    jumps = sum(after - before != 1 for before, after in steps)
    return "sequential" if jumps <= 1 else "random"  # one jump: from the last port to the first
