"""The rows of the NAT's tables.  row_layouts.pxd is the same as C structs, and allocates them.

Rows refer to each other by row number; row 0 is never used, so 0 means "none".

A row that is not in use is *poisoned*: to touch more of it than says that it is free, and links it,
is an error here, and in a compiled build with AddressSanitizer.
"""

from array import array
from collections import defaultdict
from dataclasses import dataclass
from typing import TypeAlias, cast

from ratsnake.wire.integer_types import u8, u16, u32, u64

from .row_poisoning import both

NONE32 = 0xFFFFFFFF


@dataclass(slots=True)
class SessionFields:
    """One remote endpoint of a mapping: its timer, its counters, and its TCP window.

    64 octets in C: one cache line.  The rest of its 5-tuple is in its mapping, the upper half of a
    wide remote address beside the table.  A row without a mapping is free.

    `older`/`younger` link the sessions of one timer by last use (and free rows by `younger`);
    `ring_previous`/`ring_next` link the sessions of one mapping.
    `inside_next` is the sequence number the inside of a TCP session expects next, `inside_window`
    how much it takes from there, to be shifted by `inside_scale` (RFC 7323 section 2).
    Packets are counted in 40 bits, bytes in 48, and then from zero again.  `expires` has 45 bits,
    which last for 1,100 years: see LATEST in `nat.py`.
    """

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
    inside_next: u32 = 0
    inside_window: u16 = 0
    remote_port: u16 = 0
    state: u8 = 0
    timer: u8 = 0
    flags: u8 = 0
    inside_scale: u8 = 0


@dataclass(slots=True)
class MappingFields:
    """Internal endpoint [+ remote as far as the mapping behaviour looks] → external endpoint.

    40 octets in C.  The remote is in the row of `PartnerFields` of the same number, the upper half
    of a wide internal address beside the table.

    `policy` is the row of its policy (`rules.behaviour_codes`); FREE in a free row.
    `sessions` counts its sessions, `confirmed` those in which the inside has sent.  `first` heads
    the ring of its sessions, confirmed ones first (of a free row: the next free row); `host` is the
    row of its internal host.  `external` is the row of the external address.  The differences are
    checksum differences of the outbound rewrite.
    """

    internal_low: u64 = 0
    created: u64 = 0
    sessions: u32 = 0
    confirmed: u32 = 0
    first: u32 = 0
    host: u32 = 0
    internal_port: u16 = 0
    external_port: u16 = 0
    external: u16 = 0
    address_difference: u16 = 0
    port_difference: u16 = 0
    protocol: u8 = 0
    policy: u8 = 0
    is_wide: u8 = 0


@dataclass(slots=True)
class PartnerFields:
    """What only some policies keep of a mapping: the remote it was made for, and `endpoint`, the
    row of its internal endpoint's memory.  Others never touch it, so it takes no memory then.
    """

    remote_high: u64 = 0
    remote_low: u64 = 0
    endpoint: u32 = 0
    remote_port: u16 = 0


@dataclass(slots=True)
class EndpointFields:
    """What is remembered of an internal endpoint: the external endpoint it was given last."""

    internal_high: u64 = 0
    internal_low: u64 = 0
    mappings: u32 = 0
    older: u32 = 0
    younger: u32 = 0
    last_port: u32 = 0
    last_external: u32 = 0
    internal_port: u16 = 0
    protocol: u8 = 0


@dataclass(slots=True)
class PortFields:
    """An external port: when its rest ends (ms; 0: it does not rest), its neighbours in the ring of
    those that rest (positions and 1), and how many mappings share it.
    """

    rests_until: u64 = 0
    users: u32 = 0
    older: u16 = 0
    younger: u16 = 0


@dataclass(slots=True)
class CounterFields:
    """The number an owner has for an address; of a free row it is the next free row."""

    owner: u64 = 0
    high: u64 = 0
    low: u64 = 0
    number: u64 = 0


