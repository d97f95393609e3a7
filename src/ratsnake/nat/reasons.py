"""Why a packet was dropped: every reason has a number, a name and a counter.

The numbers below those here are the faults of form in `wire.faults`.
"""

from typing import NamedTuple

from ratsnake.wire.faults import MEANINGS as FAULT_MEANINGS

TRANSLATED = 0
SOURCE = 18
DESTINATION = 19
STATUS_REQUEST = 20
TCP_FLAGS = 21
NOT_SYN = 22
NO_SESSION = 23
NO_MAPPING = 24
FILTERED = 25
NO_PORT = 26
MAPPING_LIMIT = 27
SESSION_LIMIT = 28
INBOUND_LIMIT = 29
DEVICE_REFUSED = 30
REASONS_COUNT = 31

POLICY_MEANINGS: dict[int, tuple[str, str]] = {
    TRANSLATED: ("translated", "not dropped"),
    SOURCE: ("source", "an outbound source outside the internal prefixes"),
    DESTINATION: (
        "destination",
        "a destination that is no remote host: multicast, loopback, inside",
    ),
    STATUS_REQUEST: ("status-request", "a packet to 192.0.2.2, which asks for the status"),
    TCP_FLAGS: ("tcp-flags", "a combination of TCP flags no segment may have"),
    NOT_SYN: ("not-syn", "a TCP segment of no session that does not open one"),
    NO_SESSION: ("no-session", "an Echo Reply or ICMP error that belongs to no session"),
    NO_MAPPING: ("no-mapping", "inbound to an external endpoint nobody has"),
    FILTERED: ("filtered", "inbound from a remote that the filtering behaviour refuses"),
    NO_PORT: ("no-port", "no external port is free for this flow"),
    MAPPING_LIMIT: ("mapping-limit", "the limit of mappings is reached"),
    SESSION_LIMIT: ("session-limit", "the limit of sessions is reached"),
    INBOUND_LIMIT: ("inbound-limit", "the limit of sessions opened from outside is reached"),
    DEVICE_REFUSED: ("device-refused", "translated, but the device did not take the packet"),
}


class Reason(NamedTuple):
    name: str
    meaning: str


REASONS: tuple[Reason, ...] = tuple(
    Reason(*{**POLICY_MEANINGS, **FAULT_MEANINGS}[code]) for code in range(REASONS_COUNT)
)
