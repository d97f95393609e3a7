"""What is copied of a table's row to be shown.  row_copies.pxd is the same as C structs.

However the tables keep it, here every field stands by itself, and addresses are whole.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import TypeAlias

from ratsnake.wire.integer_types import u8, u16, u32, u64


@dataclass(slots=True)
class SessionCopyFields:
    """A session with the endpoints of its mapping; `external` is the row of the address."""

    internal_high: u64 = 0
    internal_low: u64 = 0
    remote_high: u64 = 0
    remote_low: u64 = 0
    expires: u64 = 0
    packets_out: u64 = 0
    bytes_out: u64 = 0
    packets_in: u64 = 0
    bytes_in: u64 = 0
    internal_port: u16 = 0
    external: u16 = 0
    external_port: u16 = 0
    remote_port: u16 = 0
    protocol: u8 = 0
    state: u8 = 0
    flags: u8 = 0


@dataclass(slots=True)
class MappingCopyFields:
    """A mapping; its remote counts as far as the mapping `depends` on it (RFC 4787 section 4.1)."""

    internal_high: u64 = 0
    internal_low: u64 = 0
    remote_high: u64 = 0
    remote_low: u64 = 0
    created: u64 = 0
    sessions: u32 = 0
    internal_port: u16 = 0
    external: u16 = 0
    external_port: u16 = 0
    remote_port: u16 = 0
    protocol: u8 = 0
    depends: u8 = 0
    is_static: u8 = 0


SessionCopies: TypeAlias = defaultdict[int, SessionCopyFields]
MappingCopies: TypeAlias = defaultdict[int, MappingCopyFields]


def new_session_copies(n: int) -> SessionCopies:
    return defaultdict(SessionCopyFields)


def new_mapping_copies(n: int) -> MappingCopies:
    return defaultdict(MappingCopyFields)
