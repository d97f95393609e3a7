"""Other settings for a NAT that runs: flows that may go on do not notice, the others end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from end_to_end.download import downloading
from end_to_end.harness import (
    DEADLINE,
    drops,
    greet,
    readable,
    router_state,
    rows,
    status,
    udp_pair,
    until,
)
from ratsnake.daemon.control.control_client import ask, ask_for_change
from ratsnake.daemon.user_errors import UsageError
from ratsnake.lab import EXTERNAL, EXTERNAL_2, RunningNat, Topology, nat
from ratsnake.lab.topology import ROUTER_WAN, WAN_INTERFACE

_SERVER = "192.0.2.130"  # LAN host 0
_FORWARD = f"tcp:8080={_SERVER}:80"


@pytest.fixture
def file() -> Iterator[Path]:
    """A configuration file where every user may read it."""
    with tempfile.TemporaryDirectory(prefix="ratsnake-reload-") as folder:
        os.chmod(folder, 0o755)
        file = Path(folder, "nat.toml")
        file.write_text("")
        file.chmod(0o644)
        yield file


@contextmanager
def _configured(
    topology: Topology, file: Path, text: str = "", *arguments: str
) -> Iterator[RunningNat]:
    file.write_text(text)
    with nat(topology, arguments=("--config", str(file), *arguments)) as running:
        yield running


def _reload(running: RunningNat, file: Path, text: str) -> dict[str, Any]:
    file.write_text(text)
    return ask_for_change(str(running.control), "reload", {}, lambda _: None)


def _typed(running: RunningNat, *command: str) -> tuple[int, str, str]:
    """Exit status and output of a command about the NAT."""
    done = subprocess.run(
        [sys.executable, "-m", "ratsnake", *command, "--control", str(running.control)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    return done.returncode, done.stdout, done.stderr


_SETTINGS = (
    "[timeouts]\ntcp-established = 7200\ntcp-opening = 30\n",
    "[types]\nnat = 'full-cone'\n",
    "[types]\nnat = 'quasi-restricted-cone'\n[limits]\nsessions = 5000\nmappings = 3000\n",
    "[types]\nnat = 'symmetric'\n[limits]\nhost-sessions = 100\nhost-rate = 50\n",
    "[types]\ntcp = 'eim/adf+random'\n[packets]\nmtu = 1400\ndecrement-ttl = true\n",
    "[nat]\npooling = 'arbitrary'\n[events]\nkinds = ['session']\n[limits]\nicmp-errors = 0\n",
    "",
)


_USERS = pytest.mark.parametrize("user", [(), ("--user", "nobody")], ids=["root", "nobody"])


@_USERS
def test_a_running_download_does_not_notice_reloads(
    topology: Topology, file: Path, user: tuple[str, ...]
) -> None:
    if user and os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")
    with _configured(topology, file, "", *user) as running, downloading(topology) as download:
        download.goes_on()
        (before,) = rows(running, "sessions")
        for number in range(2 * len(_SETTINGS)):
            carried = status(running)["counters"]["inbound"]["bytes"]
            row = _reload(running, file, _SETTINGS[number % len(_SETTINGS)])
            assert (row["kept"], row["ended"]) == (1, 0)
            download.goes_on()
            (after,) = rows(running, "sessions")
            assert after["external_port"] == before["external_port"]
            assert after["state"] == "established"
            assert status(running)["counters"]["inbound"]["bytes"] > carried
        assert not {"no-mapping", "not-syn", "filtered"} & set(drops(running))


def test_what_may_no_longer_be_ends_and_all_else_lives(topology: Topology, file: Path) -> None:
    text = f"[rules]\nforward = ['{_FORWARD}']\n"
    server = topology.hosts[0].namespace
    with (
        _configured(topology, file, text) as running,
        server.socket(socket.AF_INET, socket.SOCK_STREAM) as listener,
        topology.internet.socket(socket.AF_INET, socket.SOCK_STREAM) as client,
        udp_pair(topology) as (near, far),
    ):
        greet(near, far)
        listener.bind((_SERVER, 80))
        listener.listen()
        client.connect((EXTERNAL, 8080))
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(DEADLINE)
            client.sendall(b"through the forward")
            assert connection.recv(100) == b"through the forward"
            row = _reload(running, file, "[types]\nnat = 'full-cone'\n")
            assert (row["kept"], row["ended"]) == (1, 1)
            client.sendall(b"too late")
            until(lambda: bool(drops(running)), "what still comes is dropped")
            assert not readable(connection, 0)
            greet(near, far)


@pytest.mark.parametrize("by", ["command", "signal"])
def test_an_invalid_file_changes_nothing_and_says_why(
    topology: Topology, file: Path, by: str
) -> None:
    right = f"[rules]\nforward = ['{_FORWARD}']\n"
    wrong = right + "[types]\nnat = 'restrictd-cone'\n[timeouts]\nudp = 1\n"
    with _configured(topology, file, right) as running, udp_pair(topology) as (near, far):
        external = greet(near, far)
        before = {**status(running)["types"]}
        file.write_text(wrong)
        why = f"{file}: types.nat restrictd-cone: no such NAT type; did you mean restricted-cone?"
        if by == "command":
            assert _typed(running, "reload") == (2, "", f"ratsnake: error: {why}\n")
        else:
            running.process.send_signal(signal.SIGHUP)
        until(lambda: f"ERROR nothing is reloaded: {why}" in running.log(), "the log says why")
        assert status(running)["types"] == before
        assert greet(near, far) == external
        (session,) = rows(running, "sessions")
        assert session["expires"] > 100
        assert [row["forward"] for row in ask(str(running.control), "forwards")] == [_FORWARD]


def test_what_depends_on_the_host_is_looked_at_again(topology: Topology, file: Path) -> None:
    """The MTU of the way out; and of an address shared with the host the ports stay."""
    arguments = ("--wan", WAN_INTERFACE, "--share-address", "--config", str(file))
    with (
        nat(topology, external=[ROUTER_WAN], arguments=arguments) as running,
        udp_pair(topology) as (near, far),
    ):
        external = greet(near, far)
        (address,) = status(running)["external"]
        with topology.router.netlink() as netlink:
            (index,) = netlink.link_lookup(ifname=WAN_INTERFACE)
            netlink.link("set", index=index, mtu=1400)
        row = _reload(running, file, "[types]\nnat = 'full-cone'\n")
        assert (row["kept"], row["ended"]) == (1, 0)
        assert f"MTU 1400, as that of {WAN_INTERFACE}: the MSS of TCP is lowered to it" in "".join(
            row["notes"]
        )
        assert status(running)["external"] == [address]
        assert greet(near, far) == external


@_USERS
def test_the_routing_changes_with_the_settings(
    topology: Topology, file: Path, user: tuple[str, ...]
) -> None:
    before = router_state(topology)
    own = f"[rules]\none-to-one = ['{EXTERNAL_2}={topology.hosts[1].address}']\n"
    with _configured(topology, file, "", *user) as running, downloading(topology) as download:
        download.goes_on()
        plain = router_state(topology)
        row = _reload(running, file, own)
        assert (row["kept"], row["ended"], row["warnings"]) == (1, 0, [])
        download.goes_on()
        with udp_pair(topology, host=1) as (near, far):
            assert greet(near, far)[0] == EXTERNAL_2
        row = _reload(running, file, "")
        assert (row["kept"], row["ended"]) == (1, 1)
        download.goes_on()
        assert router_state(topology) == plain
        _reload(running, file, own)
    assert router_state(topology) == before


@_USERS
def test_what_the_host_refuses_changes_nothing(
    topology: Topology, file: Path, user: tuple[str, ...]
) -> None:
    """Somebody else has a route to the address."""
    with _configured(topology, file, "", *user) as running, udp_pair(topology) as (near, far):
        greet(near, far)
        with topology.router.netlink() as netlink:
            (index,) = netlink.link_lookup(ifname=WAN_INTERFACE)
            netlink.route("add", dst=f"{EXTERNAL_2}/32", oif=index)
        before = router_state(topology)
        file.write_text(f"[rules]\none-to-one = ['{EXTERNAL_2}={_SERVER}']\n")
        code, out, err = _typed(running, "reload")
        assert (code, out) == (1, "")
        command = f"cannot do `ip route add {EXTERNAL_2}/32 dev ratsnake scope link proto 82`: "
        assert f"ratsnake: error: {file}: {command}" in err
        assert router_state(topology) == before
        assert [one["address"] for one in status(running)["external"]] == [EXTERNAL]
        greet(near, far)


def _reaches(topology: Topology, listener: socket.socket) -> bool:
    """Whether a remote gets through to the server at once."""
    with topology.internet.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        client.connect_ex((EXTERNAL, 8080))
        if not readable(listener, 1.0):
            return False
        listener.accept()[0].close()
        return True


def test_a_forward_makes_a_service_reachable_at_once_and_its_removal_ends_it(
    topology: Topology, file: Path
) -> None:
    server = topology.hosts[0].namespace
    with (
        _configured(topology, file) as running,
        server.socket(socket.AF_INET, socket.SOCK_STREAM) as listener,
    ):
        listener.bind((_SERVER, 80))
        listener.listen()
        assert not _reaches(topology, listener)
        code, out, _ = _typed(running, "forward", "add", _FORWARD)
        assert (code, out.splitlines()[0]) == (0, f"{_FORWARD}: added")
        assert out.splitlines()[-1] == (
            f"This lasts until the next `ratsnake reload` or restart; --save writes it to {file}."
        )
        assert _reaches(topology, listener)
        listed = _typed(running, "forward", "list")[1].split()
        assert listed == ["FORWARD", "ORIGIN", _FORWARD, "live"]
        with topology.internet.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            client.connect((EXTERNAL, 8080))
            connection, _ = listener.accept()
            with connection:
                code, out, _ = _typed(running, "forward", "remove", _FORWARD)
                assert code == 0 and "removed" in out
                seen = sum(drops(running).values())
                client.sendall(b"too late")
                until(lambda: sum(drops(running).values()) > seen, "it is dropped")
                assert not readable(connection, 0)
        assert not _reaches(topology, listener)
        assert _typed(running, "forward", "add", _FORWARD)[0] == 0
        assert _reload(running, file, "")["changed"] == [
            {"key": "rules.forward", "old": [_FORWARD], "new": []}
        ]
        assert not _reaches(topology, listener)
        before = file.read_text()
        code, out, _ = _typed(running, "forward", "add", _FORWARD, "--save")
        assert (code, out.splitlines()[-1]) == (0, f"saved in {file}")
        assert file.read_text().startswith(before)
        assert _typed(running, "reload")[0] == 0
        assert _typed(running, "forward", "list")[1].split()[2:] == [_FORWARD, "configured"]
        assert _reaches(topology, listener)


def test_a_hang_up_of_all_reloads_the_nat_and_leaves_its_helper(
    topology: Topology, file: Path
) -> None:
    """As from a terminal or `systemctl kill`: every process of the run gets the signal."""
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")
    before = router_state(topology)
    with _configured(topology, file, "", "--user", "nobody") as running:
        process = running.process.pid
        (helper,) = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        file.write_text("[types]\nnat = 'full-cone'\n")
        for number in (int(helper), process):
            os.kill(number, signal.SIGHUP)
        until(lambda: status(running)["types"]["udp"] == "full-cone", "it is reloaded")
        file.chmod(0o600)
        os.kill(process, signal.SIGHUP)
        until(lambda: f"nothing is reloaded: {file}: user nobody may not" in running.log(), "why")
        with pytest.raises(UsageError, match=f"chgrp .* {file}; chmod 640 {file}"):
            _reload(running, file, "")
        assert Path(f"/proc/{helper}").exists()
        running.process.terminate()
        assert running.process.wait(DEADLINE) == 0
    assert router_state(topology) == before


def test_a_file_that_could_not_be_reloaded_is_told_at_the_start(
    topology: Topology, file: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")
    file.chmod(0o600)
    with _configured(topology, file, "", "--user", "nobody") as running:
        assert f"WARNING {file} cannot be reloaded: user nobody may not read it" in running.log()
