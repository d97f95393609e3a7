"""A program that floods: first datagrams of ever new flows, from 64,000 forged sources.

    python forged_flood.py DESTINATION PORT RATE

Sources are those of 198.18.0.0/16 whose last octet is less than 250.  It sends RATE a second, or as
many as it can, until its standard input ends; then it prints how many it sent in how many seconds.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time

SOURCES = 64_000
_STEP = 0.01  # seconds


def _forged(number: int, destination: bytes, port: int) -> bytes:
    """A datagram without data and checksum; the kernel fills in the header's checksum."""
    high, low = divmod(number % SOURCES, 250)
    source = bytes((198, 18, high, low))
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0x4000, 64, 17, 0) + source + destination
    return head + struct.pack("!HHHH", 1024 + number // SOURCES, port, 8, 0)


def main(address: str, port: int, rate: int) -> None:
    destination = socket.inet_aton(address)
    handle = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    handle.connect((address, 0))
    began, sent = time.monotonic(), 0
    while not select.select([sys.stdin], [], [], _STEP)[0]:
        due = min(int((time.monotonic() - began) * rate), sent + rate // 10)
        for number in range(sent, due):
            handle.send(_forged(number, destination, port))
        sent = max(sent, due)
    print(sent, time.monotonic() - began, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
