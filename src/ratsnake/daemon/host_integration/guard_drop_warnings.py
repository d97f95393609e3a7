"""When packets dropped by the guard at the WAN (host/nftables/source_guard.py) are a problem, in
its words."""

import math
from collections.abc import Iterator

from ...host.installation.host_problem import Problem
from ...host.routing.routing_request import Request

QUIET_SECONDS = 60.0  # after the last of them all is well again


class GuardDrops:
    def __init__(self) -> None:
        self._packets = 0
        self._until = -math.inf
        self._wan = self._lans = ""

    def note(self, packets: int, request: Request, now: float) -> None:
        """So many more have been dropped."""
        self._lans = request.lan_names()
        if packets:
            self._packets += packets
            self._until = now + QUIET_SECONDS
            self._wan = str(request.wan)
        elif now >= self._until:
            self._packets = 0

    def problems(self) -> Iterator[Problem]:
        if self._packets:
            packets = "1 packet" if self._packets == 1 else f"{self._packets} packets"
            were = "was" if self._packets == 1 else "were"
            yield Problem(
                f"{packets} with an inside source {were} about to leave by {self._wan} untranslated"
                f" and {were} dropped.  Is an interface missing from --lan ({self._lans})?  Or a"
                " destination, such as a modem, from --internal-except?  Otherwise a rule of"
                " another program comes before this NAT's",
                "ip rule",
                topic="dropped by the guard",
            )
