"""State files: whatever is in one, it is refused by StateError or its flows go on as far as they
may, and the NAT is as sound as ever afterwards."""

import os
import zlib
from collections.abc import Iterator

from ratsnake.daemon.state.state_file import (
    FLOW_SIZE,
    FLOWS_AT,
    HEADER,
    MAGIC,
    REST,
    VERSION,
    Moment,
    StateError,
    read,
    write,
)
from ratsnake.nat.handover.flow_transfer import restore, transfer
from ratsnake.nat.nat import Nat
from ratsnake.nat.views.packet_loop_call import done
from support.wire import packet

from ..configurations import CONFIGURATIONS, HOSTS, REMOTES
from ..data import Data
from ..files import FOLDER
from ..invariants import Border, Look, check_tables, check_translated

SEED = bytes(range(80))
ROWS = 512  # more than any table here has
PATH = FOLDER / "state"
OWNERS = {os.geteuid()}
MOMENT = Moment(1_700_000_000_000, 1_000_000, bytes(16))
NOW = 1_000_000
PROTOCOLS = ("udp", "tcp", "icmp", "udplite", "dccp", "sctp", "gre")


def file_of(flows: bytes) -> bytes:
    """A file with right header and checksum around flows, the last of which is filled up."""
    flows += bytes(-len(flows) % FLOW_SIZE)
    rest = REST.pack(len(flows) // FLOW_SIZE, MOMENT.clock, MOMENT.uptime, MOMENT.boot)
    checksum = zlib.crc32(rest, zlib.crc32(flows))
    return HEADER.pack(MAGIC, VERSION, FLOW_SIZE, checksum) + rest + flows


def flows_of(nat: Nat, now: int) -> bytes:
    return bytes(done(nat.overview.flow_page(0, ROWS, now)).result()[0])


def run(octets: bytes) -> None:
    data = Data(octets)
    choice, settings = data.byte(), data.one_of(CONFIGURATIONS)
    later = (data.byte() & 31) << (choice >> 3)
    PATH.write_bytes(data.rest() if choice & 7 == 0 else file_of(data.rest()))
    PATH.chmod(0o600)
    try:
        state = read(PATH, OWNERS)
    except StateError as error:
        assert str(PATH) in str(error)
        return
    assert state is not None
    nat = Nat(settings, SEED)
    kept = restore(nat, bytearray(state.flows), NOW, later)
    assert 0 <= kept <= state.count
    check_tables(nat, NOW)
    border = Border(settings)
    for source, destination in ((HOSTS[0], REMOTES[0]), (HOSTS[3], REMOTES[3])):
        for protocol in PROTOCOLS:
            out = packet(protocol, (source, 4000), (destination, 53))
            before = Look(out)
            if nat.translate(out, NOW) == 0:
                check_translated(border, before, Look(out), False)
    write(PATH, [flows_of(nat, NOW)], MOMENT)
    again = read(PATH, OWNERS)
    assert again is not None and again.written == MOMENT
    assert again.count == nat.usage()["sessions"]
    successor = Nat(settings, SEED)
    transfer(nat, successor, NOW)
    check_tables(successor, NOW)


def seeds() -> Iterator[bytes]:
    """Flows of each protocol under each configuration, and headers that are wrong."""
    for number, configuration in enumerate(CONFIGURATIONS):
        nat = Nat(configuration, SEED)
        for protocol in PROTOCOLS:
            for host in (0, 3):
                nat.translate(packet(protocol, (HOSTS[host], 4000), (REMOTES[host], 53)), 1000)
        flows = flows_of(nat, 1000)
        yield bytes([1, number, 0]) + flows
        yield bytes([1, (number + 1) % len(CONFIGURATIONS), 9]) + flows[: 3 * FLOW_SIZE]
    whole = file_of(flows[:FLOW_SIZE])
    yield b"\0\0\0" + whole
    yield b"\0\0\0" + whole[: FLOWS_AT - 1]
    yield b"\0\0\0" + whole[:-1]
    for at in (0, 8, 10, 12, 16, 20):
        yield b"\0\0\0" + whole[:at] + bytes([whole[at] ^ 0x81]) + whole[at + 1 :]
