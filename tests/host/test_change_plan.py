"""host/installation/change_plan.py: what is printed before it is done is what is done."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from shutil import which

import pytest
from machines import ADDRESSES, ADDRESSES_6, add_link, index, renew_link, router, state

from ratsnake.cli.main import main
from ratsnake.host.installation.install_changes import foresee, install, repair
from ratsnake.host.nftables.socket_match import MARK
from ratsnake.host.routing.routing_request import Request, RoutingError, Shared
from ratsnake.lab.namespace import Namespace

PLAIN = Request("nat0", ("lan0",), (IPv4Address("203.0.113.1"),), (IPv4Network("192.0.2.128/25"),))
IN_SUBNET = Request(
    "nat0",
    ("lan0",),
    (
        IPv4Address("203.0.113.1"),
        IPv4Address("198.51.100.200"),
        IPv6Address("2001:db8:2::9"),
    ),
    (IPv4Network("192.0.2.128/25"), IPv6Network("2001:db8:1::/64")),
    wan="wan0",
)
SHARING = replace(
    PLAIN,
    external=(IPv4Address("198.51.100.254"), IPv4Address("203.0.113.1")),
    shared=(
        Shared(
            IPv4Address("198.51.100.254"),
            ((6, ((1024, 9999),)), (17, ((7, 9),))),
            ((6, ((80, 80),)),),
        ),
    ),
)
REQUESTS = [PLAIN, IN_SUBNET, SHARING]


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with router(*ADDRESSES, *ADDRESSES_6) as namespace:
        yield namespace


def _type(commands: list[str]) -> None:
    commands = [command for line in commands for command in line.split(" && ")]
    for program in {command.split()[0] for command in commands}:
        if which(program) is None:
            pytest.skip(f"{program} is not installed (packages iproute2, procps, ethtool)")
    for command in commands:
        subprocess.run(shlex.split(command), check=True, stdout=subprocess.DEVNULL)


def _proxies(machine: Namespace) -> list[str]:
    found = state(machine)["proxies"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("request_", REQUESTS)
def test_to_type_the_plan_is_to_install_it(machine: Namespace, request_: Request) -> None:
    before = state(machine)
    foreseen = foresee(request_)
    left, plan = foreseen.left, foreseen.plan
    assert left.all() == ()
    assert state(machine) == before
    _type([str(step.change) for step in plan.steps])
    typed = state(machine)
    assert typed != before
    with router(*ADDRESSES, *ADDRESSES_6) as other:
        installed = install(request_)
        assert state(other) == typed
        assert installed.undo() == ()
        assert state(other) == before


def test_a_plan_needs_no_device(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        netlink.link("del", index=index(netlink, "nat0"))
    assert foresee(PLAIN).plan.steps
    with pytest.raises(RoutingError, match="--device nat0: no such interface"):
        install(PLAIN)


@pytest.mark.parametrize("request_", REQUESTS)
def test_what_a_killed_run_left_is_in_the_plan(machine: Namespace, request_: Request) -> None:
    install(request_)
    renew_link(machine, "nat0")
    killed = state(machine)
    foreseen = foresee(request_)
    left, plan = foreseen.left, foreseen.plan
    assert state(machine) == killed
    assert left.removals
    _type([*map(str, left.all()), *(str(step.change) for step in plan.steps)])
    typed = state(machine)
    renew_link(machine, "nat0")
    install(request_)
    assert state(machine) == typed


@pytest.mark.parametrize("request_", REQUESTS)
def test_repair_removes_all_that_killed_runs_left(machine: Namespace, request_: Request) -> None:
    for path in ("ipv4.ip_forward", "ipv6.conf.all.forwarding", "ipv6.conf.wan0.proxy_ndp"):
        machine.sysctl(f"net.{path}", 1)
    machine.sysctl("net.ipv4.icmp_errors_use_inbound_ifaddr", 1)
    before = state(machine)
    install(request_)
    renew_link(machine, "nat0")
    assert state(machine) != before
    assert repair()
    assert state(machine) == before
    assert repair() == ()


def test_repair_leaves_a_live_run_alone(machine: Namespace) -> None:
    install(IN_SUBNET)
    before = state(machine)
    assert repair() == ()
    assert state(machine) == before


def test_the_host_answers_for_addresses_of_the_wans_subnet_only(machine: Namespace) -> None:
    installed = install(IN_SUBNET)
    assert _proxies(machine) == ["198.51.100.200 wan0 82", "2001:db8:2::9 wan0 82"]
    assert machine.sysctl("net.ipv6.conf.wan0.proxy_ndp", 1) == "1"
    installed.undo()
    assert _proxies(machine) == []
    assert machine.sysctl("net.ipv6.conf.wan0.proxy_ndp", 0) == "0"


def test_an_answer_somebody_else_arranged_stays_his(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        netlink.neigh("add", dst="198.51.100.200", ifindex=index(netlink, "wan0"), flags=8)
    before = _proxies(machine)
    installed = install(IN_SUBNET)
    assert set(before) < set(_proxies(machine))
    installed.undo()
    assert _proxies(machine) == before


def test_undo_after_the_wan_has_gone(machine: Namespace) -> None:
    installed = install(IN_SUBNET)
    with machine.netlink() as netlink:
        netlink.link("del", index=index(netlink, "wan0"))
    assert installed.undo() == ()


def test_an_address_nobody_answers_for_is_a_warning(machine: Namespace) -> None:
    without = Request("nat0", ("lan0",), (IPv4Address("198.51.100.200"),), PLAIN.internal)
    (warning,) = install(without).warnings
    assert warning.startswith("198.51.100.200 lies in the subnet of wan0")
    assert warning.endswith("give --wan wan0")


def test_no_warning_where_somebody_answers_already(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        netlink.neigh("add", dst="198.51.100.200", ifindex=index(netlink, "wan0"), flags=8)
    without = Request("nat0", ("lan0",), (IPv4Address("198.51.100.200"),), PLAIN.internal)
    assert install(without).warnings == ()


def _way(destination: str, packet: str) -> str:
    """The interface the kernel would send the packet to: "lo" if it is for the host."""
    if which("ip") is None:
        pytest.skip("ip is not installed (package iproute2)")
    command = ["ip", "-json", "route", "get", destination, *packet.split()]
    (route,) = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return "lo" if route.get("type") == "local" else str(route["dev"])


REMOTE, INSIDE = "from 198.51.100.130 iif wan0", "from 192.0.2.130 iif lan0"


@pytest.mark.parametrize(
    ("packet", "way"),
    [
        ("ipproto tcp dport 80", "nat0"),
        ("ipproto tcp dport 1024", "nat0"),
        ("ipproto tcp dport 9999", "nat0"),
        ("ipproto tcp dport 10000", "lo"),
        ("ipproto tcp dport 22", "lo"),
        ("ipproto udp dport 8", "nat0"),
        ("ipproto udp dport 80", "lo"),
        ("ipproto icmp", "nat0"),
    ],
)
def test_a_shared_address_is_shared_by_port(machine: Namespace, packet: str, way: str) -> None:
    install(SHARING)
    assert _way("198.51.100.254", f"{REMOTE} {packet}") == way
    assert _way("198.51.100.254", f"{INSIDE} {packet}") == way
    assert _way("203.0.113.1", f"{REMOTE} {packet}") == "nat0"
    forwarded = packet == "ipproto tcp dport 80"
    assert _way("198.51.100.254", packet) == ("nat0" if forwarded else "lo")
    if packet != "ipproto icmp":
        marked = f"{REMOTE} {packet} mark {MARK}"
        assert _way("198.51.100.254", marked) == ("nat0" if forwarded else "lo")


def test_the_router_goes_to_its_forwards_as_one_of_the_lan(machine: Namespace) -> None:
    install(SHARING)
    command = "ip -json route get 198.51.100.254 ipproto tcp dport 80"
    (route,) = json.loads(subprocess.run(command.split(), check=True, capture_output=True).stdout)
    assert (route["dev"], route["prefsrc"]) == ("nat0", "192.0.2.129")


def test_without_an_address_inside_the_router_keeps_its_own_to_itself(machine: Namespace) -> None:
    """It could not send to the LAN by the NAT, which takes every other source for outside."""
    install(replace(SHARING, internal=(IPv4Network("10.0.0.0/8"),)))
    assert _way("198.51.100.254", "ipproto tcp dport 80") == "lo"


def test_a_kernel_that_cannot_look_up_sockets_is_warned_of(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratsnake.host.nftables.nft_expressions._SOCKET_TRANSPARENT", 99)
    before = state(machine)
    installed = install(SHARING)
    (warning,) = installed.warnings
    assert warning.startswith("this kernel's nftables cannot look up sockets")
    assert state(machine)["filters"] == before["filters"]
    assert _way("198.51.100.254", f"{REMOTE} ipproto tcp dport 1024") == "nat0"
    assert installed.undo() == ()
    assert state(machine) == before


def test_without_its_device_a_shared_address_is_the_hosts(machine: Namespace) -> None:
    install(SHARING)
    renew_link(machine, "nat0")
    for packet in ("ipproto tcp dport 80", "ipproto icmp"):
        assert _way("198.51.100.254", f"{REMOTE} {packet}") == "lo"


def test_the_last_to_share_puts_the_local_table_first_again(machine: Namespace) -> None:
    with machine.netlink() as netlink:
        add_link(netlink, "lan1")
        add_link(netlink, "nat1")
        netlink.addr("add", index=index(netlink, "wan0"), address="198.51.100.253", prefixlen=25)
    before = state(machine)["rules"]
    address = IPv4Address("198.51.100.253")
    shared = (replace(SHARING.shared[0], address=address),)
    other = Request("nat1", ("lan1",), (address,), PLAIN.internal, shared=shared)
    first, second = install(SHARING), install(other)
    assert first.undo() == ()
    packet = f"{REMOTE} ipproto tcp dport 80"
    assert _way("198.51.100.253", packet) == "nat1"
    assert _way("198.51.100.254", packet) == "lo"
    assert second.undo() == ()
    assert state(machine)["rules"] == before


def test_a_wan_that_is_still_to_come_is_a_warning(machine: Namespace) -> None:
    (warning,) = foresee(replace(PLAIN, wan="wan7")).plan.warnings
    assert warning.startswith("--wan wan7: no such interface yet (there are lan0, ")


def test_a_prefix_in_the_wans_subnet_is_refused(machine: Namespace) -> None:
    external = (IPv6Network("2001:db8:2:0:8000::/65"),)
    with pytest.raises(RoutingError, match="lies in the subnet of wan0.* routed to here"):
        foresee(Request("nat0", ("lan0",), external, (IPv6Network("2001:db8:1::/64"),), wan="wan0"))


FLAGS = ["--external", "203.0.113.1", "--internal", "192.0.2.128/25", "--device", "nat0"]


def test_the_command_prints_the_plan(
    machine: Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(machine)
    assert main(["host", "plan", "--lan", "lan0", *FLAGS]) == 0
    lines = capsys.readouterr().out.splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == [str(step.change) for step in foresee(PLAIN).plan.steps]
    assert "# inside stays inside" in lines
    assert max(map(len, lines)) <= 100
    assert state(machine) == before


def test_the_command_tells_which_address_an_interface_has(
    machine: Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--external", "interface:wan0", "--lan", "lan0", "--share-address", *FLAGS[2:]]
    assert main(["host", "plan", "--all", *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "# interface:wan0 is now 198.51.100.254" in lines
    assert any("to 198.51.100.254/32" in line for line in lines)
    assert main(["host", "plan", *(flag.replace("wan0", "ppp0") for flag in flags)]) == 1
    error = capsys.readouterr().err
    assert "--external interface:ppp0: there is no interface ppp0 (there are " in error


def test_the_command_needs_a_lan(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "plan", *FLAGS]) == 2
    assert "--lan IFACE is needed" in capsys.readouterr().err


def test_the_command_repairs(machine: Namespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "repair"]) == 0
    assert capsys.readouterr().out == "# nothing was left behind\n"
    install(PLAIN)
    renew_link(machine, "nat0")
    assert main(["host", "repair"]) == 0
    assert "ip rule del priority 21000 protocol 82\n" in capsys.readouterr().out


def test_the_command_tells_what_cannot_work(
    machine: Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*FLAGS, "--external", "198.51.100.254"]
    assert main(["host", "plan", "--lan", "lan0", *flags]) == 1
    assert "--external 198.51.100.254: is assigned to wan0" in capsys.readouterr().err
