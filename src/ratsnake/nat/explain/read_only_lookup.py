"""Who only looks: what `explain` finds in the tables, and how it says so."""

from ipaddress import ip_network

import cython

if not cython.compiled:
    from ratsnake.wire.icmpv6 import ECHO_REQUEST
    from ratsnake.wire.integer_types import u32, u64
    from ratsnake.wire.packet_fields import (
        ICMP,
        IPPROTO_ICMP,
        OTHER,
        Packet,
        new_packet,
        release_packet,
    )

    from ..rules.behaviour_codes import STATIC
    from ..rules.connection_states import KINDS
    from ..rules.timeout_classes import TIMERS
    from ..tables.row_layouts import NONE32, Mappings, Octets, Sessions, new_octets, release
    from ..tables.session_table import INSIDE_SENT
    from ..translation.flow_eviction import may_give_way, patience_with, session_may_give_way

    ROWS_LOOKED_AT = 4096

from ..rules.behaviour import name_of
from ..rules.connection_states import STATE_NAMES
from ..settings.address_realm import halves
from ..settings.host_types import deciding_types
from ..settings.validated_settings import Settings
from ..translation.packet_translator import Translator
from ..translation.shared_address import Sharing
from ..translation.stateless_translation import Stateless
from ..views.row_tuples import PROTOCOL_NAMES
from ..views.table_pages import address_text, external_text
from .explanation import Endpoint, Explanation, shown

HEADER_6 = 40


