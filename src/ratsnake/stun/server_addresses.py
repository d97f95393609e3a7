"""STUN servers by name: HOST[:PORT], and the addresses they have."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from .stun_message import Endpoint

DEFAULT_PORT = 3478  # RFC 8489 section 8
SYNTAX = "HOST[:PORT], such as stun.example.net, 198.51.100.1:3478 or [2001:db8::1]:3478"
_SCHEME = "stun:"  # RFC 7064


@dataclass(frozen=True)
class Server:
    """A server as it was named, with its first address of each version of IP.

    `problem` says why it has none.
    """

    name: str
    endpoints: dict[int, Endpoint] = field(default_factory=dict)
    problem: str = ""


def read_server(text: str) -> tuple[str, int]:
    """Host and port of a server's name; raises ValueError, saying what would be right."""
    name = text[len(_SCHEME) :] if text.lower().startswith(_SCHEME) else text
    host, port = _split(name)
    wrong = not host or any(one.isspace() or not one.isprintable() or one in "/?#@" for one in host)
    if wrong or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65535):
        raise ValueError(f"{text!r} is no server; right is {SYNTAX}")
    return host, int(port)


def find_servers(names: Sequence[str]) -> list[Server]:
    """Look the names up; raises ValueError for what cannot be one."""
    read = [(name, *read_server(name)) for name in dict.fromkeys(names)]
    return [_find(name, host, port) for name, host, port in read]


def same_servers(servers: Sequence[Server], version: int) -> list[tuple[str, str]]:
    """Pairs of names that are one endpoint, each beside the name that came first."""
    first: dict[Endpoint, str] = {}
    pairs = []
    for server in servers:
        endpoint = server.endpoints.get(version)
        if endpoint is not None and first.setdefault(endpoint, server.name) != server.name:
            pairs.append((first[endpoint], server.name))
    return pairs


def _split(name: str) -> tuple[str, str]:
    """Host and port as they are written; "" for what is wrong."""
    if name.startswith("["):
        host, bracket, rest = name[1:].partition("]")
        if not bracket or rest and not rest.startswith(":"):
            return "", ""
        return host, rest[1:] if rest else str(DEFAULT_PORT)
    if name.count(":") > 1:  # an IPv6 address without brackets
        return (name, str(DEFAULT_PORT)) if _is_address(name) else ("", "")
    host, colon, port = name.partition(":")
    return host, port if colon else str(DEFAULT_PORT)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _find(name: str, host: str, port: int) -> Server:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: of a label that is too long for DNS
        reason = error.strerror if isinstance(error, OSError) else "this cannot be a name"
        return Server(name, problem=f"no address: {reason or error}")
    endpoints: dict[int, Endpoint] = {}
    for family, _, _, _, address in found:
        version = {socket.AF_INET: 4, socket.AF_INET6: 6}.get(family)
        if version is not None:
            endpoints.setdefault(version, Endpoint(str(ip_address(address[0])), int(address[1])))
    return Server(name, endpoints, "" if endpoints else "no address")
