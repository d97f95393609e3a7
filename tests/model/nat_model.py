"""What a NAT is to do with a packet, as plainly as Python can say it: RFC 4787, 5382, 5508, 7857.

Of the engine the model knows nothing but the settings.  It searches dictionaries from end to end,
and whatever has expired is forgotten before anything else is looked at.  What the engine may choose
freely, the external endpoint of a new mapping, the model is told, and checks (`port_rules`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from model.connection_model import Connection, Refused, event_of, opens
from model.packet_forms import Endpoint, Error, Packet
from model.port_rules import PortRules

INSIDE, OUTSIDE = "inside", "outside"
STATUS_ADDRESS = "192.0.2.2"
ROUTERS = ("192.0.0.8", "100::8")
NO_HOSTS = tuple(
    ip_network(prefix)
    for prefix in (
        *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "fe80::/10", "ff00::/8"),
    )
)
LARGEST_SCALE = 14  # RFC 7323 section 2.3


@cache
def is_in(address: str, prefixes: tuple[Any, ...]) -> bool:
    return any(ip_address(address) in prefix for prefix in prefixes)


def remote_of(packet: Packet, end: Endpoint) -> Endpoint:
    """The remote endpoint of a session: of an Echo message only the address is the remote's."""
    return (end[0], 0) if packet.protocol == "icmp" else end


@dataclass(eq=False)
class Mapping:
    protocol: str
    internal: Endpoint
    external: Endpoint
    remote: Endpoint  # that of the packet it was made for
    created: int


@dataclass(eq=False)
class Session:
    """`expected` and `window` are what the inside said last it would take, `in_syn` whether it did
    so in a SYN, `asks` whether in one without ACK and no ACK since;
    `scales` are the window scales both sides offered."""

    mapping: Mapping
    remote: Endpoint
    opened: str
    hairpin: bool
    connection: Connection | None
    expires: int = 0
    inside_sent: bool = False
    expected: int = 0
    window: int = 0
    scales: dict[str, int | None] = field(default_factory=dict)
    in_syn: bool = False
    asks: bool = False
    traffic: dict[str, list[int]] = field(default_factory=lambda: {INSIDE: [0, 0], OUTSIDE: [0, 0]})

    def passed(self, side: str, packet: Packet) -> None:
        self.traffic[side][0] += 1
        self.traffic[side][1] += packet.size

    def note_window(self, side: str, packet: Packet, event: str) -> None:
        """What the inside takes begins after the SYN it was sent, or where its segments say.

        Scales count if both sides offer one, and never in a SYN (RFC 7323 section 2.2).  A SYN from
        outside may be forged if it comes while the connection runs and the inside has not asked for
        it; if the inside answers it, its answer says whether the outside offers a scale.
        """
        runs = self.connection is not None and self.connection.phase == "established"
        begins = event in ("syn", "syn-ack")
        if begins and not (side == OUTSIDE and runs and not self.asks):
            self.scales[side] = packet.scale
            if side == OUTSIDE:
                self.expected = (packet.sequence + 1) % (1 << 32)
            elif event == "syn-ack" and runs:
                self.scales[OUTSIDE] = packet.scale
        if side == INSIDE and (begins or "A" in packet.flags):
            self.in_syn, self.asks = begins, event == "syn"
        if side == INSIDE and "A" in packet.flags:
            self.expected, self.window = packet.acknowledgment, packet.window

    def would_take(self, packet: Packet) -> bool:
        """Whether the inside would heed a reset with this number (RFC 5961 section 3.2); any, where
        it has lost the connection and asks for a new one."""
        if self.asks:
            return True
        scale, other = self.scales.get(INSIDE), self.scales.get(OUTSIDE)
        is_scaled = scale is not None and other is not None and not self.in_syn
        window = self.window << min(scale or 0, LARGEST_SCALE) if is_scaled else self.window
        distance = (packet.sequence - self.expected) % (1 << 32)
        return distance == 0 or distance < window


