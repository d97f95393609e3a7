"""Tracking of connections (TCP, DCCP, SCTP) as a table (RFC 7857 section 2, RFC 5597).

The *client* is the side that opened the session.  What the table does not name changes nothing.

- INIT: the client's SYN was seen.  Only the server's SYN leads on, so that neither stray segments
  nor a reset give an unanswered session the long timeout.  The server's SYN need not acknowledge
  the client's: that is a simultaneous open (SIMULTANEOUS, RFC 5382 REQ-2a).
- SERVER_ACKED, CLIENT_ACKED: both SYNs were seen, and the ACK of one side.  "ACKs in both
  directions mark the beginning of the established phase" (RFC 5382 section 5): a server's answer
  to a forged SYN alone gets no long timeout.  A server may close at once what began with data
  (RFC 7413).
- ESTABLISHED: a SYN changes nothing (RFC 6146 section 3.5.2.2).  It is late, or forged (RFC 5961
  section 4); or its sender has lost the connection, and then the other side's challenge ACK draws a
  RST from it, or the new handshake goes through in the state that is there.
- One FIN leaves the long timeout on: a half-closed connection may go on for hours (RFC 5382 REQ-5
  counts a connection as established until both sides have closed or one has reset it).
- RESET (TRANS in RFC 7857 section 2): a RST may be forged, so the session stays for the closing
  time, and any other segment in it brings it back to ESTABLISHED (section 2.2).
- CLIENT_FIN, SERVER_FIN, BOTH_FIN, RESET: the same 5-tuple may be opened again, by the client
  (INIT) or by the server (REOPENED, INIT with exchanged roles).  While the long timeout runs,
  only the inside's SYN is heard (`Translator.inbound`): one from outside may be forged and would
  shorten it.  If it is not, the inside answers it with a SYN and ACK, which begins anew as well.

DCCP and SCTP say the same things with other packets; `EVENTS_OF` translates.
"""

from ratsnake.wire.packet_fields import DCCP, ICMP, PROTOCOLS, SCTP, TCP

from .timeout_classes import (
    ICMP_QUERY,
    OTHER_IDLE,
    TCP_CLOSING,
    TCP_ESTABLISHED,
    TCP_OPENING,
    UDP_IDLE,
)

OPEN = 0  # the one state of protocols without connections
INIT = 1
ESTABLISHED = 2
CLIENT_FIN = 3
SERVER_FIN = 4
BOTH_FIN = 5
RESET = 6
REOPENED = 7
SIMULTANEOUS = 8
SERVER_ACKED = 9
CLIENT_ACKED = 10
STATES = 11

CLIENT = 0
SERVER = 1

SYN = 0
FIN = 1
RST = 2
OTHER = 3
SYN_ACK = 4
EVENTS = 5
INVALID = 5

STATE_NAMES = (
    "open",
    "init",
    "established",
    "client-fin",
    "server-fin",
    "both-fin",
    "reset",
    "reopened",
    "simultaneous-open",
    "server-acked",
    "client-acked",
)

# Half closed, closed or reset: what may begin anew.
ENDING = (CLIENT_FIN, SERVER_FIN, BOTH_FIN, RESET)

TRANSITIONS: dict[tuple[int, int, int], int] = {
    (INIT, SERVER, SYN): SIMULTANEOUS,
    (INIT, SERVER, SYN_ACK): SERVER_ACKED,
    (SIMULTANEOUS, CLIENT, SYN_ACK): CLIENT_ACKED,
    (SIMULTANEOUS, CLIENT, OTHER): CLIENT_ACKED,
    (SIMULTANEOUS, CLIENT, FIN): CLIENT_ACKED,
    (SIMULTANEOUS, SERVER, SYN_ACK): SERVER_ACKED,
    (SIMULTANEOUS, SERVER, OTHER): SERVER_ACKED,
    (SIMULTANEOUS, SERVER, FIN): SERVER_ACKED,
    (SERVER_ACKED, CLIENT, SYN_ACK): ESTABLISHED,
    (SERVER_ACKED, CLIENT, OTHER): ESTABLISHED,
    (SERVER_ACKED, CLIENT, FIN): CLIENT_FIN,
    (SERVER_ACKED, SERVER, FIN): SERVER_FIN,
    (CLIENT_ACKED, SERVER, SYN_ACK): ESTABLISHED,
    (CLIENT_ACKED, SERVER, OTHER): ESTABLISHED,
    (CLIENT_ACKED, SERVER, FIN): SERVER_FIN,
    (CLIENT_ACKED, CLIENT, FIN): CLIENT_FIN,
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
    **{(ending, CLIENT, SYN): INIT for ending in ENDING},
    **{(ending, SERVER, SYN): REOPENED for ending in ENDING},
    **{(ending, CLIENT, SYN_ACK): CLIENT_ACKED for ending in ENDING},
    **{(ending, SERVER, SYN_ACK): SERVER_ACKED for ending in ENDING},
    (RESET, CLIENT, FIN): CLIENT_FIN,
    (RESET, SERVER, FIN): SERVER_FIN,
    (RESET, CLIENT, OTHER): ESTABLISHED,
    (RESET, SERVER, OTHER): ESTABLISHED,
    (REOPENED, CLIENT, SYN): SIMULTANEOUS,
    (REOPENED, CLIENT, SYN_ACK): CLIENT_ACKED,
}

