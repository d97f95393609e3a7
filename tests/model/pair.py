"""An engine and the model side by side, and the steps by which they are tried.

Few hosts, ports and remotes, so that flows meet.
"""

from dataclasses import replace
from itertools import product
from typing import Any

from model.connection_model import Refused
from model.nat_model import INSIDE, OUTSIDE, Model, is_in
from model.packet_forms import HEADER, Endpoint, Error, Packet, version_of
from support.bench import SEED
from support.flavours import Engine

EXTERNALS = {4: ("203.0.113.1", "203.0.113.2"), 6: ("2001:db8:3::1",)}
HOSTS = {4: ("192.168.1.10", "192.168.1.11"), 6: ("2001:db8:1::10", "2001:db8:1::11")}
REMOTES = {4: ("198.51.100.1", "198.51.100.2"), 6: ("2001:db8:2::1", "2001:db8:2::2")}
STRANGE = {
    4: ("192.168.2.1", "192.0.2.2", "127.0.0.1", "224.0.0.5", "192.0.0.8", "192.168.1.12"),
    6: ("2001:db8:4::1", "fe80::1", "ff02::1", "::1", "100::8", "2001:db8:1::12"),
}
HOST_PORTS = (500, 4000, 4001, 1024)
REMOTE_PORTS = (80, 443)
PROTOCOLS = ("udp", "tcp", "icmp")
FLAGS = ("S", "SA", "A", "FA", "R", "RA", "PA", "SF", "")
SEQUENCES = (0, 99, 100, 101, 100 + 1023, 100 + 1024, 100 + 4095, 100 + 4096, 1 << 31)
ROUND = 1024  # ms, in which a ring's order says nothing (see session_table.py)
FOREVER = ROUND << 10  # longer than any timeout