class Model:
    """`told`, called with protocol, internal and remote endpoint, says which external endpoint the
    engine has just given to the mapping of such a flow, None if it made no new one."""

    def __init__(
        self, settings: Any, told: Callable[[str, Endpoint, Endpoint], Endpoint | None]
    ) -> None:
        self.behaviours = {"tcp": settings.tcp, "udp": settings.udp, "icmp": settings.icmp}
        self.timeouts, self.limits = settings.timeouts, settings.limits
        self.refreshed_by_outside = settings.inbound_refresh
        self.internal = settings.internal
        self.externals = {str(external.address) for external in settings.externals}
        self.ports = PortRules(settings)
        self.told = told
        self.now = 0
        self.mappings: list[Mapping] = []
        self.sessions: list[Session] = []

    def translate(self, packet: Packet | Error, now: int) -> Packet | Error:
        """What the packet becomes; raises Refused."""
        self.forget(now)
        if isinstance(packet, Error):
            return self.error(packet)
        if packet.destination[0] not in self.externals:
            return self.outbound(packet)
        if packet.source[0] in self.externals:
            raise Refused("source")
        return self.inbound(packet)

    def forget(self, now: int) -> None:
        """Sessions end by their timers, mappings with the last session the inside has sent in: what
        outsiders send keeps nothing open (RFC 4787 REQ-6)."""
        self.now = now
        ends = {s.mapping: 0 for s in self.sessions}
        for s in self.sessions:
            if s.inside_sent:
                ends[s.mapping] = max(ends[s.mapping], s.expires)
        held = [m for m in self.mappings if ends[m] > now]
        for mapping in self.mappings:
            if mapping not in held:
                self.ports.give(mapping, ends[mapping])
        self.sessions = [s for s in self.sessions if s.expires > now]
        self.mappings = [m for m in self.mappings if m in held]
        self.sessions = [s for s in self.sessions if s.mapping in held]
        self.ports.wake(now)

    # -- from the inside

    def outbound(self, packet: Packet) -> Packet:
        event = event_of(packet)
        remote = remote_of(packet, packet.destination)
        session = self.session_inside(packet.protocol, packet.source, remote)
        if session is None:
            session = self.open_from_inside(packet, remote)
        session.passed(INSIDE, packet)
        # A reset refuses what came in: it is no part in it (RFC 7857 section 7.1).
        session.inside_sent |= event != "rst"
        session.note_window(INSIDE, packet, event)
        if session.inside_sent:
            self.keep_alive(session, INSIDE, event)
        # Datagrams that may be fragmented are numbered anew (RFC 6864 section 5.3.1).
        number = packet.identification if packet.fixed_size or packet.version == 6 else None
        return replace(packet.sent_by(session.mapping.external), identification=number)

    def open_from_inside(self, packet: Packet, remote: Endpoint) -> Session:
        host = packet.source[0]
        if not is_in(host, self.internal):
            raise Refused("source")
        if remote[0] == STATUS_ADDRESS:
            raise Refused("status-request")
        if is_in(remote[0], NO_HOSTS) or is_in(remote[0], self.internal):
            raise Refused("destination")
        self.check_form(packet)
        self.check_room()
        begun = [s for s in self.sessions if s.mapping.internal[0] == host and s.opened == INSIDE]
        if self.limits.host_sessions and len(begun) >= self.limits.host_sessions:
            raise Refused("host-limit")
        mapping = self.mapping_inside(packet.protocol, packet.source, remote)
        if mapping is None:
            mapping = self.make_mapping(packet.protocol, packet.source, remote)
        return self.open_session(mapping, remote, INSIDE)

    def check_form(self, packet: Packet) -> None:
        if not opens(packet):
            raise Refused("no-session" if packet.protocol == "icmp" else "not-syn")

    def check_room(self) -> None:
        if len(self.sessions) >= self.limits.sessions:
            raise Refused("session-limit")

    def mapping_inside(self, protocol: str, internal: Endpoint, remote: Endpoint) -> Mapping | None:
        """RFC 4787 section 4.1: how much of the remote endpoint a mapping is for."""
        depth = {"EIM": 0, "ADM": 1, "APDM": 2}[self.behaviours[protocol].mapping.name]
        for mapping in self.mappings:
            if (mapping.protocol, mapping.internal) == (protocol, internal) and (
                mapping.remote[:depth] == remote[:depth]
            ):
                return mapping
        return None

    def make_mapping(self, protocol: str, internal: Endpoint, remote: Endpoint) -> Mapping:
        theirs = [m for m in self.mappings if m.internal[0] == internal[0]]
        if self.limits.host_mappings and len(theirs) >= self.limits.host_mappings:
            raise Refused("host-limit")
        if len(self.mappings) >= self.limits.mappings:
            raise Refused("mapping-limit")
        chosen = self.told(protocol, internal, remote)
        self.ports.check(protocol, internal, remote, self.mappings, chosen)
        if chosen is None:
            raise Refused("no-port")
        self.mappings.append(Mapping(protocol, internal, chosen, remote, self.now))
        self.ports.take(self.mappings[-1])
        return self.mappings[-1]

    # -- from the outside

    def inbound(self, packet: Packet) -> Packet:
        event = event_of(packet)
        remote = remote_of(packet, packet.source)
        session = self.session_outside(packet.protocol, packet.destination, remote)
        if session is None:
            if is_in(packet.source[0], self.internal):
                return self.hairpin(packet)
            session = self.open_from_outside(packet, remote)
        session.passed(OUTSIDE, packet)
        session.note_window(OUTSIDE, packet, event)
        # Otherwise anybody could hold a mapping open for ever (RFC 4787 REQ-6).
        refreshes = (
            self.refreshed_by_outside
            if packet.protocol != "tcp"
            else (event != "rst" or session.would_take(packet))
        )
        if session.inside_sent and refreshes:
            self.keep_alive(session, OUTSIDE, event)
        return packet.sent_to(session.mapping.internal)

    def hairpin(self, packet: Packet) -> Packet:
        """Out and back in, so that the called sees the caller's external endpoint (REQ-9a); but
        nothing is made for a call to an endpoint nobody has.  An Echo Request names the identifier
        of the caller only, so of it nobody can tell before."""
        users = [m.external for m in self.mappings if m.protocol == packet.protocol]
        if packet.protocol != "icmp" and packet.destination not in users:
            raise Refused("no-mapping")
        sent = self.outbound(packet)
        if sent.source == packet.destination and self.ports.tells_apart(
            packet.protocol, sent.source
        ):
            # The caller itself has got a share of that port, and nobody else has it toward it.
            raise Refused("filtered")
        return self.inbound(sent)

    def open_from_outside(self, packet: Packet, remote: Endpoint) -> Session:
        hairpin = remote[0] in self.externals
        if is_in(remote[0], NO_HOSTS):
            raise Refused("source")
        self.check_form(packet)
        strangers = [s for s in self.sessions if s.opened == OUTSIDE and not s.hairpin]
        # Of either table strangers have half at most.
        limits = (
            self.limits.inbound_sessions,
            self.limits.sessions // 2,
            self.limits.mappings // 2,
        )
        if not hairpin and len(strangers) >= max(1, min(limits)):
            raise Refused("inbound-limit")
        self.check_room()
        mapping = self.mapping_outside(packet.protocol, packet.destination, remote)
        if mapping is None:
            raise Refused("no-mapping")
        if not self.passes_filter(mapping, remote):
            raise Refused("filtered")
        waiting = [s for s in self.sessions if s.mapping is mapping and not s.inside_sent]
        if len(waiting) >= self.limits.unanswered_sessions:
            raise Refused("inbound-limit")
        if self.session_inside(packet.protocol, mapping.internal, remote):
            raise Refused("conflict")
        return self.open_session(mapping, remote, OUTSIDE)

    def mapping_outside(
        self, protocol: str, external: Endpoint, remote: Endpoint
    ) -> Mapping | None:
        """Mappings share a port only where the remote endpoint tells them apart."""
        for mapping in self.mappings:
            if (mapping.protocol, mapping.external) == (protocol, external) and (
                self.ports.tells_apart(protocol, mapping.remote)
                == self.ports.tells_apart(protocol, remote)
            ):
                return mapping
        return None

    def passes_filter(self, mapping: Mapping, remote: Endpoint) -> bool:
        """RFC 4787 section 5: whether the inside has sent there, as far as the filter looks."""
        depth = {"EIF": 0, "ADF": 1, "APDF": 2}[self.behaviours[mapping.protocol].filtering.name]
        return any(
            s.remote[:depth] == remote[:depth]
            for s in self.sessions
            if s.mapping is mapping and s.inside_sent
        )

    # -- sessions

    def session_inside(self, protocol: str, internal: Endpoint, remote: Endpoint) -> Session | None:
        for s in self.sessions:
            if (s.mapping.protocol, s.mapping.internal, s.remote) == (protocol, internal, remote):
                return s
        return None

    def session_outside(
        self, protocol: str, external: Endpoint, remote: Endpoint
    ) -> Session | None:
        for s in self.sessions:
            if (s.mapping.protocol, s.mapping.external, s.remote) == (protocol, external, remote):
                return s
        return None

    def open_session(self, mapping: Mapping, remote: Endpoint, opened: str) -> Session:
        connection = Connection(opened) if mapping.protocol == "tcp" else None
        hairpin = opened == OUTSIDE and remote[0] in self.externals
        session = Session(mapping, remote, opened, hairpin, connection)
        session.expires = self.now + self.timeout(session)
        self.sessions.append(session)
        return session

    def keep_alive(self, session: Session, side: str, event: str) -> None:
        if session.connection is None or session.connection.saw(side, event, side == INSIDE):
            session.expires = self.now + self.timeout(session)

    def timeout(self, session: Session) -> int:
        """Milliseconds; RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2."""
        name = session.mapping.protocol
        if session.connection:
            name = f"tcp_{session.connection.phase}"
        return 1000 * int(getattr(self.timeouts, name))

    # -- errors

    def error(self, error: Error) -> Error:
        """RFC 5508 section 4.2: an error is about a packet that went the other way, and belongs to
        that packet's session, which it neither keeps alive nor ends (REQ-6).  One about a
        hairpinned packet goes out and back in (REQ-7)."""
        goes_in = error.destination in self.externals
        if goes_in and is_in(error.source, NO_HOSTS):
            raise Refused("source")
        if not error.sound:
            raise Refused("icmp-checksum")
        if not goes_in or is_in(error.quoted.destination[0], self.internal):
            error = self.error_from_inside(error)
        return self.error_from_outside(error) if goes_in else error

    def error_from_inside(self, error: Error) -> Error:
        quoted = error.quoted
        if not is_in(error.source, self.internal) and error.source not in ROUTERS:
            raise Refused("source")
        if is_in(error.destination, NO_HOSTS) or is_in(error.destination, self.internal):
            raise Refused("destination")
        remote = remote_of(quoted, quoted.source)
        session = self.session_inside(quoted.protocol, quoted.destination, remote)
        if session is None or error.destination != remote[0]:
            raise Refused("no-session")
        external = session.mapping.external
        return replace(error, source=external[0], quoted=quoted.sent_to(external))

    def error_from_outside(self, error: Error) -> Error:
        quoted = error.quoted
        remote = remote_of(quoted, quoted.destination)
        session = self.session_outside(quoted.protocol, quoted.source, remote)
        if session is None or error.destination != quoted.source[0]:
            raise Refused("no-session")
        internal = session.mapping.internal
        return replace(error, destination=internal[0], quoted=quoted.sent_by(internal))
