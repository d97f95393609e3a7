"""The vnet header: its Python layout, and the same constants in the .pxd."""

import re
import sys
from pathlib import Path

import pytest

from ratsnake.device import vnet_header
from ratsnake.device.vnet_header import VnetHeader

PXD = Path(vnet_header.__file__).with_suffix(".pxd")


def test_pxd_has_the_same_constants():
    in_pxd = {
        name: int(value, 0)
        for name, value in re.findall(r"^\s*(VNET_\w+) = (\w+)$", PXD.read_text(), re.MULTILINE)
    }
    in_py = {name: value for name, value in vars(vnet_header).items() if name.startswith("VNET_")}
    assert in_pxd == in_py


def test_fields_lie_at_their_offsets():
    header = VnetHeader(1, 0x81, 0x0203, 0x0405, 0x0607, 0x0809).build()
    assert len(header) == vnet_header.VNET_SIZE
    assert header[vnet_header.VNET_AT_FLAGS] == 1
    assert header[vnet_header.VNET_AT_GSO_TYPE] == 0x81
    for at, value in (
        (vnet_header.VNET_AT_HDR_LEN, 0x0203),
        (vnet_header.VNET_AT_GSO_SIZE, 0x0405),
        (vnet_header.VNET_AT_CSUM_START, 0x0607),
        (vnet_header.VNET_AT_CSUM_OFFSET, 0x0809),
    ):
        assert int.from_bytes(header[at : at + 2], sys.byteorder) == value


def test_round_trip():
    header = VnetHeader(vnet_header.VNET_F_NEEDS_CSUM, vnet_header.VNET_GSO_TCPV4, 40, 1460, 20, 16)
    assert VnetHeader.parse(header.build() + b"packet") == header
    assert VnetHeader().build() == bytes(10)


@pytest.mark.parametrize("size", range(10))
def test_short_frame(size):
    with pytest.raises(ValueError, match=f"10 bytes, this frame has {size}"):
        VnetHeader.parse(bytes(size))