class Pick:
    """Choices out of one number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def of(self, options: "list[Any] | tuple[Any, ...] | range") -> Any:
        self.number, at = divmod(self.number, len(options))
        return options[at]

    def chance(self, of: int) -> bool:
        return bool(self.of(range(of)) == of - 1)


class Pair:
    """An engine and its model.

    `sent` are packets as internal hosts sent them, `left` as they went out of the NAT, `arrived`
    as they came to internal hosts.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Any,
        protocols: tuple[str, ...],
        versions: tuple[int, ...],
        sweeps: bool,
    ) -> None:
        self.protocols, self.versions, self.sweeps = protocols, versions, sweeps
        self.engine = engine
        self.nat = engine.Nat(settings, SEED)
        self.model = Model(settings, self.told)
        self.model.ports.all_swept = sweeps
        self.now = 0
        self.sent: list[Packet] = []
        self.left: list[Packet] = []
        self.arrived: list[Packet] = []
        self.numbers: set[int] = set()
        self.counted = {"outbound": [0, 0], "inbound": [0, 0]}
        self.dropped: dict[str, int] = {}

    def told(self, protocol: str, internal: Endpoint, remote: Endpoint) -> Endpoint | None:
        for row in self.nat.mapping_rows(0, 1000, self.now)[0]:
            if (row.protocol, row.internal, row.internal_port) == (protocol, *internal) and (
                row.remote in (None, remote[0]) and row.remote_port in (None, remote[1])
            ):
                return row.external, row.external_port
        return None

    def send(self, packet: Packet | Error) -> str:
        """Show both a packet; the verdict."""
        if not self.sweeps and self.is_call(packet):
            return "not sent"
        before = packet.encoded()
        buffer = bytearray(before)
        verdict = str(self.engine.REASONS[self.nat.translate(buffer, self.now)].name)
        try:
            expected = self.model.translate(packet, self.now)
        except Refused as refused:
            assert verdict == str(refused)
            self.dropped[verdict] = self.dropped.get(verdict, 0) + 1
        else:
            assert verdict == "translated"
            if isinstance(expected, Packet) and expected.identification is None:
                expected = replace(expected, identification=self.number_of(buffer))
            assert buffer.hex() == expected.encoded().hex()
            self.remember(packet, expected, len(before))
        self.compare_tables()
        return verdict

    def is_call(self, packet: Packet | Error) -> bool:
        """Whether it is hairpinned: who calls an endpoint that has expired may notice that."""
        return isinstance(packet, Packet) and (
            packet.destination[0] in self.model.externals
            and is_in(packet.source[0], self.model.internal)
        )

    def number_of(self, buffer: bytearray) -> int:
        """The identification the engine chose: one it has not chosen before (RFC 6864)."""
        number = int.from_bytes(buffer[4:6], "big")
        assert number not in self.numbers
        self.numbers.add(number)
        return number

    def remember(self, packet: Packet | Error, became: Packet | Error, size: int) -> None:
        to = packet.destination if isinstance(packet, Error) else packet.destination[0]
        count = self.counted["inbound" if to in self.model.externals else "outbound"]
        count[0] += 1
        count[1] += size
        if isinstance(packet, Packet) and isinstance(became, Packet):
            inward = to in self.model.externals
            if packet.source[0] in HOSTS[packet.version]:
                self.sent.append(packet)
            (self.arrived if inward else self.left).append(became)

    def sweep(self) -> None:
        while self.nat.expire(self.now):
            pass
        self.model.forget(self.now)
        self.compare_tables()

    def compare_tables(self) -> None:
        model, now = self.model, self.now
        mappings = [
            (m.protocol, *m.internal, *m.external, (now - m.created) // 1000)
            for m in model.mappings
        ]
        rows = self.nat.mapping_rows(0, 1000, now)[0]
        assert sorted((*row[:5], row.age) for row in rows) == sorted(mappings)
        counters = self.nat.counters()
        for direction, (count, octets) in self.counted.items():
            assert counters[direction] == {"packets": count, "bytes": octets}
        assert {name: n for name, n in counters["dropped"].items() if n} == self.dropped
        if self.sweeps:
            self.compare_sessions()
            self.compare_usage()

    def compare_sessions(self) -> None:
        sessions = [
            (
                *(s.mapping.protocol, *s.mapping.internal, *s.mapping.external, *s.remote),
                (s.expires - self.now) // 1000,
                *(*s.traffic[INSIDE], *s.traffic[OUTSIDE], s.opened),
            )
            for s in self.model.sessions
        ]
        rows = self.nat.session_rows(0, 1000, self.now)[0]
        assert sorted((*row[:7], *row[8:]) for row in rows) == sorted(sessions)

    def compare_usage(self) -> None:
        model, usage = self.model, self.nat.usage()
        strangers = [s for s in model.sessions if s.opened == OUTSIDE and not s.hairpin]
        assert usage["mappings"] == len(model.mappings)
        assert usage["sessions"] == len(model.sessions)
        assert usage["inbound_sessions"] == len(strangers)
        assert usage["hosts"] == len({m.internal[0] for m in model.mappings})
        for protocol in PROTOCOLS:
            used = {m.external for m in model.mappings if m.protocol == protocol}
            assert usage["ports"][protocol]["used"] == len(used)

    def end(self) -> None:
        """Much later nothing is left of all that was, and when ports have rested, not even that."""
        self.sweeps = self.model.ports.all_swept = True
        for _ in range(2):
            self.now += FOREVER
            self.sweep()
        assert not self.model.sessions

    def fill(self) -> None:
        """Every port of the IPv6 address is there for somebody."""
        for number, protocol in product(range(5), self.protocols):
            source = f"2001:db8:1::{number + 20}", 4000
            packet = Packet(protocol, source, (REMOTES[6][0], 4000))
            assert self.send(packet) == "translated"

    # -- steps

    def step(self, name: str, number: int) -> None:
        getattr(self, name)(Pick(number))

    def shaped(
        self, pick: Pick, protocol: str, source: Endpoint, destination: Endpoint, opening: bool
    ) -> Packet:
        """A packet with what else belongs to it; `opening` ones are mostly those that open."""
        if protocol == "icmp":
            port = source[1] if source[0] in HOSTS[version_of(source[0])] else destination[1]
            source, destination = (source[0], port), (destination[0], port)
        return Packet(
            protocol,
            source,
            destination,
            payload=pick.of((b"data", b"x", b"")),
            flags="S" if opening and not pick.chance(6) else pick.of(FLAGS),
            is_request=opening != pick.chance(6),
            sequence=pick.of(SEQUENCES),
            acknowledgment=pick.of((100, 100, 200)),
            scale=pick.of((None, 2, 15)),
            has_checksum=version_of(source[0]) == 6 or not pick.chance(5),
            fixed_size=not pick.chance(4),
        )

    def host(self, pick: Pick, version: int) -> Endpoint:
        return pick.of(HOSTS[version]), pick.of(HOST_PORTS)

    def remote(self, pick: Pick, version: int) -> Endpoint:
        return pick.of(REMOTES[version]), pick.of(REMOTE_PORTS)

    def open(self, pick: Pick) -> None:
        protocol, version = pick.of(self.protocols), pick.of(self.versions)
        source, destination = self.host(pick, version), self.remote(pick, version)
        self.send(self.shaped(pick, protocol, source, destination, True))

    def again(self, pick: Pick) -> None:
        """From inside, in a session there was or is."""
        if self.sent:
            packet = pick.of(self.sent[-12:])
            ends = packet.source, packet.destination
            self.send(self.shaped(pick, packet.protocol, *ends, False))

    def reply(self, pick: Pick) -> None:
        """From outside to an endpoint that was seen, mostly by who was spoken to."""
        if self.left:
            packet = pick.of(self.left[-12:])
            remote, external = packet.destination, packet.source
            if pick.chance(3):
                remote = self.remote(pick, packet.version)
            self.send(self.shaped(pick, packet.protocol, remote, external, pick.chance(3)))

    def answer(self, pick: Pick) -> None:
        """From inside to who was heard."""
        if self.arrived:
            packet = pick.of(self.arrived[-12:])
            ends = packet.destination, packet.source
            self.send(self.shaped(pick, packet.protocol, *ends, pick.chance(4)))

    def talk(self, pick: Pick) -> None:
        """A few segments of one connection, both ways."""
        connections = [s for s in self.model.sessions if s.connection]
        if not connections:
            return
        session = pick.of(connections[-4:])
        outward = session.mapping.internal, session.remote
        inward = session.remote, session.mapping.external
        for _ in range(5):
            source, destination = pick.of((outward, inward))
            flags, sequence = pick.of(("S", "SA", "A", "FA", "FA", "R")), pick.of((100, 200))
            self.send(
                Packet(
                    *("tcp", source, destination),
                    flags=flags,
                    sequence=sequence,
                    acknowledgment=100,
                )
            )

    def call(self, pick: Pick) -> None:
        """From inside to an external endpoint."""
        if self.left:
            packet = pick.of(self.left[-12:])
            source = self.host(pick, packet.version)
            self.send(self.shaped(pick, packet.protocol, source, packet.source, True))

    def knock(self, pick: Pick) -> None:
        """From outside to any external endpoint."""
        protocol, version = pick.of(self.protocols), pick.of(self.versions)
        external = pick.of(EXTERNALS[version]), pick.of(range(1021, 1028))
        remote = self.remote(pick, version)
        self.send(self.shaped(pick, protocol, remote, external, True))

    def error(self, pick: Pick) -> None:
        """About a packet that left or arrived, whole or cut short."""
        outward = pick.chance(2)
        about = self.arrived if outward else self.left
        if not about:
            return
        quoted = pick.of(about[-12:])
        version = quoted.version
        sources = [quoted.destination[0], *HOSTS[version], *REMOTES[version], *STRANGE[version]]
        source = sources[0] if not pick.chance(3) else pick.of(sources)
        destination = quoted.source[0]
        if pick.chance(8):
            destination = pick.of(EXTERNALS[version] + REMOTES[version])
        # At least 8 octets of the transport are quoted, and never half of TCP's checksum.
        transport = range(8, quoted.size - HEADER[version] + 1)
        cut = HEADER[version] + pick.of([size for size in transport if size != 17])
        kind, is_broken = pick.of(range(4)), pick.chance(10)
        self.send(Error(source, destination, quoted, cut, kind, not is_broken))

    def odd(self, pick: Pick) -> None:
        """Between addresses that have no business here."""
        version = pick.of(self.versions)
        addresses = STRANGE[version] + HOSTS[version] + REMOTES[version] + EXTERNALS[version]
        ends = [(pick.of(addresses), pick.of(range(1021, 1028))) for _ in range(2)]
        self.send(self.shaped(pick, pick.of(self.protocols), ends[0], ends[1], True))

    def wait(self, pick: Pick) -> None:
        due = sorted(s.expires for s in self.model.sessions) or [self.now]
        if not self.sweeps:
            until = pick.of((self.now + 1, self.now + 700, due[0] - 1, due[0], pick.of(due)))
            self.now = max(self.now, until)
            self.model.forget(self.now)
            return
        until = pick.of((*[self.now + ROUND] * 4, due[0], due[0], due[0] + ROUND, pick.of(due)))
        self.now = max(self.now, until // ROUND * ROUND)
        self.sweep()
