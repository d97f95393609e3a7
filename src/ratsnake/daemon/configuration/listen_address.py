"""Where a server listens: the notation of an address and a port."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

LOOPBACK = IPv4Address("127.0.0.1")


class Listen(NamedTuple):
    address: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    def __str__(self) -> str:
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}"


def parse_listen(text: str) -> Listen:
    """PORT of the loopback, ADDR:PORT or [ADDR]:PORT; raises ValueError."""
    before, _, number = text.rpartition(":")
    address = _address(before) if before else LOOPBACK
    right = number.isascii() and number.isdigit() and len(number) <= 5 and not text.startswith(":")
    if address is None or not right or not 1 <= int(number) <= 65535:
        raise ValueError(
            "must be a port of the loopback, such as 9469, or an address and a port, such as"
            " 192.168.1.1:9469 or [::1]:9469"
        )
    return Listen(str(address), int(number))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    in_brackets = text.startswith("[") and text.endswith("]")
    try:
        address = ip_address(text[1:-1] if in_brackets else text)
    except ValueError:
        return None
    return address if in_brackets == (address.version == 6) else None
