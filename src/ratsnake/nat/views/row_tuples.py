"""What the control plane sees of the tables: a tuple a row, ready for JSON."""

from typing import NamedTuple

PROTOCOL_NAMES = ("tcp", "udp", "icmp", "udplite", "dccp", "sctp", "other")


class MappingRow(NamedTuple):
    """`remote` and `remote_port` are None as far as the mapping does not depend on them; `age` is
    in seconds.  `static`: it follows a static forward."""

    protocol: str
    internal: str
    internal_port: int
    external: str
    external_port: int
    remote: str | None
    remote_port: int | None
    sessions: int
    age: int
    static: bool


class SessionRow(NamedTuple):
    """`expires` is in seconds from now; `opened` is "inside" or "outside"."""

    protocol: str
    internal: str
    internal_port: int
    external: str
    external_port: int
    remote: str
    remote_port: int
    state: str
    expires: int
    packets_out: int
    bytes_out: int
    packets_in: int
    bytes_in: int
    opened: str


class PortRow(NamedTuple):
    """How many ports of an external address have mappings of a protocol, and how many may have."""

    external: str
    protocol: str
    used: int
    total: int


class HostRow(NamedTuple):
    """An internal host: its sessions, and the bytes they moved between two looks."""

    host: str
    sessions: int
    bytes_out: int
    bytes_in: int
