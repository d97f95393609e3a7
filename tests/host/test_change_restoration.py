"""host/monitoring/change_restoration.py: what others take away of a run's changes is missed, and
made again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from shutil import which

import pytest
from machines import ADDRESSES, ADDRESSES_6, add_link, index, renew_link, router, state

from ratsnake.host.installation.install_changes import Installed, install
from ratsnake.host.kernel.kernel_state import KernelState
from ratsnake.host.monitoring.change_restoration import Look, Wanted, look_and_restore
from ratsnake.host.monitoring.runtime_checks import Known
from ratsnake.host.nftables.socket_match import SocketMatch
from ratsnake.host.nftables.source_guard import Guard
from ratsnake.host.routing.routing_request import Request, Shared
from ratsnake.lab.namespace import Namespace

OWN = IPv4Address("198.51.100.254")
PORTS = ((6, ((80, 80), (1024, 9999))), (17, ((7, 9),)))
PLAIN = Request(
    "nat0", ("lan0",), (IPv4Address("203.0.113.1"),), (IPv4Network("192.0.2.128/25"),), "wan0"
)
DUAL = replace(
    PLAIN,
    external=(*PLAIN.external, IPv4Address("198.51.100.200"), IPv6Address("2001:db8:2::9")),
    internal=(*PLAIN.internal, IPv6Network("2001:db8:1::/64")),
)
SHARING = replace(PLAIN, external=(OWN, *PLAIN.external), shared=(Shared(OWN, PORTS),))
REQUESTS = pytest.mark.parametrize("request_", [PLAIN, DUAL, SHARING], ids=["own", "dual", "share"])
EVERYTHING = Wanted(anew=True, filter=True)


@pytest.fixture
def machine() -> Iterator[Namespace]:
    if which("ip") is None:
        pytest.skip("ip is not installed (package iproute2)")
    with router(*ADDRESSES, *ADDRESSES_6) as namespace:
        yield namespace


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)


def _look(installed: Installed, known: Known | None = None, wanted: Wanted = EVERYTHING) -> Look:
    return look_and_restore(installed, known or Known(), wanted)


def _sorted(machine: Namespace) -> dict[str, object]:
    found = state(machine)
    assert isinstance(found["rules"], list)
    return {**found, "rules": sorted(found["rules"])}


@REQUESTS
def test_where_nothing_is_gone_nothing_is_done(machine: Namespace, request_: Request) -> None:
    installed = install(request_)
    there = state(machine)
    look = _look(installed)
    assert (look.restored, look.refused, look.adapted, look.problems) == ((), (), (), ())
    assert look.installed == installed
    assert state(machine) == there


@REQUESTS
def test_each_change_is_missed_and_made_again(machine: Namespace, request_: Request) -> None:
    from pyroute2 import IPRoute

    installed = install(request_)
    there = _sorted(machine)
    for change, before in installed.done:
        with IPRoute(strict_check=True) as netlink:
            assert change.in_force(KernelState(netlink)), change
            change.undo(netlink, before)
            if change.in_force(KernelState(netlink)):  # it was so before
                continue
        look = _look(installed)
        assert change in look.restored, change
        assert look.refused == ()
        assert _sorted(machine) == there, change
        installed = look.installed


@REQUESTS
@pytest.mark.parametrize(
    "commands",
    [
        ("ip rule flush",),
        ("ip rule flush", "ip -6 rule flush"),
        ("ip route flush proto 82", "ip -6 route flush proto 82"),
        ("ip route flush table 1000",),
        ("ip link set nat0 down",),
        ("ip link set nat0 down", "ip link set nat0 up"),
        ("ip link set wan0 down", "ip link set wan0 up"),
        ("sysctl -q net.ipv4.ip_forward=0", "sysctl -q net.ipv6.conf.all.forwarding=0"),
        ("sysctl -q net.ipv4.icmp_errors_use_inbound_ifaddr=0",),
        ("ip route replace 203.0.113.1 dev wan0",),
        ("ip route replace unreachable default table 1000",),
        ("ip address flush dev nat0",),
    ],
    ids=lambda commands: ";".join(commands),
)
def test_what_others_break_is_put_right(
    machine: Namespace, request_: Request, commands: tuple[str, ...]
) -> None:
    from pyroute2 import IPRoute

    installed = install(request_)
    for command in commands:
        _run(command)
    look = _look(installed)
    assert look.restored or "wan0" in commands[0]  # that has something of DUAL only
    assert look.refused == ()
    with IPRoute(strict_check=True) as netlink:
        kernel = KernelState(netlink)
        assert [
            str(change) for change, _ in look.installed.done if not change.in_force(kernel)
        ] == []
    again = _look(look.installed)
    assert again.restored == ()
    assert look.installed.undo() == ()


def test_an_interface_that_comes_anew_has_all_of_it_again(machine: Namespace) -> None:
    installed = install(DUAL)
    there = _sorted(machine)
    known = _look(installed).known
    renew_link(machine, "wan0")
    gone = _look(installed, known)
    for address in ("198.51.100.254/25", "2001:db8:2::fe/64"):
        _run(f"ip address add {address} dev wan0 nodad")
    look = _look(gone.installed, gone.known)
    assert _sorted(machine) == there
    assert look.problems == ()
    assert look.installed.undo() == ()


def test_without_being_asked_to_it_makes_nothing_again(machine: Namespace) -> None:
    installed = install(PLAIN)
    change = installed.done[-1][0]
    machine.sysctl("net.ipv4.ip_forward", 0)
    look = _look(installed, wanted=Wanted(but=frozenset((change,))))
    assert (look.restored, look.left) == ((), (change,))
    assert look.filtered is None


def _problems(installed: Installed, known: Known) -> list[str]:
    return [str(problem) for problem in _look(installed, known).problems]


def test_what_is_not_ours_is_told_with_the_command_that_helps(machine: Namespace) -> None:
    _run("ip route add default via 198.51.100.129 dev wan0")
    _run("ip -6 route add default via 2001:db8:2::1 dev wan0")
    installed = install(DUAL)
    look = _look(installed)
    assert look.problems == ()
    installed, known = look.installed, look.known
    for breaking, told in (
        (
            "ip route del default",
            "the default route of IPv4 is gone: nothing leaves by it: type "
            "`ip route add default via 198.51.100.129 dev wan0`",
        ),
        (
            "ip -6 route del default",
            "the default route of IPv6 is gone: nothing leaves by it: type "
            "`ip -6 route add default via 2001:db8:2::1 dev wan0`",
        ),
        (
            "ip rule del priority 32766",
            "no rule of IPv4 looks into the main table: no route there counts: type "
            "`ip rule add priority 32766 protocol kernel lookup main`",
        ),
        (
            "ip -6 rule del priority 0",
            "no rule of IPv6 looks into the local table: this host is cut off: type "
            "`ip -6 rule add priority 0 protocol kernel lookup local`",
        ),
        (
            "sysctl -q net.ipv4.conf.lan0.forwarding=0",
            "interface lan0 does not forward IPv4: type "
            "`sysctl -w net.ipv4.conf.lan0.forwarding=1`",
        ),
        ("ip link set lan0 down", "interface lan0 is down: type `ip link set lan0 up`"),
    ):
        _run(breaking)
        assert _problems(installed, known) == [told]
        _run(told.split("`")[1])
        assert _problems(installed, known) == []


def test_a_renamed_interface_is_told_of(machine: Namespace) -> None:
    installed = install(PLAIN)
    known = _look(installed).known
    for name, flag in (("lan0", "--lan"), ("wan0", "--wan")):
        _run(f"ip link set {name} name other0")
        told = f"interface {name} is now called other0, and this NAT has {flag} {name}"
        command = f"ip link set other0 name {name}"
        assert _problems(installed, known) == [f"{told}: type `{command}`"]
        _run(command)
        assert _problems(installed, known) == []
    with machine.netlink() as netlink:
        netlink.link("del", index=index(netlink, "lan0"))
    assert _problems(installed, known) == [
        "interface lan0 (--lan) is gone: it works again when it is back"
    ]
    with machine.netlink() as netlink:
        add_link(netlink, "lan0")
    assert _problems(installed, known) == []


def test_an_interface_that_never_was_is_not_there_yet(machine: Namespace) -> None:
    """And as the start says it, so the log has it once."""
    installed = install(replace(PLAIN, lans=("lan0", "br7"), wan="ppp7"))
    look = _look(installed)
    told = [problem for problem in look.problems if "no such interface yet" in problem.what]
    assert [problem.what.split(":")[0] for problem in told] == ["--lan br7", "--wan ppp7"]
    assert {problem.what for problem in told} <= set(installed.warnings)
    with machine.netlink() as netlink:
        add_link(netlink, "br7")
    again = _look(look.installed, look.known)
    (left,) = (problem for problem in again.problems if "no such interface yet" in problem.what)
    assert left.identity == told[1].identity  # though there are other interfaces by now
    with machine.netlink() as netlink:
        netlink.link("del", index=index(netlink, "br7"))
    gone = [problem.what for problem in _look(again.installed, again.known).problems]
    assert "interface br7 (--lan) is gone: it works again when it is back" in gone


def test_what_nftables_lacks_is_a_problem_until_it_has_it(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lack(change: object) -> str:
        return "No such file or directory"

    with monkeypatch.context() as kernel:
        kernel.setattr(SocketMatch, "lack", lack)
        kernel.setattr(Guard, "lack", lack)
        installed = install(SHARING)
        looks = [_look(installed, wanted=Wanted()), _look(installed, wanted=EVERYTHING)]
    for look in looks:
        assert [(problem.what.split(":")[0], problem.command) for problem in look.problems] == [
            (
                "this kernel refuses the guard of nftables (No such file or directory)",
                "modprobe -a nf_tables nft_fib_inet nft_counter",
            ),
            (
                "this kernel's nftables cannot look up sockets (nft_socket",
                "modprobe nft_socket",
            ),
        ]
        assert set(map(str, look.problems)) <= set(installed.warnings)
    look = _look(looks[0].installed, wanted=Wanted())
    assert look.problems == ()
    assert {type(change) for change in look.adapted} == {Guard, SocketMatch}
    assert look.installed.undo() == ()
