"""However a NAT ends, and whichever of its two processes dies, the host is put right at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from end_to_end.harness import (
    DEADLINE,
    PLACES,
    helper_of,
    router_state,
    status,
    until,
)
from ratsnake.daemon.control.control_client import ask_for_change
from ratsnake.lab import EXTERNAL, LAN_PREFIX, RunningNat, Topology, nat
from ratsnake.lab.topology import ROUTER_WAN

DEADLY = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV)
_USERS = {"root": (), "nobody": ("--user", "nobody")}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root")


@pytest.fixture(autouse=True)
def no_core_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel writes one, it is to the folder a process works in."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("user", _USERS)
@pytest.mark.parametrize("external", PLACES)
@pytest.mark.parametrize("number", DEADLY)
def test_a_nat_that_is_killed_leaves_nothing(
    topology: Topology, user: str, external: str, number: signal.Signals
) -> None:
    """SIGABRT is the end of a process whose heap is broken too."""
    before = router_state(topology)
    arguments = (*_USERS[user], *PLACES[external])
    with nat(topology, external=[external], arguments=arguments) as running:
        assert router_state(topology) != before
        helper = helper_of(running)
        running.process.send_signal(number)
        assert running.process.wait(DEADLINE) == -number
        until(lambda: not Path(f"/proc/{helper}").exists(), "the helper ends")
        assert not running.control.exists()
        assert "the NAT is gone: undoing its changes to the host" in running.log()
    assert router_state(topology) == before


def test_a_kill_of_the_whole_group_leaves_nothing(topology: Topology) -> None:
    """As of a terminal, or a service manager that ends what it has started."""
    before = router_state(topology)
    with nat(topology) as running:
        helper = helper_of(running)
        assert os.getpgid(helper) == os.getsid(helper) == helper
        running.process.kill()
        running.process.wait(DEADLINE)
        until(lambda: not Path(f"/proc/{helper}").exists(), "the helper ends")
    assert router_state(topology) == before


def _end_after_its_helper(running: RunningNat) -> str:
    """Its log."""
    os.kill(helper_of(running), signal.SIGKILL)
    assert running.process.wait(DEADLINE) == 1
    assert not running.control.exists()
    return running.log()


@pytest.mark.parametrize("external", PLACES)
def test_a_root_nat_whose_helper_dies_ends_and_undoes_by_itself(
    topology: Topology, external: str
) -> None:
    before = router_state(topology)
    with nat(topology, external=[external], arguments=PLACES[external]) as running:
        log = _end_after_its_helper(running)
        assert "the process that was to undo this run's changes to the host has died" in log
        assert "Traceback" not in log and "cannot undo" not in log
    assert router_state(topology) == before


def test_a_nat_that_stays_root_begins_to_follow_an_address_by_a_reload(
    topology: Topology, tmp_path: Path
) -> None:
    before = router_state(topology)
    file = tmp_path / "nat.toml"
    text = f'[nat]\nexternal = [{{}}]\ninternal = ["{LAN_PREFIX}"]\n[host]\n'
    file.write_text(text.format(f'"{EXTERNAL}"'))
    other = "198.51.100.77"
    arguments = ["--config", str(file)]
    with nat(topology, external=(), internal=(), arguments=arguments) as running:
        file.write_text(text.format('"interface:wan0"') + "share-address = true\nwan = 'wan0'\n")
        ask_for_change(str(running.control), "reload", {}, lambda seconds: None)
        assert [one["address"] for one in status(running)["external"]] == [ROUTER_WAN]
        with topology.router.netlink() as netlink:
            (index,) = netlink.link_lookup(ifname="wan0")
            netlink.addr("del", index=index, address=ROUTER_WAN, prefixlen=24)
            netlink.addr("add", index=index, address=other, prefixlen=24)
        until(lambda: status(running)["external"][0]["address"] == other, "it follows")
        with topology.router.netlink() as netlink:
            netlink.addr("del", index=index, address=other, prefixlen=24)
            netlink.addr("add", index=index, address=ROUTER_WAN, prefixlen=24)
        until(lambda: status(running)["external"][0]["address"] == ROUTER_WAN, "it follows back")
    assert router_state(topology) == before


def test_a_nat_without_privileges_whose_helper_dies_ends_and_says_what_repairs(
    topology: Topology,
) -> None:
    with nat(topology, arguments=_USERS["nobody"]) as running:
        os.kill(helper_of(running), signal.SIGKILL)
        assert running.process.wait(DEADLINE) == 1
        assert "`ratsnake host repair` removes what it leaves" in running.log()
    with nat(topology) as running:
        assert status(running)["pid"] == running.process.pid


@pytest.mark.parametrize("arguments", [(), ("--user", "nobody")])
def test_a_helper_that_stands_still_holds_up_neither_status_nor_the_end(
    topology: Topology, arguments: Sequence[str]
) -> None:
    before = router_state(topology)
    with nat(topology, external=[EXTERNAL], arguments=arguments) as running:
        helper = helper_of(running)
        os.kill(helper, signal.SIGSTOP)
        assert status(running)["pid"] == running.process.pid
        running.process.terminate()
        assert running.process.wait(DEADLINE) == 0
        assert "does not answer (is it stopped?)" in running.log()
        os.kill(helper, signal.SIGCONT)
        until(lambda: not Path(f"/proc/{helper}").exists(), "the helper ends")
    assert router_state(topology) == before