@dataclass(slots=True)
class HostFields:
    """An internal host that has mappings or sessions: how many, and what it may still open.

    `forwards` counts the mappings of static forwards to it, `mappings` all others, `answered` the
    sessions of all of them in which both sides have sent.  `spent` is what is missing from its
    bucket of new sessions, in thousandths of a session, as of `spent_at` (ms).  `external` is the
    row of its external address while it has mappings.  `next` links free rows.
    """

    high: u64 = 0
    low: u64 = 0
    spent_at: u64 = 0
    mappings: u32 = 0
    forwards: u32 = 0
    sessions: u32 = 0
    answered: u32 = 0
    spent: u32 = 0
    next: u32 = 0
    external: u16 = 0
    live: u8 = 0


@dataclass(slots=True)
class ForwardFields:
    """A static forward: its internal endpoint and its external one, both at their first port."""

    internal_high: u64 = 0
    internal_low: u64 = 0
    external: u16 = 0
    external_port: u16 = 0
    internal_port: u16 = 0


@dataclass(slots=True)
class StepFields:
    """Where a look-up of forwards begins to answer differently; the key is the first four fields.

    A step among ports leads to the steps among remotes `first`..`end` (not included); one among
    remotes has no protocol and port, and names a forward, or none.
    """

    high: u64 = 0
    low: u64 = 0
    protocol: u32 = 0
    port: u32 = 0
    first: u32 = 0
    end: u32 = 0
    forward: u32 = 0


@dataclass(slots=True)
class DatagramFields:
    """A fragmented datagram: its key, its translation once that is known, and what is held.

    `datagram` is its identification, of IPv4 with version and protocol number.  `older`/`younger`
    link the datagrams of one ring (and free rows by `younger`); `first_held` and `last_held` are
    the ends of the chain of its held fragments, `held` their number.
    """

    source_high: u64 = 0
    source_low: u64 = 0
    destination_high: u64 = 0
    destination_low: u64 = 0
    datagram: u64 = 0
    expires: u64 = 0
    new_source_high: u64 = 0
    new_source_low: u64 = 0
    new_destination_high: u64 = 0
    new_destination_low: u64 = 0
    identification: u32 = 0
    outbound: u32 = 0
    older: u32 = 0
    younger: u32 = 0
    first_held: u32 = 0
    last_held: u32 = 0
    ring: u8 = 0
    state: u8 = 0
    held: u8 = 0


@dataclass(slots=True)
class SynFields:
    """An unsolicited SYN that waits: whose it is, and how much of it is kept.

    `external` is the row of the external address, `due` the time (ms) at which an error about it is
    due.  `size` bytes are kept, in which the TCP header is at `transport`.  `older`/`younger` link
    the rows in the order of arrival (and free rows by `younger`).
    """

    remote_high: u64 = 0
    remote_low: u64 = 0
    due: u64 = 0
    external: u32 = 0
    older: u32 = 0
    younger: u32 = 0
    external_port: u16 = 0
    remote_port: u16 = 0
    size: u8 = 0
    transport: u8 = 0


@dataclass(slots=True)
class PolicyFields:
    """The behaviour of a protocol, for a class of hosts, as numbers.

    `share` is how much of a remote tells two mappings of one external port apart: 0 nothing (the
    port is exclusive), 1 the address, 2 address and port.  `permits`: the filter asks which
    addresses a mapping's sessions were with.  `remembers`: the port an internal endpoint had last
    matters.  `keeps`: a mapping has a row of PartnerFields.  `rests`: ports rest after
    use; `wakes`: they do so under some policy of the protocol.  `fixed`: the port cannot be
    changed.  `group` is the first policy of the protocol that has the same `share`.
    """

    mapping: u8 = 0
    filtering: u8 = 0
    sharing: u8 = 0
    selection: u8 = 0
    sticky: u8 = 0
    parity: u8 = 0
    share: u8 = 0
    permits: u8 = 0
    remembers: u8 = 0
    rests: u8 = 0
    keeps: u8 = 0
    fixed: u8 = 0
    wakes: u8 = 0
    group: u8 = 0


