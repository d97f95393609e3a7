"""Whether two endpoints behind the same NAT reach each other by their external endpoints.

RFC 5780 section 3.4 sends to an endpoint of one's own that has not sent back.  A NAT that filters
may refuse that and still hairpin (RFC 4787 REQ-9), so there is a second try in which both send.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import Enum

from .stun_message import TRANSACTION_ID_BYTES, Endpoint, write_request
from .udp_sockets import Network, UdpSocket

_SENT_UNTIL = (0.5, 1.0, 2.0)  # seconds: thrice, and how long each is waited for


class Hairpinning(Enum):
    """`UNASKED`: also from an endpoint that has not been sent to."""

    NO = "no"
    ANSWERED = "once both sides have sent"
    UNASKED = "yes"


def observe_hairpinning(
    network: Network, one: tuple[UdpSocket, Endpoint], other: tuple[UdpSocket, Endpoint]
) -> tuple[Hairpinning, Endpoint | None]:
    """Two sockets, each with its external endpoint; the second has sent to servers only.

    Returns also the source the packet had when it came back: by RFC 4787 REQ-9a an external
    endpoint.
    """
    (first, first_external), (second, second_external) = one, other
    there = (first, second_external, second)
    back = (second, first_external, first)
    for outcome, sends in ((Hairpinning.UNASKED, [there]), (Hairpinning.ANSWERED, [there, back])):
        source = _first_arrival(network, sends)
        if source is not None:
            return outcome, source
    return Hairpinning.NO, None


def _first_arrival(
    network: Network, sends: Sequence[tuple[UdpSocket, Endpoint, UdpSocket]]
) -> Endpoint | None:
    """Send from the first to the second; return whom the third sees it come from, if it does."""
    octets = write_request(secrets.token_bytes(TRANSACTION_ID_BYTES))
    begun = network.now()
    receivers = [receiver for _, _, receiver in sends]
    for until in _SENT_UNTIL:
        for sender, destination, _ in sends:
            try:
                sender.send(octets, destination)
            except OSError:
                return None
        while network.now() < begun + until:
            for datagram in network.receive(receivers, begun + until):
                if datagram.octets == octets and not datagram.error:
                    return datagram.source
    return None
