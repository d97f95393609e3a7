"""What others do to the host while a NAT runs: it is put right where it is the NAT's, else told."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from end_to_end.harness import DEADLINE, DEVICE, greet, router_state, rows, status, udp_pair, until
from end_to_end.second_lan import PREFIX, SecondLan
from ratsnake.lab import EXTERNAL, RunningNat, Topology, nat
from ratsnake.lab.topology import LAN_INTERFACE, LAN_PREFIX, ROUTER_WAN, WAN_INTERFACE

_IN_SUBNET = "198.51.100.200"
_SHARED = ("--share-address", "--wan", WAN_INTERFACE)
_MAIN_RULE = "ip rule add priority 32766 protocol kernel lookup main"


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: cannot change a router")


@contextmanager
def _nat(
    topology: Topology,
    *arguments: str,
    external: str = EXTERNAL,
    internal: Sequence[str] = (LAN_PREFIX,),
) -> Iterator[RunningNat]:
    more = [*arguments] if "--wan" in arguments else ["--wan", WAN_INTERFACE, *arguments]
    with nat(
        topology, "full-cone", external=[external], internal=internal, arguments=more
    ) as running:
        yield running


def _router(topology: Topology, *commands: str) -> str:
    """Typed on the router; returns what the last one says."""

    def run() -> str:
        said = ""
        for command in commands:
            done = subprocess.run(command.split(), check=True, capture_output=True, text=True)
            said = done.stdout
        return said

    return topology.router.run(run)


def _problems(running: RunningNat) -> list[str]:
    return [one["what"] for one in status(running)["host"]["problems"]]


def _restored(running: RunningNat) -> int:
    count: int = status(running)["host"]["restored"]
    return count


def _lan_works(topology: Topology) -> None:
    with udp_pair(topology) as (near, far):
        greet(near, far)


def _now(topology: Topology) -> dict[str, object]:
    """All but the settings, which end as they are if others have changed them."""
    return {**router_state(topology), "settings": None}


_BREAKING = {
    "flush rules": (
        "ip rule flush",
        _MAIN_RULE,
        "ip rule add priority 32767 protocol kernel lookup default",
    ),
    "flush our rules": ("ip rule flush protocol 82",),
    "flush our routes": ("ip route flush table all proto 82",),
    "flush the table": ("ip route flush table 1000",),
    "device down": (f"ip link set {DEVICE} down",),
    "device down and up": (f"ip link set {DEVICE} down", f"ip link set {DEVICE} up"),
    "route replaced": (f"ip route replace {EXTERNAL} dev {WAN_INTERFACE}",),
    "no forwarding": ("sysctl -q net.ipv4.ip_forward=0",),
    "no ICMP address": ("sysctl -q net.ipv4.icmp_errors_use_inbound_ifaddr=0",),
}


@pytest.mark.parametrize("breaking", list(_BREAKING))
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_what_others_undo_is_made_again(topology: Topology, breaking: str, shared: bool) -> None:
    if shared and breaking == "route replaced":
        breaking = "flush our routes"  # there is none of this address
    before = _now(topology)
    with _nat(
        topology,
        *(_SHARED if shared else ()),
        external=ROUTER_WAN if shared else EXTERNAL,
    ) as running:
        there = _now(topology)
        with udp_pair(topology) as (near, far):
            external = greet(near, far)
            _router(topology, *_BREAKING[breaking])
            until(lambda: _restored(running) > 0, "it is made again")
            until(lambda: _now(topology) == there, "all is as it was")
            assert greet(near, far) == external
        assert "others have undone what this NAT needs, and it is made again: `" in running.log()
        until(lambda: _problems(running) == [], "nothing is wrong")
    assert _now(topology) == before


def _told(running: RunningNat, what: str) -> None:
    until(lambda: any(what in one for one in _problems(running)), what)
    assert what in running.log()


def _right(running: RunningNat, what: str) -> None:
    until(lambda: not any(what in one for one in _problems(running)), f"solved: {what}")
    assert f"solved: {what}" in running.log()


@pytest.mark.parametrize("name", [LAN_INTERFACE, WAN_INTERFACE])
def test_an_interface_that_is_renamed_or_down(topology: Topology, name: str) -> None:
    with _nat(topology) as running:
        _router(topology, f"ip link set {name} name other0")
        _told(running, f"interface {name} is now called other0")
        _router(topology, f"ip link set other0 name {name}")
        _right(running, f"interface {name} is now called other0")
        _lan_works(topology)
        _router(topology, f"ip link set {name} down")
        _told(running, f"interface {name} is down")
        _router(topology, f"ip link set {name} up")
        _right(running, f"interface {name} is down")
        _lan_works(topology)


def test_a_wan_that_goes_and_comes_anew_is_answered_on(topology: Topology) -> None:
    """Its proxy ARP entry goes with the interface, and with somebody who deletes it."""
    with _nat(topology, external=_IN_SUBNET) as running:
        there = _now(topology)["answered for"]
        assert there
        for commands in (
            (f"ip neigh del proxy {_IN_SUBNET} dev {WAN_INTERFACE}",),
            (f"ip link set {WAN_INTERFACE} down", f"ip link set {WAN_INTERFACE} up"),
            (
                f"ip link set {WAN_INTERFACE} name old0",
                f"ip link add {WAN_INTERFACE} type veth peer name peer0",
                f"ip link set {WAN_INTERFACE} up",
                f"ip address add 198.51.100.254/24 dev {WAN_INTERFACE}",
            ),
        ):
            _router(topology, *commands)
            until(lambda: len(_now(topology)["answered for"]) == 1, "it is answered for")  # type: ignore[arg-type]
            until(lambda: _problems(running) == [], "nothing is wrong")


def test_docker_sets_forward_to_drop(topology: Topology, program: Callable[[str], str]) -> None:
    nft = program("nft")
    with _nat(topology) as running:
        _router(
            topology,
            f"{nft} add table ip filter",
            f"{nft} add chain ip filter FORWARD"
            " { type filter hook forward priority 0 ; policy drop ; }",
        )
        _told(running, "FORWARD")
        _router(topology, f"{nft} delete table ip filter")
        until(lambda: _problems(running) == [], "right again")
        _router(topology, f"{nft} flush ruleset")
        until(lambda: _restored(running) > 0, "the guard is there again")


def test_another_mtu_is_another_mss(topology: Topology) -> None:
    with _nat(topology) as running, udp_pair(topology) as (near, far):
        external = greet(near, far)
        _router(topology, f"ip link set {WAN_INTERFACE} mtu 1400")
        until(lambda: f"MTU 1400, as that of {WAN_INTERFACE}" in running.log(), "it is followed")
        until(lambda: _mss(topology) == 1360, "segments fit")
        assert greet(near, far) == external
        _router(topology, f"ip link set {WAN_INTERFACE} mtu 1500")
        until(lambda: _mss(topology) == 1460, "segments are as large as before")
        assert rows(running, "sessions")


def _mss(topology: Topology) -> int:
    """What the internet's side of a connection is told (TCP_MAXSEG, less the time stamps)."""
    with topology.internet.socket(kind=socket.SOCK_STREAM) as listener:
        listener.bind((topology.remotes[0], 0))
        listener.listen()
        listener.settimeout(DEADLINE)
        with topology.hosts[0].namespace.socket(kind=socket.SOCK_STREAM) as near:
            near.settimeout(DEADLINE)
            near.connect(listener.getsockname())
            far, _ = listener.accept()
            with far:
                return far.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) + 12


