"""What would become of a packet, and why: the way through the NAT, for who only looks.

The tables, the realm, the forwards, the filter and the preference for a port are asked just as
`stateless_translation`, `packet_translator` and `session_admission` ask them, in the same order;
what ends, enters or takes something there is looked at here.  tests/nat/test_packet_explainer.py
holds the two together.
"""

from ipaddress import IPv4Address, IPv6Address

import cython

if not cython.compiled:
    from ratsnake.wire.byte_order import be64, put64
    from ratsnake.wire.integer_types import u32, u64
    from ratsnake.wire.ipv6 import DESTINATION as DESTINATION_AT
    from ratsnake.wire.ipv6 import SOURCE as SOURCE_AT
    from ratsnake.wire.packet_fields import ICMP, OTHER, Packet

    from ..rules.behaviour_codes import STATIC
    from ..rules.connection_states import INVALID, KINDS
    from ..rules.drop_reasons import (
        ADDRESS_LOST,
        CONFLICT,
        DESTINATION,
        FILTERED,
        HOST_LIMIT,
        HOST_RATE,
        INBOUND_LIMIT,
        MAPPING_LIMIT,
        NO_MAPPING,
        NO_PORT,
        REASONS_COUNT,
        SESSION_LIMIT,
        SOURCE,
        STATUS_REQUEST,
        TCP_FLAGS,
        TRANSLATED,
    )
    from ..tables.row_layouts import Mappings
    from ..translation.flow_eviction import oldest_half_open
    from ..translation.session_admission import not_opening, passes_filter

from ..rules.drop_reasons import REASONS
from ..settings.address_realm import halves
from ..views.table_pages import address_text
from .allocation_preview import AllocationPreview
from .explanation import FILTERS, Endpoint, Explanation, shown
from .read_only_lookup import ReadOnlyLookup


