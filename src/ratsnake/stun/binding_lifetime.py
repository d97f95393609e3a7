"""How long the NAT keeps an idle UDP mapping (RFC 5780 section 4.6).

A local endpoint X contacts the server and then is silent.  After some time another one, Y, asks the
server to answer to X's external port; if that comes in at X, the mapping was there still.  Instead
of one X after the other, as in a binary search, several wait at the same time, each for longer than
the one before: the first whose mapping is gone ends the round, and the next round looks between it
and the one before.  Two rounds do what takes a binary search ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import NamedTuple

from .stun_client import Outcome, Request, Schedule, StunClient
from .stun_message import Endpoint
from .udp_sockets import UdpSocket

#: Mappings that wait at the same time.
_TOGETHER = 16
#: What the answer may be wrong by: seconds, and its own share.
_PRECISION, _PRECISION_SHARE = 1.0, 0.02
_SCHEDULE = Schedule(0.5, 3, 1.5)
_PROGRESS_SECONDS = 1.0


class Lifetime(NamedTuple):
    """Seconds: `alive` is the longest that a mapping was seen to live, `gone` the shortest after
    which it had ended, None if it outlived the limit.  `unknown` says why nothing is known."""

    alive: float = 0.0
    gone: float | None = None
    unknown: str = ""


class _Waiting(NamedTuple):
    socket: UdpSocket
    external: Endpoint
    begun: float
    seconds: float


def measure_lifetime(
    client: StunClient,
    server: Endpoint,
    limit: float,
    report: Callable[[str], None] = lambda text: None,
) -> Lifetime:
    """The lifetime of a mapping that was used once, up to `limit` seconds; tells its progress.

    Raises OSError where no socket can be had.
    """
    with closing(client.network.open(server)) as asker:
        unknown = _unsupported(client, server, asker)
        if unknown:
            return Lifetime(unknown=unknown)
        alive, gone = 0.0, limit
        bounded = False  # whether `gone` has been seen
        while True:
            step = (gone - alive) / _TOGETHER
            waits = [alive + step * (k + 1) for k in range(_TOGETHER - bounded)]
            found = _round(client, server, asker, waits, report)
            if isinstance(found, str):
                return Lifetime(unknown=found)
            lived = [seconds for seconds, lives in found if lives]
            ended = [seconds for seconds, lives in found if not lives]
            alive = max([alive, *lived])
            if ended:
                gone, bounded = ended[0], True
            if not bounded:
                return Lifetime(alive)
            if gone - alive <= max(_PRECISION, gone * _PRECISION_SHARE) or not found:
                return Lifetime(alive, gone)


def _unsupported(client: StunClient, server: Endpoint, asker: UdpSocket) -> str:
    """Why the server cannot be used, or ""."""
    with closing(client.network.open(server)) as socket:
        (outcome,) = client.ask([Request(socket, server)])
        if outcome.mapped is None:
            return f"{server}: {outcome.failure}"
        outcome = _ask_for(client, server, asker, socket, outcome.mapped)
        if outcome.receiver is socket:
            return ""
        if outcome.receiver is asker:
            return f"{server} does not send to another port (RESPONSE-PORT)"
        return f"{server} does not send to another port (RESPONSE-PORT): {outcome.failure}"


def _round(
    client: StunClient,
    server: Endpoint,
    asker: UdpSocket,
    waits: list[float],
    report: Callable[[str], None],
) -> list[tuple[float, bool]] | str:
    """Whether a mapping lived so long, for each of the waits up to the first it did not survive;
    or why there is no result."""
    with ExitStack() as stack:
        waiting = []
        for seconds in waits:
            socket = stack.enter_context(closing(client.network.open(server)))
            (outcome,) = client.ask([Request(socket, server)])
            if outcome.mapped is None:
                return f"{server} has stopped answering"
            waiting.append(_Waiting(socket, outcome.mapped, client.network.now(), seconds))
        found: list[tuple[float, bool]] = []
        for one in waiting:
            _wait(client, [other.socket for other in waiting], one, waits[-1], report)
            waited = client.network.now() - one.begun
            outcome = _ask_for(client, server, asker, one.socket, one.external)
            lives = outcome.receiver is one.socket
            if not lives and client.ask([Request(asker, server)])[0].mapped is None:
                return f"{server} has stopped answering"
            found.append((waited, lives))
            if not lives:
                break
        return found


def _ask_for(
    client: StunClient, server: Endpoint, asker: UdpSocket, socket: UdpSocket, external: Endpoint
) -> Outcome:
    """Ask the server to answer to the external endpoint of `socket`."""
    request = Request(
        asker, server, response_port=external.port, receivers=(socket, asker), sources=(server,)
    )
    return client.ask([request], _SCHEDULE)[0]


def _wait(
    client: StunClient,
    sockets: list[UdpSocket],
    one: _Waiting,
    longest: float,
    report: Callable[[str], None],
) -> None:
    """Return when its time has come; what comes in meanwhile is nobody's."""
    network = client.network
    while (left := one.begun + one.seconds - network.now()) > 0:
        waited = one.seconds - left
        report(f"lifetime: idle for {waited:.0f} s, of at most {longest:.0f} s in this round")
        network.receive(sockets, network.now() + min(left, _PROGRESS_SECONDS))
