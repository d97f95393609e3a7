"""PSID and port: published vectors, and every PSID of every format."""

import pytest

from ratsnake.portset import PortSet
from ratsnake.portset.psid_format import PORT_BITS, PsidFormat

PORTS = 1 << PORT_BITS


@pytest.mark.parametrize(
    ("offset", "psid_len", "psid", "first", "last", "count"),
    [
        # FreeBSD tests/sys/netpfil/pf/map_e.sh
        (2, 12, 0x342, "19720-19723,36104-36107", "52488-52491", 12),
        # miniupnp issue 465, a v6plus line
        (4, 8, 86, "5472-5487,9568-9583", "62816-62831", 240),
        # RFC 7597 appendix A, example 1
        (6, 8, 0x34, "1232-1235,2256-2259", "64720-64723", 252),
    ],
)
def test_published_vectors(
    offset: int, psid_len: int, psid: int, first: str, last: str, count: int
) -> None:
    ports = PsidFormat(offset, psid_len).ports(psid)
    assert str(ports).startswith(f"{first},")
    assert str(ports).endswith(f",{last}")
    assert len(ports) == count


@pytest.mark.parametrize(
    ("offset", "psid_len", "count", "ranges"), [(4, 8, 240, 15), (6, 6, 1008, 63)]
)
def test_a_provider_s_lines_get_all_their_ports(
    offset: int, psid_len: int, count: int, ranges: int
) -> None:
    psid_format = PsidFormat(offset, psid_len)
    for psid in psid_format.psids:
        ports = psid_format.ports(psid)
        assert (len(ports), len(ports.ranges)) == (count, ranges)


@pytest.mark.parametrize("offset", range(PORT_BITS + 1))
def test_the_psids_of_a_format_tile_the_ports(offset: int) -> None:
    """Nobody shares a port, nobody has one below the first block, and each has its number."""
    for psid_len in range(PORT_BITS + 1 - offset):
        psid_format = PsidFormat(offset, psid_len)
        block = 1 << (PORT_BITS - offset - psid_len)
        taken = bytearray(PORTS)
        for psid in psid_format.psids:
            if offset == 0 and psid == 0:
                continue  # the one with port 0, below
            ports = psid_format.ports(psid)
            assert len(ports) == block * max(1, (1 << offset) - 1)
            for first, last in ports.ranges:
                size = last - first + 1
                assert taken[first : last + 1] == bytes(size)
                taken[first : last + 1] = b"\1" * size
        lowest = PORTS >> offset if offset else block
        assert taken == bytes(lowest) + b"\1" * (PORTS - lowest)


@pytest.mark.parametrize("psid_len", range(PORT_BITS))
def test_port_0_is_nobody_s(psid_len: int) -> None:
    block = PORTS >> psid_len
    assert PsidFormat(0, psid_len).ports(0) == PortSet(((1, block - 1),))


def test_a_psid_with_port_0_only() -> None:
    with pytest.raises(ValueError, match="PSID 0 of 16 bits has port 0 only.*1 to 65535"):
        PsidFormat(0, 16).ports(0)


def test_without_a_psid_all_above_the_first_block() -> None:
    assert PsidFormat(6, 0).ports(0) == PortSet.parse("1024-65535")


@pytest.mark.parametrize(
    ("offset", "psid_len", "words"),
    [
        (9, 8, "offset of 9 and a PSID of 8 bits take 17 bits; a port has 16"),
        (17, 0, "a PSID offset of 17 bits"),
        (0, 17, "a PSID length of 17 bits"),
        (-1, 4, "a PSID offset of -1 bits"),
    ],
)
def test_a_format_that_does_not_fit(offset: int, psid_len: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PsidFormat(offset, psid_len)


@pytest.mark.parametrize("psid", [-1, 256])
def test_a_psid_out_of_range(psid: int) -> None:
    with pytest.raises(ValueError, match=f"{psid} is no PSID of 8 bits; those go from 0 to 255"):
        PsidFormat(4, 8).ports(psid)
