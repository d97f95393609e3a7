"""A NAT that gives up its privileges: it works, and what it changed is undone all the same."""

from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest

from end_to_end.harness import (
    DEADLINE,
    DEVICE,
    PLACES,
    greet,
    helper_of,
    nice_values,
    router_state,
    status,
    udp_pair,
)
from ratsnake.daemon.control.control_client import ask
from ratsnake.daemon.loop.packet_loop_thread import NICE
from ratsnake.daemon.user_errors import RunError
from ratsnake.host.processes.forked_call import STOP_SIGNALS, in_child
from ratsnake.host.processes.privileged_helper_process import NAME
from ratsnake.host.processes.process_privileges import Capability
from ratsnake.lab import Topology, nat

_NOBODY = 65534
_AS_NOBODY = ("--user", "nobody")


@pytest.fixture(autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: cannot become another user")


def _state(process: int | str) -> dict[str, str]:
    """What proc(5) calls the status of a process or thread."""
    lines = Path("/proc", str(process), "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _threads(process: int) -> list[dict[str, str]]:
    return [_state(f"{process}/task/{one}") for one in os.listdir(f"/proc/{process}/task")]


def test_no_thread_has_a_privilege(topology: Topology) -> None:
    with nat(topology, arguments=_AS_NOBODY) as running, udp_pair(topology) as (near, far):
        greet(near, far)
        threads = _threads(running.process.pid)
        assert len(threads) == 2
        for thread in threads:
            for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                assert int(thread[kind], 16) == 0
            assert thread["Uid"].split() == thread["Gid"].split() == [str(_NOBODY)] * 4
            assert thread["Groups"].split() in ([], [str(_NOBODY)])
            assert thread["NoNewPrivs"] == "1"
        assert NICE in nice_values(running.process.pid)
        assert running.control.stat().st_uid == _NOBODY


def test_the_helper_has_what_undoing_needs_and_nothing_of_the_nat(topology: Topology) -> None:
    with nat(topology, arguments=_AS_NOBODY) as running:
        helper = helper_of(running)
        (state,) = _threads(helper)
        kept = sum(1 << one for one in (Capability.NET_ADMIN, Capability.DAC_OVERRIDE))
        assert state["Name"] == NAME
        assert int(state["CapPrm"], 16) == int(state["CapEff"], 16) == kept
        assert state["NoNewPrivs"] == "1"
        opened = {os.readlink(entry) for entry in Path(f"/proc/{helper}/fd").iterdir()}
        assert "/dev/net/tun" not in opened
        sockets = {one[8:-1] for one in opened if one.startswith("socket:[")}
        # For orders, for news, and what the kernel tells of addresses, its tables and nftables.
        assert len(sockets) == 5
        for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet"):
            table = Path(f"/proc/{helper}/net/{kind}")
            assert sockets.isdisjoint(table.read_text().split() if table.exists() else ())


@pytest.mark.parametrize("external", PLACES)
def test_a_stop_undoes_everything(topology: Topology, external: str) -> None:
    before = router_state(topology)
    arguments = (*_AS_NOBODY, *PLACES[external])
    with nat(topology, external=[external], arguments=arguments) as running:
        helper = helper_of(running)
        for number in STOP_SIGNALS:  # as from a terminal, or from systemd: the helper waits
            os.kill(helper, number)
        assert status(running)["pid"] == running.process.pid
        running.process.terminate()
        assert running.process.wait(DEADLINE) == 0
        assert not running.control.exists()
        assert not Path(f"/proc/{helper}").exists()
        assert "ERROR" not in running.log()
    assert router_state(topology) == before


def _asked_by(path: Path, user: int, *groups: int) -> str:
    """What such a user is told who asks for the status: the device, or why not."""

    def ask_as() -> str:
        os.setgroups(groups)
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        try:
            (answer,) = ask(str(path), "status")
        except RunError as error:
            return str(error)
        return str(answer["device"])

    return in_child(ask_as)


def test_the_control_group_may_ask_and_others_may_not(topology: Topology) -> None:
    group = grp.getgrnam("daemon").gr_gid
    arguments = (*_AS_NOBODY, "--control-group", "daemon")
    with nat(topology, arguments=arguments) as running:
        path = running.control
        path.parent.chmod(0o755)
        assert (path.stat().st_uid, path.stat().st_gid) == (_NOBODY, group)
        assert path.stat().st_mode & 0o777 == 0o660
        assert _asked_by(path, 12345, group) == _asked_by(path, _NOBODY) == DEVICE
        assert "only root and the owner" in _asked_by(path, 12345)
        path.chmod(0o666)  # by a mistake of somebody's
        assert "the members of its control group may ask" in _asked_by(path, 12345)
        assert _asked_by(path, 12345, group) == DEVICE
