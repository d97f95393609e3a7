"""Every type of ICMP error of both IP versions, about every protocol, in every direction (RFC 5508
section 4, RFC 4443 section 3)."""

from ipaddress import ip_address
from typing import Any

import pytest

from support import judge
from support.bench import SECOND
from support.dual import EACH_FAMILY, Dual, far
from support.families import (
    PORTLESS,
    PROTOCOLS,
    V4,
    V6,
    WITH_PORTS,
    Family,
    answer,
    echo,
    error,
    opening,
    quoted,
    tcp,
    upper_layer,
)
from support.flavours import Engine
from support.packets import Buffer, Endpoint
from support.pieces import split

# Type, codes, and the second word of the header: a next-hop MTU, or a pointer.
TYPES = {
    4: [
        (3, range(16), (0, 1400)),
        (11, range(2), (0,)),
        (12, range(3), (0, 20 << 24)),
    ],
    6: [
        (1, range(8), (0,)),
        (2, (0,), (1280, 1500)),
        (3, range(2), (0,)),
        (4, range(4), (0, 40)),
    ],
}
MESSAGES = [
    (family, kind, code, rest)
    for family in (V4, V6)
    for kind, codes, words in TYPES[family.version]
    for code in codes
    for rest in words
]
EACH_PROTOCOL = pytest.mark.parametrize("protocol", (*PROTOCOLS, "gre"))
PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}


class Exchange:
    """A packet from inside and its answer, each as it was on both sides of the NAT."""

    def __init__(self, engine: Engine, protocol: str, family: Family, **keywords: Any) -> None:
        self.bench = Dual(engine, "full-cone", **keywords)
        host, remote = (family.inside, 4000), far(protocol, family.r1)
        self.sent = opening(protocol, host, remote)
        self.external: Endpoint = self.bench.passes(self.sent).source
        self.sent_outside = bytes(self.bench.packet)
        self.answer_outside = answer(protocol, remote, self.external)
        self.bench.passes(self.answer_outside)
        self.answer = bytes(self.bench.packet)


def restored(whole: Buffer, original: Buffer) -> bytes:
    """A quotation as it is wanted: SCTP's CRC32c covers what a quotation may not have."""
    number, at = upper_layer(original)
    if number != 132:
        return bytes(original)
    return bytes(original[: at + 8]) + bytes(whole[at + 8 : at + 12]) + bytes(original[at + 12 :])


@EACH_PROTOCOL
def test_errors_from_outside_quote_what_the_host_sent(engine: Engine, protocol: str) -> None:
    exchanges = {family: Exchange(engine, protocol, family) for family in (V4, V6)}
    for family, kind, code, rest in MESSAGES:
        x = exchanges[family]
        x.bench.passes(error(family.r3, family.external, x.sent_outside, kind, code, rest))
        wanted = restored(x.sent_outside, x.sent)
        assert x.bench.packet == error(family.r3, family.inside, wanted, kind, code, rest)
        assert judge.is_right(x.bench.packet)


@EACH_PROTOCOL
def test_errors_from_inside_quote_what_the_remote_sent(engine: Engine, protocol: str) -> None:
    exchanges = {family: Exchange(engine, protocol, family) for family in (V4, V6)}
    for family, kind, code, rest in MESSAGES:
        x = exchanges[family]
        for source in (family.inside, family.lan_router):
            x.bench.passes(error(source, family.r1, x.answer, kind, code, rest))
            wanted = restored(x.answer, x.answer_outside)
            assert x.bench.packet == error(family.external, family.r1, wanted, kind, code, rest)


@pytest.mark.parametrize("protocol", WITH_PORTS)
def test_errors_about_hairpinned_packets(engine: Engine, protocol: str) -> None:
    """RFC 5508 REQ-7: out and back in, so that both hosts see external endpoints only."""
    for family in (V4, V6):
        bench = Dual(engine, "full-cone")
        caller = bench.open(protocol, (family.inside, 4000), (family.r1, 80))
        called = bench.open(protocol, (family.other, 5000), (family.r1, 80))
        sent = opening(protocol, (family.inside, 4000), called)
        bench.passes(sent)
        received = bytes(bench.packet)
        for source in (family.other, family.lan_router):
            for kind, code, rest in [m[1:] for m in MESSAGES if m[0] == family]:
                bench.passes(error(source, caller[0], received, kind, code, rest))
                wanted = restored(received, sent)
                assert bench.packet == error(
                    family.external, family.inside, wanted, kind, code, rest
                )


