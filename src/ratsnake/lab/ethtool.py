"""Turn an interface's offloads on and off (linux/ethtool.h, ioctl SIOCETHTOOL).

With them on, a veth carries 64 kB super-packets with unfinished checksums; off, real frames.
"""

from __future__ import annotations

import array
import fcntl
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from .namespace import Namespace

_SIOCETHTOOL = 0x8946
_VALUE = struct.Struct("=II")  # struct ethtool_value: command, data
_REQUEST = struct.Struct("16sP8x")  # struct ifreq: name, pointer

#: name: (ETHTOOL_G…, ETHTOOL_S…).  In the order to switch them off: without transmit checksums
#: the kernel drops segmentation by itself.
_FEATURES = {
    "tso": (0x1E, 0x1F),
    "gso": (0x23, 0x24),
    "gro": (0x2B, 0x2C),
    "tx-checksum": (0x16, 0x17),
    "rx-checksum": (0x14, 0x15),
}


def offloads(namespace: Namespace, interface: str) -> dict[str, bool]:
    """Which offloads are on."""
    return {
        name: bool(_ioctl(namespace, interface, get, 0)) for name, (get, _) in _FEATURES.items()
    }


def set_offloads(namespace: Namespace, interface: str, wanted: dict[str, bool]) -> None:
    """Switch the named offloads; raises OSError where the driver refuses."""
    for name, on in wanted.items():
        _ioctl(namespace, interface, _FEATURES[name][1], int(on))


def feature(namespace: Namespace, interface: str, name: str) -> bool:
    """Whether a feature is on that `ethtool -k` lists under this name; KeyError if it does not."""
    from pyroute2.ethtool.ioctl import IoctlEthtool

    with namespace.entered(), closing(IoctlEthtool(interface)) as ethtool:
        return bool(ethtool.get_features()[name])


def set_feature(namespace: Namespace, interface: str, name: str, on: bool) -> None:
    """Switch such a feature; raises OSError where the driver refuses."""
    from pyroute2.ethtool.ioctl import IoctlEthtool

    with namespace.entered(), closing(IoctlEthtool(interface)) as ethtool:
        features = ethtool.get_features()
        features[name] = on
        ethtool.set_features(features)


@contextmanager
def without_offloads(*interfaces: tuple[Namespace, str]) -> Iterator[None]:
    """Offloads of these interfaces are off inside the `with`, and as before after it."""
    with ExitStack() as stack:
        for namespace, interface in interfaces:
            before = offloads(namespace, interface)
            # Back in the reverse order: checksums first, what is built on them after.
            restored = dict(reversed(before.items()))
            stack.callback(set_offloads, namespace, interface, restored)
            set_offloads(namespace, interface, dict.fromkeys(before, False))
        yield


def _ioctl(namespace: Namespace, interface: str, command: int, data: int) -> int:
    value = array.array("B", _VALUE.pack(command, data))
    request = _REQUEST.pack(interface.encode(), value.buffer_info()[0])
    with namespace.socket() as handle:
        fcntl.ioctl(handle, _SIOCETHTOOL, request)
    return int(_VALUE.unpack(value)[1])
