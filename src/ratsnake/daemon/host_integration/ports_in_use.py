"""Which ports this host's programs have taken since the NAT began to share their address.

Packets find their sockets anyhow (host/nftables/socket_match.py).  But the NAT must not give new
flows a port that a program keeps; and a change of the range that the host's own connections use is
seen nowhere else.  So the sockets are looked at once a second.  One that is there at two looks
counts, those that come and go do not: a resolver has others for each query.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from ...host.sockets.host_addresses_and_ports import Ports, Survey, local_ranges
from ...host.sockets.listening_sockets import Bound, waiting_sockets
from .host_values import Shares
from .settings_for_host import ports_of_host

#: The host's own connections get the first, and never the others, as `Survey` has them.
Ranges: TypeAlias = tuple[tuple[int, int], Ports]

LOOK_SECONDS = 1.0
CHANGE_SECONDS = 10.0  # between two changes: each moves all flows into other tables
KEPT_SECONDS = 600.0  # a program that is away for less, to be restarted, keeps its ports

log = logging.getLogger(__name__)


@dataclass
class _Times:
    first: float
    last: float = field(default=-math.inf)


class PortsInUse:
    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sockets: Callable[[], frozenset[Bound]] = waiting_sockets,
        ranges: Callable[[], Ranges] = local_ranges,
    ) -> None:
        self._clock, self._sockets, self._read_ranges = clock, sockets, ranges
        self._seen: dict[Bound, _Times] = {}
        self._ranges: Ranges | None = None
        self._used: Ranges | None = None  # those by which ports were divided last
        self._looks = 0
        self._next = self._may_change = -math.inf

    def due(self) -> float:
        """When to look next: a moment of the clock."""
        return self._next

    def look(self) -> bool:
        """Look if it is time; whether a change may be made of what has been seen."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + LOOK_SECONDS
        try:
            found, self._ranges = self._sockets(), self._read_ranges()
        except (OSError, ValueError) as error:
            if self._looks:
                log.error("what ports this host's programs have cannot be looked at: %s", error)
            self._looks, self._next = 0, now + KEPT_SECONDS
            return False
        for bound in found:
            self._seen.setdefault(bound, _Times(now)).last = now
        self._seen = {
            bound: times
            for bound, times in self._seen.items()
            if times.last == now or (times.first < times.last > now - KEPT_SECONDS)
        }
        self._used = self._used or self._ranges
        self._looks += 1
        return self._looks > 1 and now >= self._may_change

    def differ_from(self, shares: Shares) -> bool:
        """Whether the host has any of the NAT's ports by now, or other ranges than before."""
        if self._ranges is None:
            return False
        host = Survey(frozenset(), *self._ranges, self._lasting(), {})
        return self._ranges != self._used or any(
            tuple(left.without(ports_of_host(address, host))) != left.ranges
            for (address, _), left in shares.items()
        )

    def taken(self) -> frozenset[Bound] | None:
        """What programs keep, to be made use of now; None where that is not known yet."""
        if self._looks < 2:
            return None
        self._used, self._may_change = self._ranges, self._clock() + CHANGE_SECONDS
        return self._lasting()

    def _lasting(self) -> frozenset[Bound]:
        return frozenset(bound for bound, times in self._seen.items() if times.first < times.last)
