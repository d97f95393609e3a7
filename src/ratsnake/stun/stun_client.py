"""STUN transactions over UDP: requests sent, sent again, and matched with their responses.

Retransmission is RFC 8489 section 6.2.1's, and what counts as the response section 6.3.1's: it has
the transaction id, which nobody can guess, and comes from where it must, to where it must.
"""

from __future__ import annotations

import heapq
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from errno import ECONNREFUSED
from typing import NamedTuple

from .stun_message import (
    TRANSACTION_ID_BYTES,
    Endpoint,
    MalformedMessage,
    Response,
    read_response,
    read_transaction_id,
    write_request,
)
from .udp_sockets import Datagram, Network, UdpSocket

#: RFC 5780 section 5: at most ten new transactions a second.
_PACE = 0.1  # seconds

NO_ANSWER = "no answer"


class Schedule(NamedTuple):
    """When a request is sent: at once, after `timeout`, after twice that more, …; `tries` times.

    `last_wait`: how long the last one is waited for.  Times in seconds.
    """

    timeout: float
    tries: int
    last_wait: float


#: RFC 8489's own: 39.5 s, for a server that has not answered yet.
PATIENT = Schedule(0.5, 7, 8.0)
#: 5.5 s and four tries, for a server that is known to answer.
BRIEF = Schedule(0.5, 4, 2.0)


@dataclass(frozen=True)
class Request:
    """A Binding request that `sender` sends to `destination`.

    `sources`, `receivers`: where the response may come from, and at which sockets it may come in;
    by default from the destination to the sender.
    """

    sender: UdpSocket
    destination: Endpoint
    change_ip: bool = False
    change_port: bool = False
    response_port: int | None = None
    sources: tuple[Endpoint, ...] = ()
    receivers: tuple[UdpSocket, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a request: `response`, a success, or `failure`, which says why not.

    `source` and `receiver` are the response's; `error` is STUN's error code, 0 where there is none.
    """

    response: Response | None = None
    source: Endpoint | None = None
    receiver: UdpSocket | None = None
    failure: str = ""
    error: int = 0

    @property
    def mapped(self) -> Endpoint | None:
        """The sender's external endpoint, or None."""
        return self.response.mapped if self.response is not None else None


@dataclass
class _Transaction:
    request: Request
    octets: bytes
    outcome: Outcome | None = None
    failure: str = NO_ANSWER
    sent: int = 0


@dataclass
class StunClient:
    """Sends requests over `network`; `ignored` counts what came in and was no valid response.

    `waiting` is called now and then with the seconds that a call has lasted.
    """

    network: Network
    waiting: Callable[[float], None] = lambda seconds: None
    ignored: int = 0
    _free_at: float = field(default=float("-inf"), repr=False)

    def ask(self, requests: Sequence[Request], schedule: Schedule = BRIEF) -> list[Outcome]:
        """Send all requests, a little after each other; return what became of each."""
        begun = self.network.now()
        transactions: dict[bytes, _Transaction] = {}
        due: list[tuple[float, bytes]] = []
        for request in requests:
            start = max(self.network.now(), self._free_at)
            self._free_at = start + _PACE
            identifier = secrets.token_bytes(TRANSACTION_ID_BYTES)
            octets = write_request(
                identifier, request.change_ip, request.change_port, request.response_port
            )
            transactions[identifier] = _Transaction(request, octets)
            heapq.heappush(due, (start, identifier))
        sockets = list(
            {id(one): one for request in requests for one in _involved(request)}.values()
        )
        while due:
            when, identifier = due[0]
            if transactions[identifier].outcome is not None:
                heapq.heappop(due)
            elif when <= self.network.now():
                heapq.heapreplace(
                    due, (when + _send(transactions[identifier], schedule), identifier)
                )
            else:
                self.waiting(self.network.now() - begun)
                for datagram in self.network.receive(sockets, when):
                    self._take(datagram, transactions)
        return [one.outcome or Outcome(failure=one.failure) for one in transactions.values()]

    def _take(self, datagram: Datagram, transactions: dict[bytes, _Transaction]) -> None:
        transaction = transactions.get(read_transaction_id(datagram.octets))
        if transaction is None:
            self.ignored += 1
        elif transaction.outcome is not None:
            pass  # a second response: the request had been sent again
        elif datagram.error:
            _take_error(datagram, transaction)
        elif not self._answered(datagram, transaction):
            self.ignored += 1

    def _answered(self, datagram: Datagram, transaction: _Transaction) -> bool:
        """Whether this is the response; then the transaction has its outcome."""
        request = transaction.request
        if datagram.source not in (request.sources or (request.destination,)):
            return False
        if all(datagram.receiver is not one for one in request.receivers or (request.sender,)):
            return False
        try:
            response = read_response(datagram.octets)
        except MalformedMessage as error:
            transaction.failure = f"answers wrongly: {error}"
            return False
        if response.error:
            what = f"error {response.error} {response.reason}".rstrip()
            transaction.outcome = Outcome(failure=what, error=response.error)
        else:
            transaction.outcome = Outcome(response, datagram.source, datagram.receiver)
        return True


def _send(transaction: _Transaction, schedule: Schedule) -> float:
    """Send it, or give it up; returns the seconds until it is due again."""
    if transaction.sent == schedule.tries:
        transaction.outcome = Outcome(failure=transaction.failure)
        return 0.0
    request = transaction.request
    try:
        request.sender.send(transaction.octets, request.destination)
    except OSError as error:
        transaction.failure = f"cannot be sent to: {error.strerror or error}"
    transaction.sent += 1
    if transaction.sent == schedule.tries:
        return schedule.last_wait
    return schedule.timeout * 2.0 ** (transaction.sent - 1)


def _take_error(datagram: Datagram, transaction: _Transaction) -> None:
    """An ICMP error: only a closed port is final, the others may be of a moment (RFC 1122)."""
    if datagram.source == transaction.request.destination:
        transaction.failure = f"ICMP error: {os.strerror(datagram.error)}"
        if datagram.error == ECONNREFUSED:
            transaction.outcome = Outcome(failure=transaction.failure)


def _involved(request: Request) -> tuple[UdpSocket, ...]:
    return (request.sender, *request.receivers)
