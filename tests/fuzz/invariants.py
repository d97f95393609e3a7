"""What must hold of every packet that leaves a NAT, and of its tables, whatever came in."""

from ipaddress import ip_address
from typing import Any

from ratsnake.nat.nat import Nat
from ratsnake.nat.settings.validated_settings import Settings
from support.packets import Buffer

PAGE = 512
TCP, UDP, DCCP, ICMP, ICMPV6, SCTP, UDPLITE = 6, 17, 33, 1, 58, 132, 136
CHECKED = (TCP, UDP, DCCP, ICMP, ICMPV6, SCTP, UDPLITE)
EXTENSIONS = (0, 43, 60)
FRAGMENT = 44
ERRORS = {ICMP: (3, 11, 12), ICMPV6: (1, 2, 3, 4)}


def _table() -> list[int]:
    table = []
    for octet in range(256):
        for _ in range(8):
            octet = octet >> 1 ^ (0x82F63B78 if octet & 1 else 0)
        table.append(octet)
    return table


_CASTAGNOLI = _table()


def _crc32c(octets: bytes) -> int:
    """RFC 9260 appendix A, with the octets in the order they are sent in."""
    crc = 0xFFFFFFFF
    for octet in octets:
        crc = crc >> 8 ^ _CASTAGNOLI[(crc ^ octet) & 255]
    return int.from_bytes((crc ^ 0xFFFFFFFF).to_bytes(4, "little"))


def _adds_up(octets: bytes) -> bool:
    """Whether the ones' complement sum of the 16-bit words is -0 (RFC 1071)."""
    number = int.from_bytes(octets + bytes(len(octets) % 2))
    return number != 0 and number % 0xFFFF == 0


class Look:
    """Where the parts of a well-formed packet are."""

    def __init__(self, packet: Buffer) -> None:
        self.octets = octets = bytes(packet)
        self.is_fragment = False
        if octets[0] >> 4 == 4:
            self.source, self.destination = octets[12:16], octets[16:20]
            self.number, self.at = octets[9], (octets[0] & 15) * 4
            self.is_fragment = int.from_bytes(octets[6:8]) & 0x3FFF != 0
            self.header_is_sound = _adds_up(octets[: self.at])
            return
        self.source, self.destination = octets[8:24], octets[24:40]
        self.number, self.at = octets[6], 40
        self.header_is_sound = True
        while self.at + 8 <= len(octets):
            if self.number == FRAGMENT:
                self.is_fragment |= int.from_bytes(octets[self.at + 2 : self.at + 4]) & 0xFFF9 != 0
                self.number, self.at = octets[self.at], self.at + 8
            elif self.number in EXTENSIONS:
                self.number, self.at = (
                    octets[self.at],
                    self.at + 8 + 8 * octets[self.at + 1],
                )
            else:
                return

    @property
    def is_sound(self) -> bool:
        """Whether the transport's checksum is right, as far as it can be known."""
        segment = self.octets[self.at :]
        number = self.number
        if self.is_fragment or number not in CHECKED:
            return True
        if number == SCTP:
            return _crc32c(segment[:8] + bytes(4) + segment[12:]) == int.from_bytes(segment[8:12])
        if number == ICMP:
            return _adds_up(segment)
        size = len(segment)
        if number == UDP:
            size = int.from_bytes(segment[4:6])
            if segment[6:8] == b"\0\0":
                return True
        covered = size
        if number == UDPLITE:
            covered = int.from_bytes(segment[4:6]) or size
        elif number == DCCP and segment[5] & 15:
            covered = segment[4] * 4 + 4 * ((segment[5] & 15) - 1)
        pseudo = self.source + self.destination + size.to_bytes(4) + bytes([0, 0, 0, number])
        return _adds_up(pseudo + segment[:covered])

    @property
    def quoted(self) -> tuple[bytes, bytes] | None:
        """Source and destination of the packet that an ICMP error quotes."""
        inner = self.octets[self.at + 8 :]
        kinds = ERRORS.get(self.number, ())
        if self.is_fragment or self.at >= len(self.octets) or self.octets[self.at] not in kinds:
            return None
        if self.number == ICMP and len(inner) >= 20:
            return inner[12:16], inner[16:20]
        if self.number == ICMPV6 and len(inner) >= 40:
            return inner[8:24], inner[24:40]
        return None