@EACH_FAMILY
def test_hairpinned_queries_of_basic_nat_and_errors_about_them(
    engine: Engine, family: Family
) -> None:
    """RFC 5508 REQ-7: a one-to-one address is Basic NAT."""
    forwarding = engine.modules["nat.settings.static_forward"]
    own = "203.0.113.2" if family is V4 else "2001:db8:ffff::2"
    forward = forwarding.Forward(
        forwarding.ALL_PROTOCOLS, ip_address(own), 0, 65535, ip_address(family.other), 0
    )
    bench = Dual(engine, forwards=(forward,), without_ports=(own,))
    identifier = bench.passes(echo(family.inside, own, 4000)).source[1]
    received = bytes(bench.packet)
    assert received == echo(family.external, family.other, identifier)
    kind, code = PORT_UNREACHABLE[family.version]
    bench.passes(error(family.other, family.external, received, kind, code))
    assert bench.packet == error(own, family.inside, echo(family.inside, own, 4000), kind, code)
    bench.passes(echo(family.other, family.external, identifier, True))
    assert bench.packet == echo(own, family.inside, 4000, True)


def damaged(whole: Buffer, at: int) -> bytearray:
    copy = bytearray(whole)
    copy[at] ^= 0x10
    return copy


@EACH_FAMILY
@EACH_PROTOCOL
def test_errors_with_a_wrong_checksum_are_dropped(
    engine: Engine, protocol: str, family: Family
) -> None:
    """RFC 5508 REQ-3."""
    x = Exchange(engine, protocol, family)
    kind, code = PORT_UNREACHABLE[family.version]
    start = upper_layer(error(family.r3, family.external, b"", kind))[1]
    inward = error(family.r3, family.external, x.sent_outside, kind, code)
    outward = error(family.inside, family.r1, x.answer, kind, code)
    for whole in (inward, outward):
        for at in (start + 1, start + 2, start + 5, len(whole) - 1):
            assert x.bench.send(damaged(whole, at)) == "icmp-checksum"
        assert x.bench.send(whole) == "translated"


@EACH_PROTOCOL
def test_errors_that_quote_a_wrong_ip_checksum_are_dropped(engine: Engine, protocol: str) -> None:
    """RFC 5508 REQ-3a."""
    x = Exchange(engine, protocol, V4)
    for at in (4, 8, 10, 11):
        inward = error(V4.r3, V4.external, damaged(x.sent_outside, at), 3, 3)
        assert x.bench.send(inward) == "icmp-checksum"
        assert x.bench.send(error(V4.inside, V4.r1, damaged(x.answer, at), 3, 3)) == "icmp-checksum"


@EACH_FAMILY
@EACH_PROTOCOL
def test_a_wrong_transport_checksum_in_the_quotation_passes(
    engine: Engine, protocol: str, family: Family
) -> None:
    """RFC 5508 REQ-3c; it is as wrong behind the NAT as before."""
    x = Exchange(engine, protocol, family)
    kind, code = PORT_UNREACHABLE[family.version]
    wrong = damaged(x.sent_outside, len(x.sent_outside) - 1)
    x.bench.passes(error(family.r3, family.external, wrong, kind, code))
    assert judge.is_right(x.bench.packet)
    wanted = restored(x.sent_outside, x.sent)
    assert quoted(x.bench.packet) == damaged(wanted, len(wanted) - 1)
    wrong = damaged(x.answer, len(x.answer) - 1)
    x.bench.passes(error(family.inside, family.r1, wrong, kind, code))
    wanted = restored(x.answer, x.answer_outside)
    assert quoted(x.bench.packet) == damaged(wanted, len(wanted) - 1)


