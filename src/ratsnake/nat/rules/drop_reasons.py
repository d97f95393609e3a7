"""Why a packet was dropped: every reason has a number, a name and a counter.

The numbers below those here are the faults of form in `wire.header_faults`.
"""

from typing import NamedTuple

from ratsnake.wire.header_faults import MEANINGS as FAULT_MEANINGS

TRANSLATED = 0
SOURCE = 22
DESTINATION = 23
STATUS_REQUEST = 24
TCP_FLAGS = 25
NOT_SYN = 26
NO_SESSION = 27
NO_MAPPING = 28
FILTERED = 29
NO_PORT = 30
MAPPING_LIMIT = 31
SESSION_LIMIT = 32
INBOUND_LIMIT = 33
HOST_LIMIT = 34
HOST_RATE = 35
CONFLICT = 36
FRAGMENT_HELD = 37
FRAGMENT_OVERLAP = 38
FRAGMENT_LIMIT = 39
HOP_LIMIT = 40
UNMAPPABLE = 41
FRAGMENT_REFUSED = 42
DEVICE_REFUSED = 43
ADDRESS_LOST = 44
REASONS_COUNT = 45

POLICY_MEANINGS: dict[int, tuple[str, str]] = {
    TRANSLATED: ("translated", "not dropped"),
    SOURCE: ("source", "outbound from outside the internal prefixes, or inbound from no host"),
    DESTINATION: (
        "destination",
        "a destination that is no remote host: multicast, loopback, inside",
    ),
    STATUS_REQUEST: ("status-request", "a packet to 192.0.2.2, which asks for the status"),
    TCP_FLAGS: ("tcp-flags", "a combination of TCP flags, or a DCCP type, no packet may have"),
    NOT_SYN: ("not-syn", "a TCP, DCCP or SCTP packet of no session that does not open one"),
    NO_SESSION: ("no-session", "an Echo Reply or ICMP error that belongs to no session"),
    NO_MAPPING: ("no-mapping", "inbound to an external endpoint nobody has"),
    FILTERED: ("filtered", "inbound from a remote the filter refuses"),
    NO_PORT: ("no-port", "no external port is free for this flow"),
    MAPPING_LIMIT: ("mapping-limit", "the limit of mappings is reached"),
    SESSION_LIMIT: ("session-limit", "the limit of sessions is reached"),
    INBOUND_LIMIT: ("inbound-limit", "the limit of sessions opened from outside is reached"),
    HOST_LIMIT: ("host-limit", "the internal host has all the mappings or sessions it may have"),
    HOST_RATE: ("host-rate", "the internal host opens sessions faster than it may"),
    CONFLICT: ("conflict", "inbound, but the inside already talks to this remote by another port"),
    FRAGMENT_HELD: ("fragment-held", "kept until the datagram's first fragment comes"),
    FRAGMENT_OVERLAP: ("fragment-overlap", "a datagram whose fragments overlap or contradict"),
    FRAGMENT_LIMIT: ("fragment-limit", "no room for a fragment, or too many of one datagram"),
    HOP_LIMIT: ("hop-limit", "the TTL or hop limit is used up"),
    UNMAPPABLE: ("unmappable", "an address that prefix translation cannot map (RFC 6296)"),
    FRAGMENT_REFUSED: (
        "fragment-refused",
        "of a datagram of which another fragment was dropped",
    ),
    ADDRESS_LOST: (
        "address-lost",
        "a new flow of an internal host whose external address is not there at the moment",
    ),
    DEVICE_REFUSED: ("device-refused", "translated, but the device did not take the packet"),
}


class Reason(NamedTuple):
    name: str
    meaning: str


REASONS: tuple[Reason, ...] = tuple(
    Reason(*{**POLICY_MEANINGS, **FAULT_MEANINGS}[code]) for code in range(REASONS_COUNT)
)

# Reasons that are a limit reached: of those, that one is reached at all is worth telling.
LIMIT_REASONS = (
    *(NO_PORT, MAPPING_LIMIT, SESSION_LIMIT, INBOUND_LIMIT, HOST_LIMIT, HOST_RATE),
    FRAGMENT_LIMIT,
)
# What the inside is told about when a flow finds no room (RFC 5508 REQ-8, RFC 6888 REQ-11B).
WITHOUT_RESOURCES = (NO_PORT, MAPPING_LIMIT, SESSION_LIMIT, HOST_LIMIT, HOST_RATE)
