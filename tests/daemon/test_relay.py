"""A NAT between the ends of an in-memory pair."""

from ipaddress import IPv4Address

from ratsnake.daemon.relay import relay
from ratsnake.device.memory import pair
from ratsnake.nat.nat import SEED_BYTES, Nat
from ratsnake.nat.settings import Settings
from support.packets import seen, udp

HOST, REMOTE, EXTERNAL = ("192.168.1.10", 4000), ("198.51.100.1", 53), "203.0.113.1"


def test_packets_cross_both_ways_and_what_is_dropped_does_not() -> None:
    nat = Nat(Settings(IPv4Address(EXTERNAL)), bytes(SEED_BYTES))
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
    nat = Nat(Settings(IPv4Address(EXTERNAL)), bytes(SEED_BYTES))
    kernel, device = pair(capacity=1)
    kernel.write(udp(HOST, REMOTE))
    assert device.write(b"full")
    assert relay(nat, device, 0) == 0