class ReadOnlyLookup:
    """`mapping` is the row of the packet's mapping, `external` the row of that one's external
    address and `port` its port, each NONE32 where it is not known; `more_sessions` and
    `more_mappings` are those the first half of a hairpin would have made.  `outlived`: something
    expired was met that would end there."""

    packet: Packet
    scratch: Octets

    def __init__(
        self,
        translator: Translator,
        stateless: Stateless,
        sharing: Sharing,
        settings: Settings,
    ) -> None:
        self.translator = translator
        self.stateless = stateless
        self.sharing = sharing
        self.flows = translator.flows
        self.settings = settings
        self.packet = new_packet()
        self.scratch = new_octets(HEADER_6)
        self.said = Explanation()
        self.now = 0
        self.mapping = 0
        self.external = self.port = NONE32
        self.more_sessions = self.more_mappings = 0
        self.outlived = False

    def __dealloc__(self) -> None:
        release_packet(self.packet)
        release(self.scratch)

    def lives(self, i: u32) -> bool:
        """Whether a session that was found is still there (`Flows.meets`)."""
        s: Sessions = self.flows.sessions.rows
        return s[i].expires > self.now and (
            s[i].flags & INSIDE_SENT != 0 or self.flows.shows_life(s[i].mapping, self.now)
        )

    def may_sweep(self) -> bool:
        """Whether something has expired that would make room first."""
        s: Sessions = self.flows.sessions.rows
        timer: u32
        i: u32
        if self.outlived:
            return True
        for timer in range(1, TIMERS + 1):
            i = self.flows.sessions.oldest(timer)
            if i and s[i].expires <= self.now:
                return True
        return False

    def has_session_room(self) -> bool:
        sessions = self.flows.sessions
        return sessions.count + self.more_sessions < sessions.capacity or self.may_sweep()

    def has_mapping_room(self) -> bool:
        mappings = self.flows.mappings
        return mappings.count + self.more_mappings < mappings.capacity or self.may_sweep()

    def session_makes_room(self) -> bool:
        """Whether the table is full but a session may end for the packet's (flow_eviction.py)."""
        flows = self.flows
        patience: u64 = patience_with(flows, self.packet)
        last: u32 = min(flows.sessions.fresh, TIMERS + ROWS_LOOKED_AT)
        i: u32
        for i in range(TIMERS + 1, last if flows.patience else 0):
            if session_may_give_way(flows, i, patience, self.now):
                return self.may_get(True)
        return self.may_get(False, flows.patience != 0 and last < flows.sessions.fresh)

    def mapping_makes_room(self, anywhere: bool) -> bool:
        """Whether a mapping, else one of the packet's protocol, may end for the packet's flow."""
        flows = self.flows
        r: Mappings = flows.mappings.rows
        patience: u64 = patience_with(flows, self.packet)
        last: u32 = min(flows.mappings.fresh, ROWS_LOOKED_AT)
        m: u32
        for m in range(1, last if flows.patience else 0):
            if may_give_way(flows, m, patience, self.now) and (
                anywhere or r[m].protocol == self.packet.protocol
            ):
                return self.may_get(True)
        return self.may_get(False, flows.patience != 0 and last < flows.mappings.fresh)

    def may_get(self, room: bool, is_unknown: bool = False) -> bool:
        """What has been found of flows that may make room; says so, and returns `room`.

        A few are drawn by chance when the packet comes, so nothing is certain where there are any.
        """
        if room:
            self.say("no room, unless a flow of a host that got no answer ends for it (likely)")
        elif is_unknown:
            self.say("no room, unless a flow of a host that got no answer ends for it (unlikely)")
        if room or is_unknown:
            self.said.certain = False
        return room

    def imagine(
        self, protocol: str, source: Endpoint, destination: Endpoint, kind: int | None
    ) -> None:
        """Fill in the packet as the parser would; raises ValueError where there is no such packet.

        Where `kind` is None it is one that opens a flow.
        """
        if protocol not in PROTOCOL_NAMES:
            raise ValueError(f"protocol {protocol}: must be one of {', '.join(PROTOCOL_NAMES)}")
        if source[0].version != destination[0].version:
            raise ValueError(f"{source[0]} and {destination[0]} are not of one IP version")
        for _, port in (source, destination):
            if not 0 <= port <= 0xFFFF:
                raise ValueError(f"port {port}: must be from 0 to 65535")
        p: Packet = self.packet
        openers: Octets = self.translator.openers
        p.protocol = PROTOCOL_NAMES.index(protocol)
        p.version = source[0].version
        p.source_high, p.source_low = halves(source[0])
        p.destination_high, p.destination_low = halves(destination[0])
        p.source_port, p.destination_port = source[1], destination[1]
        if p.protocol == ICMP or p.protocol == OTHER:
            # One number, whichever end it was said of.
            p.source_port = p.destination_port = source[1] or destination[1]
        p.is_error = 0
        # Only that of ICMP is ever asked for.
        p.number = IPPROTO_ICMP if p.protocol == ICMP and p.version == 4 else 0
        if kind is not None:
            p.kind = kind
        elif p.protocol == ICMP and p.version == 6:
            p.kind = ECHO_REQUEST
        else:
            p.kind = [k for k in range(KINDS) if openers[p.protocol * KINDS + k]][0]

    def say(self, step: str) -> None:
        self.said.steps.append(step)

    def become(
        self,
        source: str | None,
        source_port: int | None,
        destination: str | None,
        destination_port: int | None,
    ) -> None:
        self.said.becomes = ((source, source_port), (destination, destination_port))

    def belongs(self, i: u32) -> None:
        s: Sessions = self.flows.sessions.rows
        self.said.session = STATE_NAMES[s[i].state]
        self.say(
            f"it belongs to a session: {self.said.session},"
            f" expires in {(s[i].expires - self.now) // 1000} s"
        )
        self.maps(s[i].mapping)

    def maps(self, m: u32) -> None:
        """It uses a mapping that is there."""
        r: Mappings = self.flows.mappings.rows
        self.mapping = m
        self.external = r[m].external
        self.port = r[m].external_port
        self.said.mapping = "existing"
        self.said.internal = (
            address_text(self.flows.mappings.internal_high(m), r[m].internal_low),
            r[m].internal_port,
        )
        self.said.external = self.external_end()
        if self.said.rule is None and r[m].policy >= STATIC:
            # Its remote stands for the forward.
            rule = self.settings.forwards[self.flows.mappings.partners[m].remote_low - 1]
            self.said.rule = f"{rule.key} {rule}"
        self.say(
            f"the mapping is there: {shown(*self.said.internal)} = {shown(*self.said.external)}"
        )
        if r[m].policy < STATIC:
            self.tell_type(self.said.internal[0])

    def tell_type(self, host: str) -> None:
        """The NAT type of an internal host; where hosts have their own, also what gives it."""
        protocol: u32 = self.packet.protocol
        types = deciding_types(self.settings.hosts, ip_network(host), protocol)
        behaviour = self.settings.behaviours[protocol]
        self.said.nat_type_of = None
        if types is not None:
            behaviour = types.behaviours[protocol] or behaviour
            self.said.nat_type_of = str(types.prefix)
        self.said.nat_type = name_of(behaviour)
        if self.settings.hosts:
            source = "all hosts" if types is None else f"hosts in {types.prefix} (host-nat)"
            self.say(f"its NAT type is {self.said.nat_type}, that of {source}")

    def external_end(self) -> tuple[str | None, int | None]:
        """The mapping's external endpoint, as far as it is known."""
        address = None if self.external == NONE32 else external_text(self.flows, self.external)
        return address, None if self.port == NONE32 else self.port

    def source_end(self) -> tuple[str, int]:
        p: Packet = self.packet
        return address_text(p.source_high, p.source_low), p.source_port

    def destination_end(self) -> tuple[str, int]:
        p: Packet = self.packet
        return address_text(p.destination_high, p.destination_low), p.destination_port

    def source(self) -> str:
        return shown(*self.source_end())

    def destination(self) -> str:
        return shown(*self.destination_end())
