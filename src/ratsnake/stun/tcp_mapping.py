"""The mapping of TCP: RFC 5780 section 4.3 with connections from one local port.

Filtering cannot be tested: a STUN server opens no connections (RFC 5780 section 3).
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from .nat_behaviour_discovery import Contact, MappingResult, Remotes, find_remotes
from .nat_classification import agreed, port_selection, possible_mappings
from .stun_client import Outcome
from .stun_message import (
    HEADER_BYTES,
    TRANSACTION_ID_BYTES,
    Endpoint,
    MalformedMessage,
    read_response,
    write_request,
)
from .udp_sockets import FAMILIES, bind_random_port, endpoint_of, source_address

#: Seconds for a connection and its answer.  RFC 8489 section 6.2.2 has 39.5, and lets it be less.
_TIMEOUT = 5.0
_LOCAL_PORTS = 2
_LARGEST = 2048  # bytes


def contact_tcp(servers: Sequence[Endpoint]) -> Contact:
    """Ask all servers at the same time, in at most 5 seconds.  Raises OSError without a route."""
    local = source_address(servers[0])
    with ThreadPoolExecutor(len(servers)) as threads:
        outcomes = list(threads.map(lambda server: _ask_once(local, server), servers))
    return Contact(local, dict(zip(servers, outcomes, strict=True)))


def observe_tcp_mapping(contact: Contact, known: Remotes | None) -> MappingResult | None:
    """The mapping toward whoever answered, and the other endpoints of UDP's server if `known`.

    None where nobody answers.  Raises OSError where no socket can be had.
    """
    remotes = find_remotes(contact)
    destinations = list(remotes.destinations)
    if known is not None and known.server in destinations:
        destinations = list(dict.fromkeys([*known.destinations, *destinations]))
    seen: list[tuple[Endpoint, dict[Endpoint, Endpoint]]] = []
    for _ in range(_LOCAL_PORTS):
        local, found = _from_one_port(contact.local, destinations)
        if found:
            seen.append((local, found))
            destinations = list(found)  # who did not answer is not asked again
    if not seen:
        return None
    mappings, varies = agreed([possible_mappings(found) for _, found in seen])
    selection = port_selection([(local.port, list(found.values())) for local, found in seen])
    return MappingResult(tuple(seen), mappings, varies, selection)


def _ask_once(local: str, server: Endpoint) -> Outcome:
    with ExitStack() as stack:
        return _ask(_socket(local, 0, stack), server)


def _from_one_port(
    local: str, destinations: Sequence[Endpoint]
) -> tuple[Endpoint, dict[Endpoint, Endpoint]]:
    """All connections stay open until the last has its answer."""
    with ExitStack() as stack:
        port, found = 0, {}
        for destination in destinations:
            handle = _socket(local, port, stack)
            port = handle.getsockname()[1]
            mapped = _ask(handle, destination).mapped
            if mapped is not None:
                found[destination] = mapped
        return endpoint_of((local, port)), found


def _socket(local: str, port: int, stack: ExitStack) -> socket.socket:
    handle = stack.enter_context(
        socket.socket(FAMILIES[6 if ":" in local else 4], socket.SOCK_STREAM)
    )
    for name in ("SO_REUSEADDR", "SO_REUSEPORT"):  # several connections from one port
        if hasattr(socket, name):
            handle.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)
    if port:
        handle.bind((local, port))
    else:
        bind_random_port(handle, local)
    return handle


def _ask(handle: socket.socket, server: Endpoint) -> Outcome:
    """A transaction over a new connection (RFC 8489 section 6.2.2)."""
    identifier = secrets.token_bytes(TRANSACTION_ID_BYTES)
    deadline = time.monotonic() + _TIMEOUT
    handle.settimeout(_TIMEOUT)
    try:
        handle.connect(server)
        handle.sendall(write_request(identifier))
        response = read_response(_read_message(handle, deadline))
    except MalformedMessage as error:
        return Outcome(failure=f"answers wrongly: {error}")
    except OSError as error:
        return Outcome(failure=error.strerror or "no answer")
    if response.transaction_id != identifier:
        return Outcome(failure="answers wrongly: another transaction id")
    if response.error:
        what = f"error {response.error} {response.reason}".rstrip()
        return Outcome(failure=what, error=response.error)
    return Outcome(response, server)


def _read_message(handle: socket.socket, deadline: float) -> bytes:
    """One message of the stream: its header says how long it is."""
    octets = _read(handle, HEADER_BYTES, deadline)
    length = int.from_bytes(octets[2:4], "big")
    if length > _LARGEST:
        raise MalformedMessage(f"a response of {length} bytes")
    return octets + _read(handle, length, deadline)


def _read(handle: socket.socket, size: int, deadline: float) -> bytes:
    octets = b""
    while len(octets) < size:
        handle.settimeout(max(deadline - time.monotonic(), 0.001))
        more = handle.recv(size - len(octets))
        if not more:
            raise MalformedMessage("the connection ended before the response")
        octets += more
    return octets
