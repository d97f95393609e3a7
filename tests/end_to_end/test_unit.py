"""The systemd unit: systemd understands it, and a NAT as confined as it says works.

systemd itself is not started: its own programs read the unit, and setpriv(1) and libseccomp do to
the NAT what systemd would.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path

import pytest

from end_to_end.confined import settings
from end_to_end.harness import DEADLINE, greet, nice_values, readable, router_state, udp_pair, until
from end_to_end.other_user import NOBODY, own_view, tun_for_all
from ratsnake.daemon.control.control_client import ask
from ratsnake.daemon.loop.packet_loop_thread import NICE
from ratsnake.daemon.state import state_file
from ratsnake.host.nftables.source_guard import guards
from ratsnake.lab import EXTERNAL, LAN_PREFIX, Topology
from ratsnake.lab.topology import LAN_INTERFACE, ROUTER_WAN, WAN_INTERFACE

_FOLDER = Path(__file__).parents[2] / "contrib" / "systemd"
_UNIT = _FOLDER / "ratsnake.service"
_CONFINED = Path(__file__).with_name("confined.py")
_EXPOSURE = 25  # tenths: what systemd calls OK; a service without any of this has 96
_CONFIGURATION = f"""
[nat]
external = ["{EXTERNAL}"]
internal = ["{LAN_PREFIX}"]

[host]
lan = "{LAN_INTERFACE}"
wan = "{WAN_INTERFACE}"

[events]
sink = "FOLDER/run/events"

[state]
file = "FOLDER/run/state"
"""


def _done(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there, and without manual pages that are not."""
    lines = [
        re.sub(r"^(Exec\w+=\+?)ratsnake", rf"\1{sys.executable}", line)
        for line in _UNIT.read_text().splitlines(keepends=True)
        if not line.startswith("Documentation=")
    ]
    copy = tmp_path / _UNIT.name
    copy.write_text("".join(lines))
    return copy


def test_systemd_has_nothing_to_say_against_the_unit(
    unit: Path, program: Callable[[str], str]
) -> None:
    assert _done(program("systemd-analyze"), "verify", str(unit)) == ""


def test_systemd_finds_the_unit_confined(unit: Path, program: Callable[[str], str]) -> None:
    analyze = (program("systemd-analyze"), "security", "--no-pager", "--offline=true")
    _done(*analyze, f"--threshold={_EXPOSURE}", str(unit))


