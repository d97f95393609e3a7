"""RFC 5508: whom an ICMP error from inside seems to come from, and the DS field."""

import pytest

from support.flavours import Engine
from support.packets import Buffer
from support.site import V4, V6, Places, Site
from support.wire import ip, packet, seen, with_checksums

FAMILIES = pytest.mark.parametrize("places", [V4, V6], ids=["ipv4", "ipv6"])
EXPEDITED = 0xB8  # RFC 3246, in the place of DSCP and ECN


def error(source: str, destination: str, quoted: Buffer) -> bytearray:
    """Port unreachable, of the addresses' family."""
    head = bytes([1, 4] if ":" in source else [3, 3]) + bytes(6)
    return ip(source, destination, "icmp", head + bytes(quoted))


@FAMILIES
def test_an_error_of_a_host_with_its_own_address_comes_from_there(
    engine: Engine, places: Places
) -> None:
    """REQ-5c, Basic NAT: the router that reports has a one-to-one address."""
    router, host = places.hosts[:2]
    site = Site(
        engine,
        externals={places.external: "2000-2999", places.other_external: None},
        one_to_one=(f"{places.other_external}={router}",),
    )
    far = (places.remotes[0], 80)
    external = site.open("udp", (host, 4000), far)
    assert site.answer("udp", far, external) == "translated"
    came = bytes(site.packet)
    site.passes(error(router, far[0], came))
    assert seen(site.packet).source[0] == places.other_external
    site.passes(error(host, far[0], came))
    assert seen(site.packet).source[0] == places.external


@FAMILIES
def test_the_ds_field_stays(engine: Engine, places: Places) -> None:
    """REQ-10d, of what is translated: queries, replies, and errors of both directions."""
    site = Site(engine)
    host, far = (places.hosts[0], 4000), (places.remotes[0], 0)

    def kept(sent: Buffer) -> bytes:
        marked = bytearray(sent)
        if places is V4:
            marked[1] = EXPEDITED
        else:
            marked[0], marked[1] = 0x60 | EXPEDITED >> 4, EXPEDITED << 4 & 0xFF
        site.passes(with_checksums(marked))
        assert site.packet[:2] == marked[:2]
        return bytes(site.packet)

    asked = kept(packet("icmp", host, far))
    answered = kept(packet("icmp", far, (places.external, seen(asked).source[1]), "answer"))
    kept(error(far[0], places.external, asked))
    kept(error(host[0], far[0], answered))
