"""Packets in both directions through a NAT with live sessions, while time passes, tables are looked
at and settings change."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

from ratsnake.nat.handover.flow_transfer import restore, transfer
from ratsnake.nat.nat import Nat
from ratsnake.nat.views.packet_loop_call import done
from ratsnake.nat.views.row_filter import EndpointRange, RowFilter
from support.malformed import MALFORMED, WELL_FORMED

from ..configurations import CONFIGURATIONS, HOSTS, REMOTES
from ..data import Data
from ..invariants import Border, Look, check_tables, check_translated
from ..traffic import EVERYWHERE, MAKERS, Traffic, of_family

STEPS = 200
SUCCESSORS = 2
SEED = bytes(range(80))
ROWS = 512  # more than any table here has
EVENTS = (0, 1, 2, 4, 8, 15, 31)


class Course:
    """A NAT and what is done with it."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.traffic = Traffic(data)
        self.now = 0
        self.all_sound = True
        self.successors = 0
        self.begin(Nat(data.one_of(CONFIGURATIONS), SEED))

    def may_succeed(self) -> bool:
        """A few times: it takes as long as a thousand packets."""
        self.successors += 1
        return self.successors <= SUCCESSORS

    def begin(self, nat: Nat) -> None:
        self.nat = nat
        self.border = Border(nat.settings)

    def show(self, packet: bytearray, partial: bool) -> None:
        before = bytes(packet)
        if self.nat.translate(packet, self.now, partial) == 0:
            left, came = Look(packet), Look(before)
            check_translated(self.border, came, left, partial)
            self.traffic.learn(left.octets, self.border.is_inside(left.destination))
        if before and before[0] >> 4 == 4 and len(before) >= 20:
            self.all_sound &= Look(before).header_is_sound
        self.take_own()

    def take_own(self) -> None:
        while own := self.nat.outgoing():
            look = Look(own)
            assert look.header_is_sound or not self.all_sound
            self.border.check(look)

    def send(self) -> None:
        choice = self.data.byte()
        for packet in self.traffic.packets():
            self.show(packet, choice & 15 == 15)

    def wait(self) -> None:
        """Up to nine days, mostly some seconds."""
        size = self.data.byte()
        self.now += (size & 31) * 50 << (size >> 5) * 2
        self.sweep()

    def sweep(self) -> None:
        self.nat.expire(self.now, self.data.byte())
        self.take_own()

    def look(self) -> None:
        check_tables(self.nat, self.now)
        self.nat.port_rows(0, 100, self.now)

    def filter(self) -> RowFilter:
        data = self.data
        choice = data.byte()

        def prefix() -> EndpointRange:
            address = data.one_of(EVERYWHERE)
            return EndpointRange(ip_network(address), None if choice & 8 else data.byte())

        return RowFilter(
            choice >> 4 if choice >> 4 < 7 else None,
            prefix() if choice & 1 else None,
            prefix() if choice & 2 else None,
            prefix() if choice & 4 else None,
        )

    def flush(self) -> None:
        wanted = self.filter()
        self.nat.mapping_rows(self.data.byte(), self.data.byte(), self.now, wanted)
        self.nat.session_rows(self.data.byte(), self.data.byte(), self.now, wanted)
        by_remote, count = bool(self.data.byte() & 1), self.data.byte() + 1
        _, _, start = self.nat.flush(0, count, self.now, self.now, wanted, by_remote)
        while start:
            _, _, start = self.nat.flush(start, count, self.now, self.now, wanted, by_remote)

    def explain(self) -> None:
        data = self.data
        source = self.traffic.endpoint(EVERYWHERE)
        destination = self.traffic.endpoint(of_family(EVERYWHERE, 6 if ":" in source[0] else 4))
        protocol = data.one_of(("tcp", "udp", "icmp", "udplite", "dccp", "sctp", "gre", "47"))
        try:
            self.nat.explain(
                protocol,
                (ip_address(source[0]), source[1]),
                (ip_address(destination[0]), destination[1]),
                self.now,
                None,
            )
        except ValueError:
            return

    def watch(self) -> None:
        self.nat.listen(self.data.one_of(EVENTS))
        self.nat.take_events(self.data.byte())

    def reload(self) -> None:
        if not self.may_succeed():
            return
        successor = Nat(self.data.one_of(CONFIGURATIONS), SEED)
        transfer(self.nat, successor, self.now)
        self.begin(successor)

    def restart(self) -> None:
        if not self.may_succeed():
            return
        page, _ = done(self.nat.overview.flow_page(0, ROWS, self.now)).result()
        successor = Nat(self.nat.settings, SEED)
        restore(successor, bytearray(page), self.now, self.data.byte() * 100)
        self.begin(successor)


STEP: tuple[Callable[[Course], None], ...] = (
    *(Course.send,) * 8,
    *(Course.wait, Course.wait, Course.sweep, Course.look, Course.flush, Course.explain),
    *(Course.watch, Course.reload, Course.restart),
)


def run(octets: bytes) -> None:
    data = Data(octets)
    course = Course(data)
    for _ in range(STEPS):
        if not data:
            break
        data.one_of(STEP)(course)
    check_tables(course.nat, course.now)


def seeds() -> Iterator[bytes]:
    """Every configuration with a few flows of each maker; and each packet that there is a fault
    in."""
    for number in range(len(CONFIGURATIONS)):
        made = bytearray([number])
        for maker in range(len(MAKERS)):
            made += bytes([0, 0, maker, maker % len(HOSTS), 40, maker % len(REMOTES), 53])
            made += bytes([maker % 7, 0, 4, 1])
        yield bytes(made)
    raw = len(MAKERS) - 1
    for packet in (*WELL_FORMED, *(packet for packet, _ in MALFORMED.values())):
        if len(packet) < 256:
            yield bytes([1, 0, 0, raw, len(packet)]) + packet