def test_there_is_no_fight(topology: Topology) -> None:
    with _nat(topology) as running:
        for _ in range(10):
            count = _restored(running)
            _router(topology, "sysctl -q net.ipv4.ip_forward=0")
            until(lambda count=count: _restored(running) > count, "it is made again")  # type: ignore[misc]
        _router(topology, "sysctl -q net.ipv4.ip_forward=0")
        _told(running, "others undo this NAT's changes again and again")
        assert _router(topology, "sysctl -n net.ipv4.ip_forward") == "0\n"
        assert _doctor(running)[0] == 0  # which looks, and ends the truce
        assert _router(topology, "sysctl -n net.ipv4.ip_forward") == "1\n"


def test_events_tell_of_it(topology: Topology, tmp_path: Path) -> None:
    log = tmp_path / "events"

    def told() -> list[str]:
        lines = log.read_text().splitlines() if log.exists() else []
        return [event["event"] for event in map(json.loads, lines) if "host" in event["event"]]

    with _nat(topology, "--events", str(log)) as running:
        _router(topology, "sysctl -q net.ipv4.ip_forward=0")
        until(lambda: told() == ["host-restored"], "it is told")
        _router(topology, f"ip link set {LAN_INTERFACE} down")
        _told(running, f"interface {LAN_INTERFACE} is down")
        until(lambda: told()[1:] == ["host-problem"], "it is told")
        _router(topology, f"ip link set {LAN_INTERFACE} up")
        until(lambda: told()[2:] == ["host-right"], "it is told")


def _doctor(running: RunningNat, *arguments: str) -> tuple[int, str]:
    """The exit status and what is said."""
    from ratsnake.cli.main import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["doctor", "--control", str(running.control), *arguments])
    return code, said.getvalue()


def test_the_doctor(topology: Topology) -> None:
    with _nat(topology) as running:
        assert _doctor(running) == (0, "nothing is wrong\n")
        _router(topology, f"ip link set {LAN_INTERFACE} down")
        told = f"interface {LAN_INTERFACE} is down"
        command = f"ip link set {LAN_INTERFACE} up"
        assert _doctor(running) == (1, f"{told}\n    {command}\n")
        code, said = _doctor(running, "--json")
        assert code == 1
        assert json.loads(said)["problems"] == [{"what": told, "command": command}]
        _router(topology, command)
        assert _doctor(running) == (0, "nothing is wrong\n")