def test_systemd_makes_the_user_and_the_folder(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    (tmp_path / "etc").mkdir()
    root = f"--root={tmp_path}"
    _done(program("systemd-sysusers"), root, str(_FOLDER / "ratsnake.sysusers"))
    name, _, user, group, *_ = (tmp_path / "etc/passwd").read_text().strip().split(":")
    assert name == settings(_UNIT)["User"][0]
    _done(program("systemd-tmpfiles"), root, "--create", str(_FOLDER / "ratsnake.tmpfiles"))
    made = (tmp_path / "run/ratsnake").stat()
    assert (made.st_mode & 0o777, made.st_uid, made.st_gid) == (0o755, int(user), int(group))


@pytest.fixture
def folder(tmp_path: Path, program: Callable[[str], str]) -> Path:
    """Where the configuration lies, and nobody's runtime folder."""
    for needed in ("setpriv", "systemd-analyze"):
        program(needed)
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")
    if find_library("seccomp") is None:
        pytest.skip("libseccomp is not installed")
    (tmp_path / "ratsnake.toml").write_text(_CONFIGURATION.replace("FOLDER", str(tmp_path)))
    tmp_path.chmod(0o755)
    (tmp_path / "run").mkdir()
    os.chown(tmp_path / "run", NOBODY, NOBODY)
    return tmp_path


def _command(topology: Topology, folder: Path, name: str) -> subprocess.Popen[str]:
    """A command of the unit, such as ExecStart, as nobody in the router."""
    unit = settings(_UNIT)
    (names,) = unit["AmbientCapabilities"]
    held = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in names.split())
    (command,) = unit[name]
    argv = command.replace("/etc/ratsnake.toml", str(folder / "ratsnake.toml")).split()[1:]
    setpriv = ["--no-new-privs", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    setpriv += [f"--inh-caps=-all,{held}", f"--ambient-caps={held}", f"--bounding-set=-all,{held}"]

    def prepare() -> None:
        own_view(str(_CONFINED.parent), str(folder))
        tun_for_all()

    confined = [sys.executable, str(_CONFINED), str(_UNIT)]
    return topology.router.popen(
        ["setpriv", *setpriv, *confined, sys.executable, "-m", "ratsnake", *argv],
        cwd="/",
        env={
            "PATH": os.defpath,
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "NOTIFY_SOCKET": str(folder / "notify"),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    )


@contextmanager
def _confined(topology: Topology, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The service, once it has told a manager it is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        (folder / "notify").chmod(0o777)
        process = _command(topology, folder, "ExecStart")
        try:
            while not readable(manager, 0.1):
                assert process.poll() is None, process.communicate()
            assert manager.recv(4096).startswith(b"READY=1\n")
            yield process
        finally:
            process.kill()
            process.wait()


def test_the_nat_works_as_confined_as_the_unit_says(topology: Topology, folder: Path) -> None:
    before = router_state(topology)
    control = folder / "run" / "ratsnake" / "ratsnake.sock"
    with _confined(topology, folder) as process:
        with udp_pair(topology) as (near, far):
            greet(near, far)
        assert topology.router.run(guards) == {0}
        (status,) = ask(str(control), "status")
        assert status["counters"]["outbound"]["packets"] == 1
        events = folder / "run" / "events"
        until(lambda: b"mapping" in events.read_bytes(), "the mapping is in the events")
        threads = [one.read_text() for one in Path(f"/proc/{process.pid}/task").glob("*/status")]
        assert len(threads) == 4
        for state in threads:
            for line in ("CapPrm:\t0000000000000000", f"Uid:\t{NOBODY}\t", "Seccomp:\t2"):
                assert line in state
        assert NICE in nice_values(process.pid)
        process.terminate()
        _, log = process.communicate(timeout=DEADLINE)
        assert (process.returncode, "ERROR" in log) == (0, False), log
    saved = state_file.read(folder / "run" / "state", (NOBODY,))
    assert saved is not None and saved.count == 1
    assert not control.exists()
    assert router_state(topology) == before
    assert topology.router.run(guards) == frozenset()


def test_the_service_reloads_as_the_unit_says(topology: Topology, folder: Path) -> None:
    file, control = folder / "ratsnake.toml", folder / "run" / "ratsnake" / "ratsnake.sock"
    with _confined(topology, folder):
        with udp_pair(topology) as (near, far):
            external = greet(near, far)
            file.write_text(file.read_text() + "[types]\nnat = 'full-cone'\n")
            reloading = _command(topology, folder, "ExecReload")
            _, err = reloading.communicate(timeout=DEADLINE)
            assert (reloading.returncode, err) == (0, "")
            assert next(ask(str(control), "status"))["types"]["udp"] == "full-cone"
            assert greet(near, far) == external
        file.write_text(file.read_text() + "mtu = 1\n")
        reloading = _command(topology, folder, "ExecReload")
        _, err = reloading.communicate(timeout=DEADLINE)
        assert reloading.returncode == 2
        assert "types.mtu: is a key of [packets]; put it there" in err


def test_the_service_follows_an_address_as_confined_as_the_unit_says(
    topology: Topology, folder: Path
) -> None:
    """The helper is confined as well, and changes the routing all the same."""
    file, control = folder / "ratsnake.toml", folder / "run" / "ratsnake" / "ratsnake.sock"
    text = file.read_text().replace(f'"{EXTERNAL}"', '"interface:wan0"')
    file.write_text(text.replace("[host]\n", "[host]\nshare-address = true\n"))
    before = router_state(topology)

    def move(old: str, new: str) -> None:
        with topology.router.netlink() as netlink:
            (index,) = netlink.link_lookup(ifname="wan0")
            netlink.addr("del", index=index, address=old, prefixlen=24)
            netlink.addr("add", index=index, address=new, prefixlen=24)

    def has(address: str) -> bool:
        return bool(next(ask(str(control), "status"))["external"][0]["address"] == address)

    with _confined(topology, folder) as process:
        for old, new in ((ROUTER_WAN, "198.51.100.77"), ("198.51.100.77", ROUTER_WAN)):
            with udp_pair(topology) as (near, far):
                assert greet(near, far)[0] == old
                move(old, new)
                until(lambda address=new: has(address), "the NAT follows")  # type: ignore[misc]
                assert greet(near, far)[0] == new
        process.terminate()
        _, log = process.communicate(timeout=DEADLINE)
        assert (process.returncode, "ERROR" in log) == (0, False), log
    assert router_state(topology) == before
