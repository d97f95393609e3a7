"""The guides, followed to the letter; then what they promise, looked at from outside."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from end_to_end.guide import GUIDES, HOST, Player, blocks, player
from end_to_end.harness import DEADLINE, greet, readable
from ratsnake.cli.main import COMMANDS, make_parser
from ratsnake.lab import EXTERNAL
from ratsnake.lab.topology import ROUTER_WAN

MAP_E = "192.0.2.18"
_COMMAND = re.compile(r" {4}(?:\$ )?(?:sudo )?(?:[\w./-]*/)?ratsnake ")


@pytest.fixture(autouse=True)
def what_guides_need(program: Callable[[str], str]) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: no mounts")
    for name in ("ip", "ping", "bash", "unshare", "nsenter"):
        program(name)


def followed(guide: str, who: Player) -> str:
    """What all of the guide printed."""
    return "".join(who.follow(block) for block in blocks(guide))


def seen_outside(who: Player, port: int = 7000) -> tuple[str, int]:
    """The external endpoint of a UDP exchange of the host's."""
    namespace = who.topology.hosts[0].namespace
    with namespace.socket() as near, who.topology.internet.socket() as far:
        far.bind((who.topology.remotes[0], port))
        near.connect(far.getsockname())
        for handle in (near, far):
            handle.settimeout(DEADLINE)
        return greet(near, far)


def test_a_nat_for_a_test_bed(tmp_path: Path) -> None:
    with player(tmp_path, EXTERNAL) as who:
        out = followed("nat-for-a-test-bed.md", who)
    assert f"seen outside as ('{EXTERNAL}', " in out
    assert "3 passed" in out
    assert "icmp  192.0.2.130:" in out


def test_home_router(tmp_path: Path) -> None:
    with player(tmp_path, EXTERNAL) as who:
        out = followed("home-router.md", who)
        assert f"# interface:wan0 is now {ROUTER_WAN}" in out
        assert f"icmp  {HOST}:" in out
        assert seen_outside(who)[0] == ROUTER_WAN
        new = "198.51.100.77"
        who.type(
            who.topology.router, f"ip address flush dev wan0; ip address add {new}/24 dev wan0"
        )
        while new not in (status := who.type(who.topology.router, "ratsnake status")):
            assert f"external      {ROUTER_WAN} of interface:wan0" in status
        assert seen_outside(who, 7001)[0] == new


def test_full_cone_for_games(tmp_path: Path) -> None:
    with player(tmp_path, EXTERNAL) as who:
        out = followed("full-cone-for-games.md", who)
        assert "udp=full-cone" in out and f"icmp  {HOST}:" in out
        assert f"its NAT type is full-cone, that of hosts in {HOST}/32 (host-nat)" in out
        assert 'udp = "port-restricted-cone"' in who.type(who.topology.router, "ratsnake check")
        host, internet = who.topology.hosts[0].namespace, who.topology.internet
        with host.socket() as near, internet.socket() as far, internet.socket() as stranger:
            far.bind((who.topology.remotes[0], 7000))
            stranger.bind((who.topology.remotes[1], 7001))
            near.sendto(b"hello", far.getsockname())
            far.settimeout(DEADLINE)
            external = far.recvfrom(100)[1]
            stranger.sendto(b"may I?", external)
            assert readable(near)


def test_many_subscribers(tmp_path: Path) -> None:
    with player(tmp_path, "203.0.113.0/24") as who:
        out = followed("many-subscribers.md", who)
        assert "port-block = 512" in out
        assert f"icmp  {HOST}:" in out
        assert seen_outside(who)[0] in ("203.0.113.1", "203.0.113.2")


def test_map_e_home_router(tmp_path: Path) -> None:
    with player(tmp_path, MAP_E) as who:
        out = followed("map-e-home-router.md", who)
        assert f"IPv4 address   {MAP_E}" in out
        assert "ip -6 address add 2001:db8:12:3400:0:c000:212:34/128 dev wan0" in out
        address, port = seen_outside(who)
        assert address == MAP_E
        assert (port >> 4) & 0xFF == 0x34  # its PSID


def flags_of(parser: argparse.ArgumentParser) -> set[str]:
    """The flags of a command, and of the commands below it."""
    found = {flag for action in parser._actions for flag in action.option_strings}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= {flag for below in action.choices.values() for flag in flags_of(below)}
    return found


@pytest.mark.parametrize(
    "page", [*GUIDES.glob("*.md"), *GUIDES.parent.glob("*.md")], ids=lambda page: str(page.name)
)
def test_every_command_of_the_documentation_is_one(page: Path) -> None:
    """Also of those that nobody runs: the command and its flags exist."""
    _, parsers = make_parser(COMMANDS)
    for line in page.read_text().replace("\\\n", " ").splitlines():
        shown = _COMMAND.match(line)
        if shown is None:
            continue
        command, *arguments = shlex.split(line[shown.end() :], comments=True)
        assert command in COMMANDS, line
        assert {one for one in arguments if one.startswith("--")} <= flags_of(parsers[command])
