"""A NAT between the ends of an in-memory pair."""

from ipaddress import IPv4Address

from ratsnake.daemon.packet_pump import relay
from ratsnake.device.memory_device import pair
from ratsnake.nat.nat import SEED_BYTES, Nat
from ratsnake.nat.settings.setting_types import External
from ratsnake.nat.settings.validated_settings import Settings
from ratsnake.portset import PortSet
from support.packets import error, ip, quoted, seen, udp

HOST, REMOTE, EXTERNAL = ("192.168.1.10", 4000), ("198.51.100.1", 53), "203.0.113.1"


def test_packets_cross_both_ways_and_what_is_dropped_does_not() -> None:
    nat = Nat(Settings((External(IPv4Address(EXTERNAL)),)), bytes(SEED_BYTES))
    kernel, device = pair()
    kernel.write(udp(HOST, REMOTE))
    kernel.write(udp(("198.51.100.9", 1), (EXTERNAL, 7)))
    assert relay(nat, device, 0) == 1
    out = kernel.read()
    assert out is not None and kernel.read() is None
    external = seen(out).source
    assert external[0] == EXTERNAL and seen(out).destination == REMOTE
    kernel.write(udp(REMOTE, external))
    assert relay(nat, device, 1) == 1
    back = kernel.read()
    assert back is not None and seen(back) == (REMOTE, HOST)
    assert relay(nat, device, 2) == 0


def test_a_packet_the_device_does_not_take_does_not_count() -> None:
    nat = Nat(Settings((External(IPv4Address(EXTERNAL)),)), bytes(SEED_BYTES))
    kernel, device = pair(capacity=1)
    kernel.write(udp(HOST, REMOTE))
    assert device.write(b"full")
    assert relay(nat, device, 0) == 0


def test_what_the_nat_sends_by_itself_goes_to_the_device_after_what_caused_it() -> None:
    """A fragment that waited for the first one, and an error to a host that finds no room."""
    external = External(IPv4Address(EXTERNAL), PortSet.parse("5000"))
    nat = Nat(Settings((external,)), bytes(SEED_BYTES))
    kernel, device = pair()
    whole = udp(HOST, REMOTE, bytes(24))
    kernel.write(ip(HOST[0], REMOTE[0], 17, whole[36:], fragment=2))
    assert relay(nat, device, 0) == 0
    kernel.write(ip(HOST[0], REMOTE[0], 17, whole[20:36], fragment=0x2000))
    assert relay(nat, device, 0) == 2
    first, later = kernel.read(), kernel.read()
    assert first is not None and seen(first).source[0] == EXTERNAL
    assert later is not None and later[20:] == whole[36:] and later[12:16] == first[12:16]
    refused = udp(("192.168.1.11", 4000), REMOTE)
    kernel.write(refused)
    assert relay(nat, device, 0) == 1
    told = kernel.read()
    assert told is not None and quoted(told) == refused[:28]
    expected = error(EXTERNAL, "192.168.1.11", refused[:28], 3, 13)
    assert told[12:] == expected[12:]
