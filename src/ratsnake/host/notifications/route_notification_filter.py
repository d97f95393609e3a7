"""Which notifications about routes a netlink socket hears: those that may concern a NAT's own.

A router may learn a million routes that come and go by the thousand.  The kernel asks a program
(classic BPF, socket(7) SO_ATTACH_FILTER) before it wakes anybody.
"""

from __future__ import annotations

import socket
import struct
import sys
from array import array
from collections.abc import Collection

from ..kernel.route_dump import PROTOCOL

_SO_ATTACH_FILTER = 26
_INSTRUCTION = struct.Struct("=HBBI")  # sock_filter: code, jump if true, if false, operand
_LOAD, _IF_EQUAL, _IF_SET, _RETURN = 0x30, 0x15, 0x45, 0x06  # BPF_LD|B|ABS, JEQ, JSET, RET
_LITTLE = sys.byteorder == "little"
#: Octets of a notification: of nlmsghdr the lower one of the type and the upper one of the flags,
#: of rtmsg the prefix's length and the protocol.
_TYPE, _FLAGS, _LENGTH, _PROTOCOL = (4 if _LITTLE else 5), (7 if _LITTLE else 6), 17, 21
_NEW_ROUTE, _DEL_ROUTE = 24, 25
_REPLACE = 1  # NLM_F_REPLACE, of the upper octet


def attach(heard: socket.socket, lengths: Collection[int]) -> None:
    """Let through of routes: ours that go, default routes, and what replaces one of the lengths.

    Nobody is told of the end of a route that another replaces.
    """
    program = array("B", b"".join(_program(sorted({*lengths, 0}))))
    address, size = program.buffer_info()
    described = struct.pack("@HP", size // _INSTRUCTION.size, address)
    heard.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


def _program(lengths: Collection[int]) -> list[bytes]:
    """Each step: its label, code, operand, and where it leads (if true, if false); "" is on."""
    steps: list[tuple[str, int, int, str, str]] = [
        ("", _LOAD, _TYPE, "", ""),
        ("", _IF_EQUAL, _NEW_ROUTE, "new", ""),
        ("", _IF_EQUAL, _DEL_ROUTE, "gone", "hear"),
        ("gone", _LOAD, _PROTOCOL, "", ""),
        ("", _IF_EQUAL, PROTOCOL, "hear", ""),
        ("default", _LOAD, _LENGTH, "", ""),
        ("", _IF_EQUAL, 0, "hear", "pass over"),
        ("new", _LOAD, _FLAGS, "", ""),
        ("", _IF_SET, _REPLACE, "", "added"),
        ("", _LOAD, _LENGTH, "", ""),
        *(("", _IF_EQUAL, length, "hear", "") for length in lengths),
        ("pass over", _RETURN, 0, "", ""),
        ("added", _LOAD, _LENGTH, "", ""),
        ("", _IF_EQUAL, 0, "hear", ""),
        ("", _RETURN, 0, "", ""),
        ("hear", _RETURN, 0xFFFFFFFF, "", ""),
    ]
    at = {label: number for number, (label, *_) in enumerate(steps) if label}
    return [
        _INSTRUCTION.pack(code, *(at[to] - here - 1 if to else 0 for to in led), operand)
        for here, (_, code, operand, *led) in enumerate(steps)
    ]