@EACH_FAMILY
@EACH_PROTOCOL
def test_errors_neither_prolong_nor_end_a_session(
    engine: Engine, protocol: str, family: Family
) -> None:
    """RFC 5508 REQ-6."""
    x = Exchange(engine, protocol, family)
    x.bench.now = 30 * SECOND
    before = x.bench.sessions(), x.bench.mappings()
    for kind, code, rest in [m[1:] for m in MESSAGES if m[0] == family]:
        x.bench.passes(error(family.r3, family.external, x.sent_outside, kind, code, rest))
        x.bench.passes(error(family.inside, family.r1, x.answer, kind, code, rest))
    assert (x.bench.sessions(), x.bench.mappings()) == before
    x.bench.now += before[0][0].expires * SECOND
    kind, code = PORT_UNREACHABLE[family.version]
    late = error(family.r3, family.external, x.sent_outside, kind, code)
    assert x.bench.send(late) == "no-session"


@EACH_FAMILY
@EACH_PROTOCOL
def test_errors_open_nothing(engine: Engine, protocol: str, family: Family) -> None:
    bench = Dual(engine, "full-cone")
    kind, code = PORT_UNREACHABLE[family.version]
    about = opening(protocol, (family.external, 10000), far(protocol, family.r1))
    assert bench.send(error(family.r3, family.external, about, kind, code)) == "no-session"
    about = answer(protocol, far(protocol, family.r1), (family.inside, 4000))
    assert bench.send(error(family.inside, family.r1, about, kind, code)) == "no-session"
    assert bench.is_empty()
    assert bench.outgoing() == []


@EACH_FAMILY
@pytest.mark.parametrize("protocol", ("udp", "tcp", "icmp", *PORTLESS))
def test_8_octets_of_a_quotation_are_enough(engine: Engine, protocol: str, family: Family) -> None:
    x = Exchange(engine, protocol, family)
    size = upper_layer(x.sent)[1] + 8
    kind, code = PORT_UNREACHABLE[family.version]
    x.bench.passes(error(family.r3, family.external, x.sent_outside[:size], kind, code))
    assert x.bench.packet == error(family.r3, family.inside, x.sent[:size], kind, code)
    short = error(family.r3, family.external, x.sent_outside[: size - 1], kind, code)
    assert x.bench.send(short) == "icmp-embedded"


@pytest.mark.parametrize("router", ["10.0.0.1", "100.64.0.1", "192.168.1.1", "172.16.9.9"])
def test_a_router_on_the_way_may_have_a_private_address(engine: Engine, router: str) -> None:
    x = Exchange(engine, "udp", V4)
    x.bench.passes(error(router, V4.external, x.sent_outside, 11))
    assert x.bench.packet == error(router, V4.inside, x.sent, 11)


@EACH_FAMILY
def test_an_error_about_an_error_is_dropped(engine: Engine, family: Family) -> None:
    x = Exchange(engine, "udp", family)
    kind, code = PORT_UNREACHABLE[family.version]
    about = error(family.external, family.r1, x.answer_outside, kind, code)
    assert x.bench.send(error(family.r1, family.external, about, kind, code)) == "icmp-embedded"


@EACH_FAMILY
def test_an_error_in_fragments_is_dropped(engine: Engine, family: Family) -> None:
    """No quotation could be checked; none is that long (RFC 1812 section 4.3.2.3)."""
    x = Exchange(engine, "udp", family)
    kind, code = PORT_UNREACHABLE[family.version]
    whole = error(family.r3, family.external, x.sent_outside + bytes(100), kind, code)
    assert x.bench.send(split(whole)[0]) == "fragment"
    assert x.bench.emitted(split(whole)[1]) == []


@EACH_FAMILY
def test_the_quoted_first_fragment_of_a_datagram_is_restored(
    engine: Engine, family: Family
) -> None:
    x = Exchange(engine, "udp", family)
    kind = 11 if family is V4 else 3
    first = split(x.sent_outside, 8)[0]
    x.bench.passes(error(family.r1, family.external, first, kind, 1))
    assert quoted(x.bench.packet) == split(x.sent, 8)[0]
    later = split(tcp((family.external, 1), (family.r1, 80)), 8)[1]
    assert x.bench.send(error(family.r1, family.external, later, kind, 1)) == "icmp-embedded"