class Walk(ReadOnlyLookup):
    """One packet's way."""

    def explain(
        self, protocol: str, source: Endpoint, destination: Endpoint, kind: int | None, now: int
    ) -> Explanation:
        """See `Nat.explain`."""
        self.now = now
        self.imagine(protocol, source, destination, kind)
        reason = REASONS_COUNT
        if self.stateless.active:
            reason = self.pass_by()
        if reason == REASONS_COUNT:
            reason = self.whole()
        self.said.verdict = REASONS[reason].name
        if reason != TRANSLATED:
            self.said.becomes = None
            self.say(f"dropped ({self.said.verdict}): {REASONS[reason].meaning}")
        else:
            ends = self.said.becomes or ((None, None), (None, None))
            self.say(f"sent as {shown(*ends[0])} -> {shown(*ends[1])}")
        return self.said

    # -- without a session

    def pass_by(self) -> int:
        """The verdict of the stateless rules, or REASONS_COUNT; they get a header to rewrite."""
        p: Packet = self.packet
        put64(self.scratch, SOURCE_AT, p.source_high)
        put64(self.scratch, SOURCE_AT + 8, p.source_low)
        put64(self.scratch, DESTINATION_AT, p.destination_high)
        put64(self.scratch, DESTINATION_AT + 8, p.destination_low)
        reason: int = self.stateless.process(self.scratch, p)
        if reason == REASONS_COUNT:
            return reason
        self.said.direction = "outbound" if self.stateless.is_outbound else "inbound"
        if self.stateless.passes(self.scratch, p):
            self.said.rule = "no-nat"
            self.say("the remote is one that is not translated (no-nat)")
        else:
            self.said.rule = "nptv6"
            self.say("prefixes are exchanged without state (nptv6)")
        self.become(
            address_text(be64(self.scratch, SOURCE_AT), be64(self.scratch, SOURCE_AT + 8)),
            p.source_port,
            address_text(
                be64(self.scratch, DESTINATION_AT), be64(self.scratch, DESTINATION_AT + 8)
            ),
            p.destination_port,
        )
        return reason

    def whole(self) -> int:
        """What is the NAT's, and else perhaps the host's that shares its address."""
        if self.sharing.active and self.sharing.is_query_from_inside(self.packet):
            return self.give_to_host()
        # `route` changes it where a hairpin turns, and then it is nobody else's.
        may_be_hosts: bool = self.sharing.active and self.sharing.may_be_hosts(self.packet)
        reason = self.route()
        if reason != TRANSLATED and may_be_hosts:
            self.say(f"the NAT would drop it ({REASONS[reason].name})")
            return self.give_to_host()
        return reason

    def give_to_host(self) -> int:
        self.said.direction = "inbound"
        self.said.rule = "shared address"
        self.say("the address is the host's own too: it is the host's, as it is")
        self.become(*self.source_end(), *self.destination_end())
        return TRANSLATED

    # -- what packet_translator.py does

    def route(self) -> int:
        p: Packet = self.packet
        flows = self.flows
        to: u32 = flows.realm.external_row(p.destination_high, p.destination_low)
        if to == flows.realm.externals:
            self.said.direction = "outbound"
            self.say(f"{self.destination()} is none of the external addresses: outbound")
            reason = self.outbound()
            if reason == TRANSLATED:
                self.become(*self.external_end(), *self.destination_end())
            return reason
        self.said.direction = "inbound"
        self.say(f"{self.destination()} is an external address: inbound")
        if flows.realm.is_external(p.source_high, p.source_low):
            return SOURCE
        return self.inbound(to, False)

    def outbound(self) -> int:
        p: Packet = self.packet
        if self.translator.events[p.protocol * KINDS + p.kind] == INVALID:
            return TCP_FLAGS
        if p.protocol == ICMP or p.protocol == OTHER:
            p.destination_port = 0
        i: u32 = self.flows.sessions.find_outbound(
            p.protocol,
            p.source_high,
            p.source_low,
            p.source_port,
            p.destination_high,
            p.destination_low,
            p.destination_port,
        )
        if i and self.lives(i):
            self.belongs(i)
            return TRANSLATED
        return self.admit_outbound()

    def inbound(self, to: u32, is_hairpin: bool) -> int:
        p: Packet = self.packet
        if self.translator.events[p.protocol * KINDS + p.kind] == INVALID:
            return TCP_FLAGS
        remote_port: u32 = p.source_port
        if p.protocol == ICMP or p.protocol == OTHER:
            remote_port = 0
        i: u32 = self.flows.sessions.find_inbound(
            p.protocol, to, p.destination_port, p.source_high, p.source_low, remote_port
        )
        if i and self.lives(i):
            self.belongs(i)
            self.become(*self.source_end(), *(self.said.internal or (None, None)))
            return TRANSLATED
        if self.flows.realm.is_internal(p.source_high, p.source_low):
            return self.hairpin(to)
        p.source_port = remote_port
        reason = self.admit_inbound(to, is_hairpin)
        if reason == TRANSLATED:
            self.become(*self.source_end(), *(self.said.internal or (None, None)))
        return reason

    def hairpin(self, to: u32) -> int:
        p: Packet = self.packet
        flows = self.flows
        self.said.direction = "hairpin"
        self.say(f"{self.source()} is inside: out and back in (hairpin)")
        if (
            p.protocol != ICMP
            and not flows.allocator.is_used(p.protocol, to, p.destination_port)
            and not flows.forwards.claims(p.protocol, to, p.destination_port)
        ):
            return NO_MAPPING
        port: u32 = p.destination_port
        inside = self.source_end()
        reason = self.outbound()
        if reason != TRANSLATED:
            return reason
        policy: u32 = flows.policy_of(p)
        if self.said.rule is not None:
            policy = p.protocol + STATIC
        returns: bool = self.external == to and (p.protocol == ICMP or self.port == port)
        if self.external == to and self.port == port and flows.policies.rows[policy].share:
            self.say("it would share the very port it sends to")
            return FILTERED
        sender = self.external_end()
        self.said.certain = None not in sender
        if returns:
            # The session that leaves is the one that comes back.
            self.become(*sender, *inside)
            return TRANSLATED
        self.say(f"it comes back in from {shown(*sender)}")
        # What is not known is 0, which is nobody's.
        p.source_high = flows.realm.external_high[self.external] if sender[0] else 0
        p.source_low = flows.realm.external_low[self.external] if sender[0] else 0
        p.source_port = sender[1] or 0
        p.destination_port = p.source_port if p.protocol == ICMP else port
        reason = self.inbound(to, True)
        if self.said.becomes:
            self.become(*sender, *self.said.becomes[1])
        return reason

    # -- what session_admission.py does

    def admit_outbound(self) -> int:
        p: Packet = self.packet
        realm = self.flows.realm
        self.say("no session has these endpoints")
        if not realm.is_internal(p.source_high, p.source_low):
            return SOURCE
        if realm.asks_status(p.destination_high, p.destination_low):
            return STATUS_REQUEST
        if not realm.is_remote(p.destination_high, p.destination_low):
            return DESTINATION
        if not self.translator.openers[p.protocol * KINDS + p.kind]:
            return int(not_opening(p.protocol))
        if not self.has_session_room() and not self.session_makes_room():
            return SESSION_LIMIT
        reason = self.outbound_mapping()
        if reason == TRANSLATED:
            self.say("a session would be opened from inside")
            self.more_sessions += 1
        return reason

    def outbound_mapping(self) -> int:
        p: Packet = self.packet
        flows = self.flows
        m: u32 = 0
        forward: u32 = flows.forwards.outbound(
            p.protocol,
            p.source_high,
            p.source_low,
            p.source_port,
            p.destination_high,
            p.destination_low,
        )
        if forward == 0:
            m = flows.mappings.find_internal(
                flows.policy_of(p),
                p.source_high,
                p.source_low,
                p.source_port,
                p.destination_high,
                p.destination_low,
                p.destination_port,
            )
            if m and not flows.shows_life(m, self.now):
                # It ends when it is met.
                self.outlived = True
                m = 0
        host: u32 = flows.hosts.find(p.source_high, p.source_low)
        if host and flows.hosts.sessions_of(host) >= flows.host_sessions and not self.may_sweep():
            return HOST_LIMIT
        if host and not flows.hosts.has_token(host, self.now, flows.host_rate, flows.host_rate):
            return HOST_RATE
        if forward:
            return self.static(forward, flows.forwards.external_port(forward, p.source_port))
        if m:
            self.maps(m)
            return TRANSLATED
        return self.new_mapping(host)

    def new_mapping(self, host: u32) -> int:
        p: Packet = self.packet
        flows = self.flows
        is_at_limit: bool = host != 0 and (
            flows.hosts.mappings_of(host) >= flows.host_mappings
            or flows.hosts.held_of(host, p.protocol) >= flows.share_of(p)
        )
        if is_at_limit and not self.may_sweep():
            return HOST_LIMIT
        if not self.has_mapping_room() and not self.mapping_makes_room(True):
            return MAPPING_LIMIT
        preview: AllocationPreview = AllocationPreview(flows)
        if not preview.find(p, host, self.now) and not self.may_sweep():
            if preview.waits:
                return ADDRESS_LOST
            if not self.mapping_makes_room(flows.allocator.lacks_block(host)):
                return NO_PORT
            preview.how = "of the flow that ends"
        self.more_mappings += 1
        self.external = preview.external
        self.port = preview.port
        self.tell_type(self.source_end()[0])
        self.said.mapping = "new"
        self.said.internal = self.source_end()
        self.said.external = self.external_end()
        self.say(
            f"a mapping would be made: {self.source()} = {shown(*self.external_end())},"
            f" the port {preview.how or 'of what has expired'}"
        )
        return TRANSLATED

    def static(self, forward: u32, external_port: u32) -> int:
        """The mapping of a forward's external port, there or to be made."""
        p: Packet = self.packet
        flows = self.flows
        rule = self.settings.forwards[forward - 1]
        self.said.rule = f"{rule.key} {rule}"
        self.say(f"{self.said.rule} applies")
        self.external = flows.forwards.external_of(forward)
        self.port = external_port
        m: u32 = flows.mappings.find_external(
            p.protocol + STATIC, self.external, external_port, 0, forward, 0
        )
        if m:
            self.maps(m)
            return TRANSLATED
        if not self.has_mapping_room():
            return MAPPING_LIMIT
        self.more_mappings += 1
        high: u64 = flows.forwards.internal_high(forward)
        low: u64 = flows.forwards.internal_low(forward)
        self.said.mapping = "new"
        self.said.internal = (
            address_text(high, low),
            flows.forwards.internal_port(forward, external_port),
        )
        self.said.external = self.external_end()
        self.say(
            f"its mapping would be made: {shown(*self.said.internal)}"
            f" = {shown(*self.said.external)}"
        )
        return TRANSLATED

    def admit_inbound(self, to: u32, is_hairpin: bool) -> int:
        p: Packet = self.packet
        flows = self.flows
        self.say("no session has these endpoints")
        if not is_hairpin and not flows.realm.is_remote(p.source_high, p.source_low):
            return SOURCE
        if not self.translator.openers[p.protocol * KINDS + p.kind]:
            return int(not_opening(p.protocol))
        if (
            not is_hairpin
            and flows.inbound_sessions >= flows.inbound_limit
            and not self.may_sweep()
        ):
            if not oldest_half_open(flows, self.now):
                return INBOUND_LIMIT
            self.say("the oldest connection from outside that is not established would end for it")
        if not self.has_session_room():
            return SESSION_LIMIT
        self.mapping = 0
        reason = self.inbound_mapping(to)
        if reason != TRANSLATED:
            return reason
        r: Mappings = flows.mappings.rows
        m: u32 = self.mapping
        if m and r[m].sessions - r[m].confirmed >= flows.unanswered_limit and not self.may_sweep():
            return INBOUND_LIMIT
        address, port = self.said.internal or ("", 0)
        ip = IPv6Address(address) if ":" in address else IPv4Address(address)
        high, low = halves(ip)
        other: u32 = flows.sessions.find_outbound(
            p.protocol, high, low, port, p.source_high, p.source_low, p.source_port
        )
        if other and flows.sessions.rows[other].expires > self.now:
            return CONFLICT
        self.say("a session would be opened from outside")
        return TRANSLATED

    def inbound_mapping(self, to: u32) -> int:
        p: Packet = self.packet
        flows = self.flows
        forward: u32 = flows.forwards.inbound(
            p.protocol, to, p.destination_port, p.source_high, p.source_low
        )
        if forward:
            return self.static(forward, p.destination_port)
        m: u32 = flows.mappings.find_inbound(
            p.protocol, to, p.destination_port, p.source_high, p.source_low, p.source_port
        )
        if m == 0 or not flows.shows_life(m, self.now):
            if flows.forwards.claims(p.protocol, to, p.destination_port):
                self.say("the port is that of a forward, but not for this remote")
                return FILTERED
            return NO_MAPPING
        self.maps(m)
        r: Mappings = flows.mappings.rows
        filtering: u32 = flows.policies.rows[r[m].policy].filtering
        may: bool = passes_filter(flows, m, p.source_high, p.source_low, self.now)
        self.say(f"{FILTERS[filtering]} may open a session: {'yes' if may else 'no'}")
        return TRANSLATED if may else FILTERED