def test_what_the_guard_drops_is_told(topology: Topology) -> None:
    """Here of another LAN whose addresses are inside, and which nobody has named."""
    with SecondLan(topology) as lan1, _nat(topology, internal=(LAN_PREFIX, PREFIX)) as running:
        assert status(running)["host"]["guard_dropped"] == 0
        with lan1.host.namespace.socket(kind=socket.SOCK_DGRAM) as near:
            near.sendto(b"untranslated", (topology.remotes[0], 9))
        _told(running, f"with an inside source was about to leave by {WAN_INTERFACE} untranslated")
        until(lambda: status(running)["host"]["guard_dropped"] == 1, "it is counted")
        code, said = _doctor(running)
        assert code == 1 and said.startswith("1 packet ") and "\n    ip rule\n" in said


def test_packets_to_sockets_of_the_host_are_counted(topology: Topology) -> None:
    with _nat(topology, *_SHARED, external=ROUTER_WAN) as running:
        with topology.router.socket(kind=socket.SOCK_DGRAM) as own:
            own.bind((ROUTER_WAN, 20000))
            own.settimeout(DEADLINE)
            with topology.internet.socket(kind=socket.SOCK_DGRAM) as far:
                far.sendto(b"for the router", own.getsockname())
            assert own.recv(100) == b"for the router"
        until(lambda: status(running)["host"]["own_sockets"] == 1, "it is counted")


def test_a_wan_that_comes_after_the_start_is_answered_on(topology: Topology) -> None:
    """And what is waited for is a problem until then."""
    _router(topology, f"ip link set {WAN_INTERFACE} name late0")
    before = _now(topology)
    with _nat(topology, external=_IN_SUBNET) as running:
        missing = f"--wan {WAN_INTERFACE}: no such interface yet"
        until(lambda: any(missing in one for one in _problems(running)), "it is waited for")
        code, said = _doctor(running)
        assert code == 1 and missing in said
        assert running.log().count(missing) == 1
        _router(topology, f"ip link set late0 name {WAN_INTERFACE}")
        until(lambda: len(_now(topology)["answered for"]) == 1, "it is answered for")  # type: ignore[arg-type]
        _right(running, missing)
        _lan_works(topology)
    _router(topology, f"ip link set {WAN_INTERFACE} name late0")
    assert _now(topology) == before
    _router(topology, f"ip link set late0 name {WAN_INTERFACE}")


def _typed(topology: Topology, *command: str) -> tuple[str, str]:
    """What a command says on the router: its output, and its warnings."""

    def run() -> tuple[str, str]:
        line = [sys.executable, "-m", "ratsnake", *command]
        done = subprocess.run(line, check=True, capture_output=True, text=True, timeout=DEADLINE)
        return done.stdout, done.stderr

    return topology.router.run(run)


def test_a_reload_that_names_other_interfaces_tells_nothing_of_those_it_leaves(
    topology: Topology, tmp_path: Path
) -> None:
    file = tmp_path / "nat.toml"
    file.write_text('[host]\nlan = ["lan0", "lan1"]\n')
    flags = ("--config", str(file), "--wan", WAN_INTERFACE)
    with (
        SecondLan(topology),
        nat(topology, internal=[LAN_PREFIX, PREFIX], lans=(), arguments=flags) as running,
    ):
        _router(topology, "ip link set lan1 down", "ip link set lan1 name lan9")
        _router(topology, "ip link set lan9 up")
        _told(running, "interface lan1 is now called lan9")
        _, warned = _typed(topology, "reload", "--control", str(running.control))
        assert "interface lan1 is now called lan9" in warned
        file.write_text('[host]\nlan = ["lan0", "lan9"]\n')
        _, warned = _typed(topology, "reload", "--control", str(running.control))
        assert "lan1" not in warned
        until(lambda: _problems(running) == [], "nothing is wrong")


def test_a_reload_makes_again_what_is_missing(topology: Topology, tmp_path: Path) -> None:
    """What others have undone too often is left, seen in the plan, and comes back by a reload."""
    file = tmp_path / "nat.toml"
    file.write_text("")
    with _nat(topology, "--config", str(file)) as running:
        plan = (
            *("host", "plan", "--config", str(file), "--device", DEVICE, "--lan", LAN_INTERFACE),
            *("--wan", WAN_INTERFACE, "--external", EXTERNAL, "--internal", LAN_PREFIX),
        )
        whole = _typed(topology, *plan)[0].splitlines()
        assert re.fullmatch(r"# (\d+) of \1 are in force", whole[-1])
        for _ in range(10):
            count = _restored(running)
            _router(topology, f"ip rule del iif {LAN_INTERFACE}")
            until(lambda count=count: _restored(running) > count, "it is made again")  # type: ignore[misc]
        _router(topology, f"ip rule del iif {LAN_INTERFACE}")
        _told(running, "others undo this NAT's changes again and again")
        said = _typed(topology, *plan)[0].splitlines()
        (at,) = [number for number, line in enumerate(said) if line.startswith("# MISSING: ")]
        missing = said[at + 1]
        assert f" iif {LAN_INTERFACE} lookup " in missing
        assert re.fullmatch(r"# 1 of \d+ is missing: `ratsnake reload` makes it again", said[-1])
        _, warned = _typed(topology, "reload", "--control", str(running.control))
        assert f"others had undone it, and it is made again: `{missing}`" in warned
        assert _typed(topology, *plan)[0].splitlines() == whole
        _lan_works(topology)
