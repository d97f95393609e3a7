"""Names of STUN servers, right and wrong."""

import socket

import pytest

from ratsnake.stun.server_addresses import find_servers, read_server, same_servers
from ratsnake.stun.stun_message import Endpoint


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("stun.example.net", "stun.example.net", 3478),
        ("stun.example.net:19302", "stun.example.net", 19302),
        ("198.51.100.1", "198.51.100.1", 3478),
        ("198.51.100.1:1", "198.51.100.1", 1),
        ("2001:db8::1", "2001:db8::1", 3478),
        ("[2001:db8::1]", "2001:db8::1", 3478),
        ("[2001:db8::1]:65535", "2001:db8::1", 65535),
        ("stun:stun.example.net:3479", "stun.example.net", 3479),
        ("STUN:[2001:db8::1]:3479", "2001:db8::1", 3479),
    ],
)
def test_right_names(text: str, host: str, port: int) -> None:
    assert read_server(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", ":3478", "stun:", "a:0", "a:65536", "a:-1", "a:b", "a:", "a:3478:1", "a:\u0663"),
        *("[2001:db8::1", "[2001:db8::1]3478", "[]:1", "a b", "a\n", "\x1b[31m", "a/b", "a?t=udp"),
        *("stuns://a", "https://a", "user@a", "a:" + "1" * 5000),
    ],
)
def test_wrong_names(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no server; right is HOST\[:PORT\]"):
        read_server(text)


def test_names_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    (server,) = find_servers(["nobody.invalid"])
    assert (server.endpoints, server.problem) == ({}, "no address: Name or service not known")


def test_a_name_that_dns_cannot_have() -> None:
    (server,) = find_servers(["x" * 64 + ".example.net"])
    assert server.problem == "no address: this cannot be a name"


def test_two_names_of_one_server() -> None:
    servers = find_servers(["127.0.0.1", "127.0.0.1:3478", "127.0.0.1", "[::1]:1", "127.0.0.1:1"])
    assert [server.name for server in servers] == [
        "127.0.0.1",
        "127.0.0.1:3478",
        "[::1]:1",
        "127.0.0.1:1",
    ]
    assert servers[2].endpoints == {6: Endpoint("::1", 1)}
    assert same_servers(servers, 4) == [("127.0.0.1", "127.0.0.1:3478")]
    assert same_servers(servers, 6) == []
