"""A watch on the internet's side for packets that left the router with a source of the LAN."""

from __future__ import annotations

import ctypes
import socket
import struct
from ipaddress import ip_network

from end_to_end.frames import sniffer
from ratsnake.lab import LAN_PREFIX, Topology

_SO_ATTACH_FILTER = 26
_SOURCE = 12  # where IPv4's source address is
_LOAD_WORD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06  # linux/bpf_common.h
_ALL = 0xFFFF


class LeakWatch:
    """Counts them in the kernel's filter, so that a flood of other packets costs nothing."""

    def __init__(self, topology: Topology) -> None:
        self._handle = sniffer(topology.internet, "eth0")
        prefix = ip_network(LAN_PREFIX)
        program = (
            (_LOAD_WORD, 0, 0, _SOURCE),
            (_AND, 0, 0, int(prefix.netmask)),
            (_EQUAL, 0, 1, int(prefix.network_address)),
            (_RETURN, 0, 0, _ALL),
            (_RETURN, 0, 0, 0),
        )
        octets = b"".join(struct.pack("=HBBI", *step) for step in program)
        steps = ctypes.create_string_buffer(octets, len(octets))
        pointer = struct.pack("@HP", len(program), ctypes.addressof(steps))
        self._handle.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
        self._handle.setblocking(False)
        self._drain()  # what came before the filter
        self.packets: list[bytes] = []

    def look(self) -> int:
        """How many have leaked so far; the first hundred are kept."""
        self.packets += self._drain()
        return len(self.packets)

    def _drain(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self._handle.recv(100))
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._handle.close()