class Border:
    """Which addresses lie inside, and what may cross."""

    def __init__(self, settings: Settings) -> None:
        self._inside = [
            (prefix.version, int(prefix.network_address), int(prefix.netmask))
            for prefix in settings.internal_side
        ]
        self._free = [
            (prefix.version, int(prefix.network_address), int(prefix.netmask))
            for prefix in settings.no_nat
        ]
        self._shared = {one.address.packed for one in settings.externals if one.shared}

    def is_inside(self, address: bytes) -> bool:
        return _is_in(address, self._inside)

    def check(self, left: Look) -> None:
        """No internal address gets out: not as a source, nor in what an error quotes (RFC 5508
        REQ-5)."""
        to = left.destination
        if self.is_inside(to) or to in self._shared or _is_in(to, self._free):
            return
        assert not self.is_inside(left.source), f"{ip_address(left.source)} leaves"
        for address in left.quoted or ():
            assert not self.is_inside(address), f"an error that leaves quotes {ip_address(address)}"


def _is_in(address: bytes, prefixes: list[tuple[int, int, int]]) -> bool:
    number, version = int.from_bytes(address), 4 if len(address) == 4 else 6
    return any(v == version and number & mask == prefix for v, prefix, mask in prefixes)


def check_translated(border: Border, before: Look, after: Look, partial: bool) -> None:
    """A packet that was let through: what came in with right checksums leaves with right ones."""
    assert len(before.octets) == len(after.octets)
    if before.header_is_sound:
        assert after.header_is_sound, "the IP checksum is wrong"
    if not partial and before.is_sound:
        assert after.is_sound, "the transport's checksum is wrong"
    border.check(after)


def check_tables(nat: Nat, now: int) -> None:
    """Mappings, sessions and counts agree with each other once nothing expired is left."""
    while nat.expire(now):
        pass
    mappings = _all(nat.mapping_rows, now)
    sessions = _all(nat.session_rows, now)
    usage = nat.usage()
    assert (usage["mappings"], usage["sessions"]) == (len(mappings), len(sessions))
    assert sum(row.sessions for row in mappings) == len(sessions)
    assert usage["inbound_sessions"] <= usage["limits"]["inbound_sessions"]
    ends = {_ends(row) for row in mappings}
    assert {_ends(row) for row in sessions} == ends
    inward = {(row.protocol, row.external, row.external_port, *_remote(row)) for row in sessions}
    outward = {(row.protocol, row.internal, row.internal_port, *_remote(row)) for row in sessions}
    assert len(inward) == len(outward) == len(sessions)
    check_ports(nat, mappings, now)


def check_ports(nat: Nat, mappings: list[Any], now: int) -> None:
    """Mappings have only ports that were given to the NAT, and those in use are counted."""
    given = {str(one.address): one.ports for one in nat.settings.externals}
    used: dict[tuple[str, str], set[int]] = {}
    for row in mappings:
        if row.static or row.protocol == "other":
            continue
        ports = given[row.external]
        assert ports is not None and row.external_port in ports, f"{row} has a port of nobody's"
        used.setdefault((row.external, row.protocol), set()).add(row.external_port)
    for row in _all(nat.port_rows, now):
        assert row.used == len(used.get((row.external, row.protocol), ())), f"{row} is not true"


def _all(rows: Any, now: int) -> list[Any]:
    found, start = [], 0
    while True:
        page, start = rows(start, PAGE, now)
        found += page
        if not start:
            return found


def _ends(row: Any) -> tuple[Any, ...]:
    return row.protocol, row.internal, row.internal_port, row.external, row.external_port


def _remote(row: Any) -> tuple[str, int]:
    return row.remote, row.remote_port
