"""What a service manager is told: ready, alive, reloading, stopping (sd_notify(3), `Type=notify`).

A datagram of NAME=value lines to the socket that NOTIFY_SOCKET names, if it names one. A manager
that does not listen never holds up the NAT.

A manager that watches (WATCHDOG_USEC) hears WATCHDOG=1 twice in its period, and only while the
packet loop goes round: it does so once a second even when no packet comes.
"""

import logging
import math
import os
import socket
import time
from collections.abc import Callable, MutableMapping

STILL_ALIVE_SECONDS = 5.0  # a packet loop that has not gone round for so long is taken for stuck
LONGEST_WAIT = 60.0  # seconds for which a service that waits for something lives

log = logging.getLogger(__name__)


class ServiceManager:
    """The service manager that `environment` speaks of, if any.

    Its variables are taken out of the environment: they are for this process alone.
    """

    def __init__(
        self,
        environment: MutableMapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        watchdog = environment.pop("WATCHDOG_USEC", "")
        watched = environment.pop("WATCHDOG_PID", str(os.getpid()))
        self._clock = clock
        self._socket = _connected(address) if address else None
        #: Seconds between two signs of life; None where nobody waits for them.
        self.period: float | None = None
        if self._socket and watchdog.isdigit() and int(watchdog) and watched == str(os.getpid()):
            self.period = int(watchdog) / 1e6 / 2
        self._rounds = -1
        self._went_round = clock()
        self._stuck = False
        self._signed = -math.inf

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def tell(self, **fields: str) -> None:
        """Send the fields, such as READY="1"; a text of several lines is made one."""
        if self._socket is None:
            return
        lines = (f"{name}={' '.join(text.splitlines())}" for name, text in fields.items())
        try:
            self._socket.send("\n".join(lines).encode(errors="replace"))
        except OSError as error:
            log.debug("the service manager does not listen: %s", error)

    def reloading(self) -> None:
        """To be followed by READY="1", whatever becomes of it (systemd.service(5),
        `Type=notify-reload`)."""
        microseconds = round(self._clock() * 1e6)
        self.tell(RELOADING="1", MONOTONIC_USEC=str(microseconds), STATUS="reloading")

    def again(self) -> None:
        """Repeat the last sign of life, if it is not older than LONGEST_WAIT."""
        if self.period is not None and self._clock() - self._signed <= LONGEST_WAIT:
            self.tell(WATCHDOG="1")

    def sign_of_life(self, rounds: int, state: Callable[[], str]) -> None:
        """Tell that the NAT lives, if its packet loop does; to be called every `period` seconds.

        `rounds` counts the rounds of the packet loop; what `state` gives is for who looks at the
        service.
        """
        now = self._clock()
        if rounds != self._rounds:
            self._rounds, self._went_round, self._stuck = rounds, now, False
        if now - self._went_round <= STILL_ALIVE_SECONDS:
            self._signed = now
            self.tell(WATCHDOG="1", STATUS=state())
        elif not self._stuck:
            self._stuck = True
            log.error("the packet loop is stuck: no round for %.0f s", now - self._went_round)
            self.tell(STATUS="the packet loop is stuck")


def _connected(address: str) -> socket.socket | None:
    """A socket to a path, or to an abstract address as "@NAME"."""
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.setblocking(False)
    try:
        notify.connect("\0" + address[1:] if address.startswith("@") else address)
    except OSError as error:
        log.warning("NOTIFY_SOCKET %s: %s", address, error.strerror)
        notify.close()
        return None
    return notify
