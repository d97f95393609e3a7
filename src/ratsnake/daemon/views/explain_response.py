"""The answer to `explain`: what the running NAT would do with a packet, and why."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from ipaddress import ip_address
from typing import Any, Protocol

from ...nat.explain.explanation import Endpoint, Explanation, shown
from ...nat.rules.timeout_classes import SWEEP
from ..control.control_server import Page, Request
from ..loop.live_nat import TableLock

SWEEPS = 16384  # for one answer: of 1,048,576 sessions in all


class Engine(Protocol):
    """The part of LiveNat that is used here; a Nat has it too."""

    def expire(self, now: int, budget: int) -> int: ...
    def explain(
        self, protocol: str, source: Endpoint, destination: Endpoint, now: int, kind: int | None
    ) -> Explanation: ...


class Explainer:
    def __init__(self, nat: Engine, locked: TableLock, now: Callable[[], int]) -> None:
        """`now` is the packet loop's clock in milliseconds."""
        self._nat = nat
        self._locked = locked
        self._now = now

    def answer(self, request: Request) -> Iterator[Page]:
        """One object; raises ValueError where the question cannot be right."""
        protocol = str(request.get("protocol"))
        source, destination = _end(request, "source"), _end(request, "destination")
        said = self._explain(protocol, source, destination)
        if request.get("inbound") is True:
            if said.direction == "inbound":
                raise ValueError(
                    "it is inbound as it is; what comes back is asked of the inside endpoint"
                )
            said = self._explain(protocol, destination, _outside(said, source))
        return iter([[asdict(said)]])

    def _explain(self, protocol: str, source: Endpoint, destination: Endpoint) -> Explanation:
        for _ in range(SWEEPS):
            with self._locked():
                # What has expired must not look like something in the way.
                if self._nat.expire(self._now(), SWEEP) < SWEEP:
                    return self._nat.explain(protocol, source, destination, self._now(), None)
        raise ValueError("sessions end faster than they can be swept; ask again")


def _outside(said: Explanation, source: Endpoint) -> Endpoint:
    """The external endpoint that what comes back is sent to."""
    if said.becomes is not None:
        address, port = said.becomes[0]
        if address is not None and port is not None:
            return ip_address(address), port
    raise ValueError(
        f"{shown(str(source[0]), source[1])} has no outside endpoint toward that remote:"
        " nothing could come back"
    )


def _end(request: Request, name: str) -> Endpoint:
    """An endpoint of the request; the engine checks the range of the port."""
    address: Any = request.get(name)
    port: Any = request.get(f"{name}_port", 0)
    try:
        parsed = ip_address(str(address))
    except ValueError:
        raise ValueError(f"{name} {address}: must be an IPv4 or IPv6 address") from None
    if not isinstance(port, int) or isinstance(port, bool):
        raise ValueError(f"{name}_port {port}: must be a number")
    return parsed, port
