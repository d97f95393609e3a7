"""The rows of the NAT's tables.  records.pxd is the same as C structs, and allocates them.

Rows refer to each other by row number; row 0 is never used, so 0 means "none".
"""

from array import array
from collections import defaultdict
from dataclasses import dataclass
from typing import TypeAlias

from ratsnake.wire.types import u8, u16, u32, u64

NONE32 = 0xFFFFFFFF


@dataclass(slots=True)
class SessionFields:
    """One 5-tuple: its timer, its counters and the precomputed rewrite of both directions.

    `older`/`younger` link the sessions of one timer by last use (and free rows by `younger`);
    `ring_previous`/`ring_next` link the sessions of one mapping.  `external` is the row of the
    external address.  The differences are checksum differences of the outbound rewrite.
    """

    internal_high: u64 = 0
    internal_low: u64 = 0
    remote_high: u64 = 0
    remote_low: u64 = 0
    expires: u64 = 0
    packets_out: u64 = 0
    bytes_out: u64 = 0
    packets_in: u64 = 0
    bytes_in: u64 = 0
    mapping: u32 = 0
    older: u32 = 0
    younger: u32 = 0
    ring_previous: u32 = 0
    ring_next: u32 = 0
    internal_port: u16 = 0
    external_port: u16 = 0
    remote_port: u16 = 0
    external: u16 = 0
    address_difference: u16 = 0
    port_difference: u16 = 0
    protocol: u8 = 0
    state: u8 = 0
    timer: u8 = 0
    flags: u8 = 0


@dataclass(slots=True)
class MappingFields:
    """Internal endpoint [+ remote as far as the mapping behaviour looks] → external endpoint.

    `sessions` counts its sessions, `confirmed` those in which the inside has sent.  `first` heads
    the ring of its sessions, confirmed ones first (of a free row: the next free row); `endpoint` is
    the row of its internal endpoint's memory, 0 where the policy keeps none.
    """

    internal_high: u64 = 0
    internal_low: u64 = 0
    remote_high: u64 = 0
    remote_low: u64 = 0
    created: u64 = 0
    sessions: u32 = 0
    confirmed: u32 = 0
    first: u32 = 0
    endpoint: u32 = 0
    internal_port: u16 = 0
    external_port: u16 = 0
    remote_port: u16 = 0
    external: u16 = 0
    protocol: u8 = 0
    live: u8 = 0


@dataclass(slots=True)
class EndpointFields:
    """What is remembered of an internal endpoint: the external port it was given last."""

    internal_high: u64 = 0
    internal_low: u64 = 0
    mappings: u32 = 0
    older: u32 = 0
    younger: u32 = 0
    last_port: u32 = 0
    internal_port: u16 = 0
    protocol: u8 = 0


@dataclass(slots=True)
class TallyFields:
    """How often a (owner, address) pair is in use; `next` links free rows."""

    owner: u64 = 0
    high: u64 = 0
    low: u64 = 0
    count: u32 = 0
    next: u32 = 0


@dataclass(slots=True)
class PolicyFields:
    """A protocol's behaviour as numbers; `share` is how much of a remote tells two mappings of one
    external port apart: 0 nothing (the port is exclusive), 1 the address, 2 address and port."""

    mapping: u8 = 0
    filtering: u8 = 0
    sharing: u8 = 0
    selection: u8 = 0
    sticky: u8 = 0
    share: u8 = 0


# Rows come into being when they are first touched, as the C tables' pages do.
Sessions: TypeAlias = defaultdict[int, SessionFields]
Mappings: TypeAlias = defaultdict[int, MappingFields]
Endpoints: TypeAlias = defaultdict[int, EndpointFields]
Tallies: TypeAlias = defaultdict[int, TallyFields]
Policies: TypeAlias = list[PolicyFields]
Words: TypeAlias = "array[int]"
Numbers: TypeAlias = "array[int]"
Shorts: TypeAlias = "array[int]"
Octets: TypeAlias = bytearray


def new_sessions(n: int) -> Sessions:
    return defaultdict(SessionFields)


def new_mappings(n: int) -> Mappings:
    return defaultdict(MappingFields)


def new_endpoints(n: int) -> Endpoints:
    return defaultdict(EndpointFields)


def new_tallies(n: int) -> Tallies:
    return defaultdict(TallyFields)


def new_policies(n: int) -> Policies:
    return [PolicyFields() for _ in range(n)]


def new_words(n: int) -> Words:
    return array("Q", bytes(8 * n))


def new_numbers(n: int) -> Numbers:
    return array("I", bytes(4 * n))


def new_shorts(n: int) -> Shorts:
    return array("H", bytes(2 * n))


def new_octets(n: int) -> Octets:
    return bytearray(n)


def lowest_bit(word: u64) -> u32:
    return (word & -word).bit_length() - 1


def release(table: object) -> None:
    """Give a table back; the garbage collector does it here."""
