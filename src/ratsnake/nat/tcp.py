"""TCP session tracking as a table (RFC 7857 section 2, after RFC 6146 section 3.5.2).

The *client* is the side that opened the session.  What the table does not name changes nothing.

- INIT: the client's SYN was seen.  Only the server's SYN establishes, so that neither stray
  segments nor a reset give an unanswered session the long timeout.
- One FIN leaves the long timeout on: a half-closed connection may go on for hours (RFC 5382 REQ-5
  counts a connection as established until both sides have closed or one has reset it).
- RESET (TRANS in RFC 7857 section 2.1): a lone RST may be forged, so the session stays for the
  transitory time, and any other segment in it brings it back to ESTABLISHED (section 2.3).
- BOTH_FIN, RESET: the same 5-tuple may be opened again, by the client (INIT) or by the server
  (REOPENED, which the client's SYN establishes).
"""

from .timers import ICMP_QUERY, TCP_ESTABLISHED, TCP_TRANSITORY, UDP_IDLE

OPEN = 0  # the one state of protocols without connections
INIT = 1
ESTABLISHED = 2
CLIENT_FIN = 3
SERVER_FIN = 4
BOTH_FIN = 5
RESET = 6
REOPENED = 7
STATES = 8

CLIENT = 0
SERVER = 1

SYN = 0
FIN = 1
RST = 2
OTHER = 3
EVENTS = 4
INVALID = 4

STATE_NAMES = (
    "open",
    "init",
    "established",
    "client-fin",
    "server-fin",
    "both-fin",
    "reset",
    "reopened",
)

TRANSITIONS: dict[tuple[int, int, int], int] = {
    (INIT, SERVER, SYN): ESTABLISHED,
    (ESTABLISHED, CLIENT, FIN): CLIENT_FIN,
    (ESTABLISHED, SERVER, FIN): SERVER_FIN,
    (ESTABLISHED, CLIENT, RST): RESET,
    (ESTABLISHED, SERVER, RST): RESET,
    (CLIENT_FIN, SERVER, FIN): BOTH_FIN,
    (CLIENT_FIN, CLIENT, RST): RESET,
    (CLIENT_FIN, SERVER, RST): RESET,
    (SERVER_FIN, CLIENT, FIN): BOTH_FIN,
    (SERVER_FIN, CLIENT, RST): RESET,
    (SERVER_FIN, SERVER, RST): RESET,
    (BOTH_FIN, CLIENT, SYN): INIT,
    (BOTH_FIN, SERVER, SYN): REOPENED,
    (RESET, CLIENT, SYN): INIT,
    (RESET, SERVER, SYN): REOPENED,
    (RESET, CLIENT, FIN): CLIENT_FIN,
    (RESET, SERVER, FIN): SERVER_FIN,
    (RESET, CLIENT, OTHER): ESTABLISHED,
    (RESET, SERVER, OTHER): ESTABLISHED,
    (REOPENED, CLIENT, SYN): ESTABLISHED,
}

TIMER_OF_STATE: dict[int, int] = {
    INIT: TCP_TRANSITORY,
    ESTABLISHED: TCP_ESTABLISHED,
    CLIENT_FIN: TCP_ESTABLISHED,
    SERVER_FIN: TCP_ESTABLISHED,
    BOTH_FIN: TCP_TRANSITORY,
    RESET: TCP_TRANSITORY,
    REOPENED: TCP_TRANSITORY,
}

# Timer of a new session, by protocol row (TCP, UDP, ICMP).
TIMER_OF_PROTOCOL = (TCP_TRANSITORY, UDP_IDLE, ICMP_QUERY)

FLAG_FIN = 1
FLAG_SYN = 2
FLAG_RST = 4
FLAG_ACK = 16
FLAG_COMBINATIONS = 64


def event_of(flags: int) -> int:
    """What a segment with these flags (RFC 9293 section 3.1, low six bits) is to a session.

    SYN excludes FIN and RST, and only a SYN or a RST may lack ACK: scanners send the rest.
    """
    if flags & FLAG_SYN:
        return INVALID if flags & (FLAG_FIN | FLAG_RST) else SYN
    if flags & FLAG_RST:
        return RST
    if not flags & FLAG_ACK:
        return INVALID
    return FIN if flags & FLAG_FIN else OTHER


def transition_table() -> bytes:
    """Next state at ((state * 2 + side) * EVENTS + event)."""
    return bytes(
        TRANSITIONS.get((state, side, event), state)
        for state in range(STATES)
        for side in (CLIENT, SERVER)
        for event in range(EVENTS)
    )


def event_table() -> bytes:
    """Event at the low six flag bits."""
    return bytes(event_of(flags) for flags in range(FLAG_COMBINATIONS))


def timer_table() -> bytes:
    """Timer at the state."""
    return bytes(TIMER_OF_STATE.get(state, 0) for state in range(STATES))
