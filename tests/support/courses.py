"""Courses that connections of DCCP and SCTP take, as the NAT sees them."""

from .families import (
    ABORT,
    CLOSE,
    CLOSE_REQUEST,
    DATA,
    DCCP_DATA,
    INIT,
    INIT_ACK,
    REQUEST,
    RESET,
    RESPONSE,
    SHUTDOWN,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    dccp,
    sctp,
)

SYNC, COOKIE_ECHO, HEARTBEAT = 8, 10, 4
OPENING, ESTABLISHED, CLOSING = 240, 7440, 240

Step = tuple[str, int, str, int]
# From which side what comes, the state after it, and how long the session then lives.  A reset that
# changes no state does not prolong it, and a step takes a second.
DCCP_CLOSED_BY_CLIENT: list[Step] = [
    ("client", REQUEST, "init", OPENING),
    ("client", DCCP_DATA, "init", OPENING),
    ("server", RESPONSE, "server-acked", OPENING),
    ("client", DCCP_DATA, "established", ESTABLISHED),
    ("client", CLOSE, "client-fin", ESTABLISHED),
    ("server", RESET, "reset", CLOSING),
    ("client", REQUEST, "init", OPENING),
]
DCCP_CLOSED_BY_SERVER: list[Step] = [
    ("client", REQUEST, "init", OPENING),
    ("server", RESPONSE, "server-acked", OPENING),
    ("server", CLOSE_REQUEST, "server-fin", ESTABLISHED),
    ("client", CLOSE, "both-fin", CLOSING),
    ("server", RESET, "both-fin", CLOSING - 1),
]
DCCP_REFUSED: list[Step] = [
    ("client", REQUEST, "init", OPENING),
    ("server", RESET, "init", OPENING - 1),
]
DCCP_BACK_AGAIN: list[Step] = [
    ("client", REQUEST, "init", OPENING),
    ("server", RESPONSE, "server-acked", OPENING),
    ("client", DCCP_DATA, "established", ESTABLISHED),
    ("client", RESET, "reset", CLOSING),
    ("server", SYNC, "established", ESTABLISHED),
]
SCTP_CLOSED: list[Step] = [
    ("client", INIT, "init", OPENING),
    ("server", INIT_ACK, "server-acked", OPENING),
    ("client", COOKIE_ECHO, "established", ESTABLISHED),
    ("server", DATA, "established", ESTABLISHED),
    ("client", HEARTBEAT, "established", ESTABLISHED),
    ("client", SHUTDOWN, "client-fin", ESTABLISHED),
    ("server", SHUTDOWN_ACK, "both-fin", CLOSING),
    ("client", SHUTDOWN_COMPLETE, "both-fin", CLOSING - 1),
    ("client", INIT, "init", OPENING),
]
SCTP_ABORTED: list[Step] = [
    ("client", INIT, "init", OPENING),
    ("server", INIT_ACK, "server-acked", OPENING),
    ("client", COOKIE_ECHO, "established", ESTABLISHED),
    ("server", ABORT, "reset", CLOSING),
]
COURSES = {
    "dccp-closed-by-client": (dccp, DCCP_CLOSED_BY_CLIENT),
    "dccp-closed-by-server": (dccp, DCCP_CLOSED_BY_SERVER),
    "dccp-refused": (dccp, DCCP_REFUSED),
    "dccp-back-again": (dccp, DCCP_BACK_AGAIN),
    "sctp-closed": (sctp, SCTP_CLOSED),
    "sctp-aborted": (sctp, SCTP_ABORTED),
}