TIMER_OF_STATE: dict[int, int] = {
    INIT: TCP_OPENING,
    ESTABLISHED: TCP_ESTABLISHED,
    CLIENT_FIN: TCP_ESTABLISHED,
    SERVER_FIN: TCP_ESTABLISHED,
    BOTH_FIN: TCP_CLOSING,
    RESET: TCP_CLOSING,
    REOPENED: TCP_OPENING,
    SIMULTANEOUS: TCP_OPENING,
    SERVER_ACKED: TCP_OPENING,
    CLIENT_ACKED: TCP_OPENING,
}

# Timer of a new session, by protocol row (TCP, UDP, ICMP, UDP-Lite, DCCP, SCTP, others).
TIMER_OF_PROTOCOL = (
    TCP_OPENING,
    UDP_IDLE,
    ICMP_QUERY,
    UDP_IDLE,
    TCP_OPENING,
    TCP_OPENING,
    OTHER_IDLE,
)

FLAG_FIN = 1
FLAG_SYN = 2
FLAG_RST = 4
FLAG_ACK = 16
SEGMENT_FLAGS = 0x17  # FIN, SYN, RST and ACK: the rest says nothing about the connection

KINDS = 256

# The protocols that have connections, and the state in which a protocol's session begins.
TRACKED = (TCP, DCCP, SCTP)
FIRST_STATES = tuple([INIT if protocol in TRACKED else OPEN for protocol in range(PROTOCOLS)])


def event_of_segment(flags: int) -> int:
    """What a TCP segment with these flags (RFC 9293 section 3.1) is to a session.

    SYN excludes FIN and RST, and only a SYN or a RST may lack ACK: scanners send the rest.
    """
    if flags & FLAG_SYN:
        if flags & (FLAG_FIN | FLAG_RST):
            return INVALID
        return SYN_ACK if flags & FLAG_ACK else SYN
    if flags & FLAG_RST:
        return RST
    if not flags & FLAG_ACK:
        return INVALID
    return FIN if flags & FLAG_FIN else OTHER


# RFC 4340 section 5.1, and Listen of RFC 5596: Request and Response open, Close and CloseReq close.
# What the registry does not name (12 to 15) is invalid; Listen only ever says "I am there".
DCCP_REQUEST = 0
DCCP_LISTEN = 10
DCCP_EVENTS: dict[int, int] = {
    DCCP_REQUEST: SYN,
    1: SYN_ACK,  # Response
    2: OTHER,  # Data
    3: OTHER,  # Ack
    4: OTHER,  # DataAck
    5: FIN,  # CloseReq
    6: FIN,  # Close
    7: RST,  # Reset
    8: OTHER,  # Sync
    9: OTHER,  # SyncAck
    DCCP_LISTEN: OTHER,
}

# RFC 9260 section 3.2: by the packet's first chunk; chunks not named here are OTHER.
SCTP_INIT = 1
SCTP_EVENTS: dict[int, int] = {
    SCTP_INIT: SYN,
    2: SYN_ACK,  # INIT ACK
    6: RST,  # ABORT
    7: FIN,  # SHUTDOWN
    8: FIN,  # SHUTDOWN ACK
    14: RST,  # SHUTDOWN COMPLETE
}

# Echo Request and Timestamp (RFC 792), Echo Request (RFC 4443).
ICMP_REQUESTS = (8, 13, 128)


def event_of(protocol: int, kind: int) -> int:
    if protocol == TCP:
        return event_of_segment(kind)
    if protocol == DCCP:
        return DCCP_EVENTS.get(kind, INVALID)
    if protocol == SCTP:
        return SCTP_EVENTS.get(kind, OTHER)
    return OTHER


def opens_session(protocol: int, kind: int) -> bool:
    """Whether a packet may be the first of a session."""
    if protocol == TCP:
        return kind & SEGMENT_FLAGS == FLAG_SYN
    if protocol == DCCP:
        return kind in (DCCP_REQUEST, DCCP_LISTEN)
    if protocol == SCTP:
        return kind == SCTP_INIT
    if protocol == ICMP:
        return kind in ICMP_REQUESTS
    return True


def transition_table() -> bytes:
    """Next state at ((state * 2 + side) * EVENTS + event)."""
    return bytes(
        TRANSITIONS.get((state, side, event), state)
        for state in range(STATES)
        for side in (CLIENT, SERVER)
        for event in range(EVENTS)
    )


def event_table() -> bytes:
    """Event at (protocol * KINDS + kind)."""
    return bytes(event_of(protocol, kind) for protocol in range(PROTOCOLS) for kind in range(KINDS))


def opener_table() -> bytes:
    """1 at (protocol * KINDS + kind) where such a packet opens a session."""
    return bytes(
        opens_session(protocol, kind) for protocol in range(PROTOCOLS) for kind in range(KINDS)
    )


def timer_table() -> bytes:
    """Timer at the state; 0 for protocols without connections: theirs does not change."""
    return bytes(TIMER_OF_STATE.get(state, 0) for state in range(STATES))
