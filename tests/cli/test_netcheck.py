"""`ratsnake netcheck`: what it refuses, and how it shows what was found."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ratsnake.cli import netcheck
from ratsnake.cli.main import main
from ratsnake.cli.netcheck_report import fields, lines
from ratsnake.stun.binding_lifetime import Lifetime
from ratsnake.stun.nat_check import CheckResult, check_network
from ratsnake.stun.server_addresses import Server
from ratsnake.stun.stun_client import StunClient
from ratsnake.stun.stun_message import Endpoint
from support.bench import Bench
from support.flavours import load
from support.stun_network import VirtualNetwork
from support.stun_server import StunServer
from support.stun_sockets import running
from support.tools import ROOT

A, B, C = "198.51.100.1", "198.51.100.2", "198.51.100.3"
SERVER = Endpoint(A, 3478)
STUN = Server("stun.example.net", {4: SERVER})


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["netcheck", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_no_server_is_asked_unasked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(netcheck, "check_network", never)
    assert refused(capsys) == (
        "ratsnake: error: name a STUN server, HOST[:PORT]: one that implements RFC 5780 (it has two"
        " addresses, as coturn can) shows mapping and filtering, two ordinary ones show the"
        " mapping; there is no default\n"
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["a:0"], "'a:0' is no server; right is HOST[:PORT], such as stun.example.net"),
        (["https://a"], "'https://a' is no server"),
        (["a\x1b[2J"], r"'a\x1b[2J' is no server"),
        (["a", "--lifetime", "0"], "--lifetime 0: right is a number of seconds in 1..86400"),
        (["a", "--lifetime", "5m"], "--lifetime 5m: right is a number of seconds"),
        (["a", "--lifetime", "9" * 5000], "right is a number of seconds"),
        ([f"{n}.example.net" for n in range(9)], "9 servers: at most 8 can be asked"),
        (["a", "--tcp"], "unrecognized arguments: --tcp"),
    ],
)
def test_what_cannot_be_right(
    capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    assert said in refused(capsys, *argv)


def behind(nat_type: str, *servers: StunServer, ports: Sequence[Endpoint] = ()) -> CheckResult:
    engine = load("compiled")
    modules: Any = engine.modules
    behaviour = modules["nat.rules.behaviour"].parse_behaviour(nat_type)
    bench = Bench(engine, udp=behaviour, ports="1024-65535")
    network = VirtualNetwork(servers or [StunServer((A, B))], lambda port: bench)
    return check_network(StunClient(network), 4, ports or [SERVER], with_tcp=False)


def shown(result: CheckResult, width: int = 80) -> str:
    text = list(lines([STUN], [result], width))
    assert all(len(line) <= width for line in text)
    return "\n".join(text)


def test_the_page_shows_what_people_see() -> None:
    page = (ROOT / "docs" / "netcheck.md").read_text()
    assert page.split("```")[1].strip("\n") == shown(behind("eim/apdf+preserve"))


@pytest.mark.parametrize(
    ("nat_type", "heading"),
    [
        ("full-cone", "full-cone"),
        ("restricted-cone", "restricted-cone"),
        ("quasi-symmetric", "quasi-symmetric"),
        ("symmetric", "symmetric"),
        ("symmetric-address", "symmetric-address"),
        ("adm/eif", "adm/eif, a combination without a name"),
    ],
)
@pytest.mark.parametrize("width", [55, 60, 100])
def test_headings(nat_type: str, heading: str, width: int) -> None:
    assert shown(behind(nat_type), width).startswith(f"UDP over IPv4: {heading}\n")


def test_ordinary_servers() -> None:
    ordinary = [StunServer((one,), (3478,), frozenset()) for one in (A, B)]
    two = behind("adm/adf", *ordinary, ports=[SERVER, Endpoint(B, 3478)])
    assert (
        "mapping        ADM or APDM: a server that implements RFC 5780 would tell which"
        in shown(two)
    )
    assert "filtering      not known: none of these servers has a second address" in shown(two)
    one = shown(behind("adm/adf", ordinary[0]))
    assert one.startswith("UDP over IPv4: a NAT of unknown type\n")
    assert "mapping        not known: add a server at another address, or use one that" in one
    assert "nearest" not in one and "--nat" not in one
    cone = behind("eim/adf", *ordinary, ports=[SERVER, Endpoint(B, 3478)])
    assert shown(cone).startswith(
        "UDP over IPv4: full-cone, restricted-cone or port-restricted-cone\n"
    )


def test_where_nobody_answers() -> None:
    text = shown(behind("eim/eif", StunServer((C,))))
    assert text == (
        "UDP over IPv4: no answer\n\nservers\n  stun.example.net (198.51.100.1:3478)\n"
        "    UDP: no answer"
    )


def test_where_udp_is_blocked() -> None:
    blocked = behind("eim/eif", StunServer((C,)))
    working = behind("eim/eif")
    assert working.udp is not None
    result = CheckResult(
        4, contact=blocked.contact, tcp_contact=working.contact, tcp=working.udp.mapping
    )
    text = shown(result)
    assert "UDP over IPv4: no answer\n" in text and "UDP is blocked" in text
    assert "Switch         NAT type F" in text
    assert "TCP over IPv4: a NAT\n" in text


def test_problems_of_servers() -> None:
    result = CheckResult(6, problem="Network is unreachable")
    servers = [
        Server("one", {4: SERVER}),
        Server("two", {4: SERVER}),
        Server("six", {6: Endpoint("2001:db8::1", 3478)}),
        Server("none\x1b", problem="no address: Name or service not known"),
    ]
    text = "\n".join(lines(servers, [behind("eim/eif"), result], 80))
    assert "IPv6: nothing can be sent: Network is unreachable" in text
    assert "  two\n    is the same server as one" in text
    assert "  none\\x1b\n    no address: Name or service not known" in text


@pytest.mark.parametrize(
    ("lifetime", "said"),
    [
        (Lifetime(118.2, 120.4), "between 118 and 120 s without a packet"),
        (Lifetime(600), "more than 600 s without a packet"),
        (Lifetime(unknown="it is tired"), "not known: it is tired"),
    ],
)
def test_lifetimes(lifetime: Lifetime, said: str) -> None:
    result = behind("eim/eif")
    assert result.udp is not None
    changed = CheckResult(4, udp=replace(result.udp, lifetime=lifetime))
    text = "\n".join(lines([], [changed], 80))
    assert f"lifetime       {said}\n" in text
    assert fields([], [changed])["results"][0]["udp"]["lifetime"]["alive"] == lifetime.alive


def test_an_outside_address_that_is_private() -> None:
    result = behind("eim/eif")
    assert result.udp is not None and "is private" not in shown(result)
    (local, found), *rest = result.udp.mapping.seen
    inner = {remote: Endpoint("100.64.0.9", one.port) for remote, one in found.items()}
    mapping = replace(result.udp.mapping, seen=((local, inner), *rest))
    text = shown(replace(result, udp=replace(result.udp, mapping=mapping)))
    assert "note           the outside address is private: another NAT" in text
    assert "note           several outside addresses for one inside address" in text


def test_the_page_names_every_field() -> None:
    page = (ROOT / "docs" / "netcheck.md").read_text().partition("## JSON")[2]
    answer = fields([STUN], [behind("eim/eif")])
    (result,) = answer["results"]
    inner = (result["answers"]["udp"][0], result["udp"], result["udp"]["consoles"])
    for named in (answer, answer["servers"][0], result, *inner, Lifetime()._asdict()):
        assert [name for name in named if f"`{name}`" not in page] == []


WITHOUT = """
import socket, sys
for name in ("fcntl", "pwd", "grp", "termios", "resource", "curses", "pyroute2"):
    sys.modules[name] = None
for name in ("MSG_ERRQUEUE", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "SO_REUSEPORT"):
    delattr(socket, name)
import ratsnake.cli.netcheck
"""


def test_it_needs_nothing_that_only_linux_has() -> None:
    """Python says so by an exception."""
    subprocess.run([sys.executable, "-c", WITHOUT], check=True)


def test_json_of_a_real_check(capsys: pytest.CaptureFixture[str]) -> None:
    with running() as server:
        name = f"127.0.0.1:{server.ports[0]}"
        assert main(["netcheck", name, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["servers"] == [{"name": name, "ipv4": name, "ipv6": None, "problem": None}]
    (result,) = answer["results"]
    assert (result["version"], result["problem"]) == (4, None)
    udp = result["udp"]
    assert (udp["nat"], udp["mapping"], udp["filtering"], udp["types"]) == (
        False,
        ["EIM"],
        ["EIF"],
        [],
    )
    assert udp["consoles"] == {"switch": ["A"], "playstation": ["1"], "xbox": ["Open"]}
    assert result["tcp"]["nat"] is False
    other = f"127.0.0.2:{server.ports[1]}"
    assert result["answers"]["udp"] == [{"server": name, "failure": None, "other": other}]