# A row is there once it was in use; one that never was is a KeyError.
Sessions: TypeAlias = dict[int, SessionFields]
Mappings: TypeAlias = dict[int, MappingFields]
Partners: TypeAlias = dict[int, PartnerFields]
Endpoints: TypeAlias = dict[int, EndpointFields]
Ports: TypeAlias = defaultdict[int, PortFields]  # come into being when they are first touched
CounterRows: TypeAlias = dict[int, CounterFields]
Hosts: TypeAlias = dict[int, HostFields]
ForwardRows: TypeAlias = list[ForwardFields]
Steps: TypeAlias = list[StepFields]
Datagrams: TypeAlias = dict[int, DatagramFields]
Syns: TypeAlias = dict[int, SynFields]
Policies: TypeAlias = list[PolicyFields]
Words: TypeAlias = "array[int]"
Numbers: TypeAlias = "array[int]"
Shorts: TypeAlias = "array[int]"
Octets: TypeAlias = bytearray

# Of a free row stay readable what says that it is free, and what links it.
unpoison_session, poison_session = both(SessionFields, "mapping", "inside_next", "older", "younger")
_unpoison_mapping, _poison_mapping = both(
    MappingFields,
    "created",
    "internal_port",
    "sessions",
    "policy",
    "confirmed",
    "protocol",
    "is_wide",
    "first",
    "host",
)
_unpoison_partner, _poison_partner = both(PartnerFields)
unpoison_endpoint, _ = both(EndpointFields)
unpoison_number, poison_number = both(CounterFields, "number")
unpoison_host, poison_host = both(HostFields, "next", "external", "live")
unpoison_datagram, poison_datagram = both(DatagramFields, "older", "younger")
unpoison_syn, poison_syn = both(SynFields, "external", "older", "younger")


def unpoison_mapping(rows: Mappings, partners: Partners, m: u32) -> None:
    _unpoison_mapping(rows, m)
    _unpoison_partner(partners, m)


def poison_mapping(rows: Mappings, partners: Partners, m: u32) -> None:
    _poison_mapping(rows, m)
    _poison_partner(partners, m)


def new_sessions(n: int) -> Sessions:
    return {}


def new_mappings(n: int) -> Mappings:
    return {}


def new_partners(n: int) -> Partners:
    return {}


def new_ports(n: int) -> Ports:
    return defaultdict(PortFields)


def new_endpoints(n: int) -> Endpoints:
    return {}


def new_counter_rows(n: int) -> CounterRows:
    return {}


def new_hosts(n: int) -> Hosts:
    return {}


def new_forwards(n: int) -> ForwardRows:
    return [ForwardFields() for _ in range(n)]


def new_steps(n: int) -> Steps:
    return [StepFields() for _ in range(n)]


def new_datagrams(n: int) -> Datagrams:
    return {}


def new_syns(n: int) -> Syns:
    return {}


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


class Reserve(dict[int, int]):
    """Words that come into being when they are first written."""

    def __missing__(self, at: int) -> int:
        return 0


def reserved_words(n: int) -> Words:
    return cast(Words, Reserve())


def reserved_numbers(n: int) -> Numbers:
    return new_numbers(0)


def emptied(numbers: Numbers, n: int) -> Numbers:
    """The first n numbers, all zero, of a reserve that was forgotten."""
    return new_numbers(n)


def forget(numbers: Numbers, first: int, n: int) -> None:
    """Make n numbers from `first` zero and give their memory back; the garbage collector does it
    here."""


def prefetch_number(numbers: Numbers, at: int) -> None:
    """Ask for a cache line that is needed soon; nothing to the interpreter, like the others."""


def prefetch_session(sessions: Sessions, at: int) -> None: ...


def prefetch_mapping(mappings: Mappings, at: int) -> None: ...


def prefetch_port(ports: Ports, at: int) -> None: ...


def unreserve(table: object) -> None:
    """Give a reserved table back; the garbage collector does it here."""


def release(table: object) -> None:
    """Give a table back; the garbage collector does it here."""
