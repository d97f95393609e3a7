"""The host's side of a run: its routing follows an interface's address, and what a NAT may ask of
it."""

from __future__ import annotations

import json
import math
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from ratsnake.cli.argument_table import add_groups, texts
from ratsnake.cli.main import Parser
from ratsnake.daemon.configuration.configuration_file import Sources
from ratsnake.daemon.configuration.flag_table import RUN_GROUPS
from ratsnake.daemon.configuration.option_parsing import RunOptions, run_options
from ratsnake.daemon.configuration.placeholder_addresses import sources
from ratsnake.daemon.host_integration import host_setup_manager as module
from ratsnake.daemon.host_integration.helper_requests import ClientHostSetup, HelperHostSetup
from ratsnake.daemon.host_integration.host_setup_manager import HostSetup, State, chosen
from ratsnake.daemon.host_integration.host_values import NOTHING, HostValues, read_host_values
from ratsnake.daemon.host_integration.ports_in_use import CHANGE_SECONDS, PortsInUse
from ratsnake.daemon.host_integration.settings_for_host import fit
from ratsnake.daemon.user_errors import RunError
from ratsnake.host.kernel.interface_address import InterfaceAddress, look
from ratsnake.host.kernel.route_dump import PROTOCOL
from ratsnake.host.notifications.address_watch import AddressWatch
from ratsnake.host.routing.running_instances import shared_table
from ratsnake.host.sockets.listening_sockets import Bound
from ratsnake.lab.namespace import Namespace
from ratsnake.portset import PortSet

WAN = InterfaceAddress("wan0")
FIRST, SECOND = "198.51.100.7", "203.0.113.9"
FLAGS = ("--external", "interface:wan0", "--internal", "192.0.2.128/25", "--share-address")
HOST = ("--device", "nat0", "--lan", "lan0", "--wan", "wan0")


@pytest.fixture
def machine() -> Iterator[Namespace]:
    """A router: lan0, wan0 with an address, and nat0 where the TUN would be."""
    try:
        namespace = Namespace("machine")
    except OSError as error:
        pytest.skip(f"no network namespaces here: {error}")
    with namespace, namespace.entered():
        with namespace.netlink() as netlink:
            netlink.link("set", index=1, state="up")
            for name in ("lan0", "wan0", "nat0"):
                _link(netlink, "add", name)
        _address(namespace, "add", "192.0.2.129", "lan0")
        _address(namespace, "add", FIRST)
        yield namespace


def _link(netlink: Any, command: str, name: str) -> None:
    if command == "del":
        netlink.link("del", index=netlink.link_lookup(ifname=name)[0])
        return
    netlink.link("add", ifname=name, kind="veth", peer=f"{name}-peer")
    for end in (name, f"{name}-peer"):
        netlink.link("set", index=netlink.link_lookup(ifname=end)[0], state="up")


def _address(machine: Namespace, command: str, address: str, name: str = "wan0") -> None:
    with machine.netlink() as netlink:
        (index,) = netlink.link_lookup(ifname=name)
        netlink.addr(command, index=index, address=address, prefixlen=25)


def _options(*arguments: str) -> RunOptions:
    parser = Parser()
    add_groups(parser, RUN_GROUPS)
    return run_options(texts(parser.parse_args([*FLAGS, *arguments])))


def _host_setup(*arguments: str) -> HelperHostSetup:
    """As a start makes it."""
    options = _options(*arguments)
    watch = AddressWatch(sources(options.nat.settings))
    found = look(watch.wanted)
    watch.note(found)
    fitted = fit(options, HostValues(*chosen(found, {})))
    host_setup = HelperHostSetup(Sources({}, None), options, fitted.host_values, watch)
    host_setup.begin()
    return host_setup


@pytest.fixture
def host_setup(machine: Namespace) -> Iterator[HelperHostSetup]:
    made = _host_setup(*HOST)
    yield made
    made.close()


def _shared(machine: Namespace, protocol: int = 6) -> dict[str, list[tuple[int, int]]]:
    """Which ports the kernel's rules give to the NAT, by address."""
    shared: dict[str, list[tuple[int, int]]] = {}
    with machine.netlink() as netlink:
        for rule in netlink.get_rules(family=socket.AF_INET):
            ports = rule.get_attr("FRA_DPORT_RANGE")
            from_outside = rule.get_attr("FRA_IIFNAME") is None
            if ports and from_outside and rule.get_attr("FRA_IP_PROTO") == protocol:
                first, last = ports.split(":")
                shared.setdefault(rule.get_attr("FRA_DST"), []).append((int(first), int(last)))
    return shared


def _rules(machine: Namespace) -> list[str]:
    with machine.netlink() as netlink:
        rules = netlink.get_rules(family=socket.AF_INET)
        return [str(rule["attrs"]) for rule in rules]


def _attended(host_setup: HostSetup) -> HostValues:
    return read_host_values(host_setup.attend())


def test_nothing_heard_is_no_news(machine: Namespace, host_setup: HostSetup) -> None:
    assert host_setup.attend() == ""
    _address(machine, "add", "192.0.2.130", "lan0")
    assert host_setup.attend() == ""


@pytest.mark.parametrize("order", ["new first", "old first"])
def test_the_routing_follows(machine: Namespace, host_setup: HostSetup, order: str) -> None:
    """Whichever a DHCP client does first."""
    before = _shared(machine)
    assert before.keys() == {FIRST}
    changes = [("add", SECOND), ("del", FIRST)]
    for command, address in changes if order == "new first" else reversed(changes):
        _address(machine, command, address)
    host_values = _attended(host_setup)
    assert host_values == host_setup.host_values
    assert {str(one) for one in host_values.addresses.values()} == {SECOND} and not host_values.lost
    assert _shared(machine) == {SECOND: before[FIRST]}
    assert host_setup.attend() == ""


def test_a_second_address_beside_is_none_of_its_business(
    machine: Namespace, host_setup: HostSetup
) -> None:
    before = _rules(machine)
    _address(machine, "add", SECOND)
    assert host_setup.attend() == ""
    assert _rules(machine) == before


def test_while_there_is_none_the_last_one_stays(machine: Namespace, host_setup: HostSetup) -> None:
    before = _rules(machine)
    _address(machine, "del", FIRST)
    lost = _attended(host_setup)
    assert str(lost.addresses[WAN]) == FIRST
    assert lost.lost == {WAN: "wan0 has no IPv4 address"}
    _address(machine, "add", FIRST)
    back = _attended(host_setup)
    assert str(back.addresses[WAN]) == FIRST and not back.lost
    assert _rules(machine) == before


def test_an_interface_that_goes_and_comes_back(machine: Namespace, host_setup: HostSetup) -> None:
    """As PPP does when it connects anew: with another index."""
    with machine.netlink() as netlink:
        _link(netlink, "del", "wan0")
    assert _attended(host_setup).lost[WAN].startswith("there is no interface wan0 (there are lan0")
    with machine.netlink() as netlink:
        _link(netlink, "add", "wan0")
    _address(machine, "add", SECOND)
    assert str(_attended(host_setup).addresses[WAN]) == SECOND
    assert _shared(machine).keys() == {SECOND}


def test_ports_of_programs_that_came_meanwhile_stay_the_hosts(
    machine: Namespace, host_setup: HostSetup
) -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 2000))
        listener.listen()
        _address(machine, "add", SECOND)
        _address(machine, "del", FIRST)
        host_setup.attend()
    assert (1024, 1999) in _shared(machine)[SECOND]


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("192.0.2.200", "lies inside the internal prefix 192.0.2.128/25"),
        ("192.0.2.2", "asks for the status"),
    ],
)
def test_an_address_the_nat_cannot_have_is_told_and_the_old_one_stays(
    machine: Namespace,
    host_setup: HostSetup,
    address: str,
    problem: str,
) -> None:
    before = _rules(machine)
    _address(machine, "add", address)
    _address(machine, "del", FIRST)
    host_values = _attended(host_setup)
    assert str(host_values.addresses[WAN]) == FIRST and problem in host_values.lost[WAN]
    assert _rules(machine) == before
    _address(machine, "add", SECOND)
    _address(machine, "del", address)
    assert str(_attended(host_setup).addresses[WAN]) == SECOND


def test_what_the_host_refuses_is_told_and_the_old_state_stays(
    machine: Namespace, host_setup: HostSetup
) -> None:
    with machine.netlink() as netlink:
        (lan,) = netlink.link_lookup(ifname="lan0")
        netlink.route("add", dst=f"{SECOND}/32", table=shared_table(0), oif=lan, scope=253)
    before = _rules(machine)
    _address(machine, "add", SECOND)
    _address(machine, "del", FIRST)
    host_values = _attended(host_setup)
    assert str(host_values.addresses[WAN]) == FIRST
    assert host_values.lost[WAN].startswith(f"cannot do `ip route add {SECOND}/32 dev nat0")
    assert _rules(machine) == before


def test_a_look_that_fails_is_told_and_the_next_one_finds_it(
    machine: Namespace,
    host_setup: HostSetup,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(wanted: object) -> None:
        raise BlockingIOError("no process to be had")

    with monkeypatch.context() as patched:
        patched.setattr(module, "look", fails)
        _address(machine, "add", SECOND)
        _address(machine, "del", FIRST)
        assert host_setup.attend() == ""
    assert "cannot be looked up: no process to be had" in caplog.text
    assert host_setup.due() - time.monotonic() <= module.RETRY_SECONDS
    monkeypatch.setattr(host_setup, "_again", 0.0)
    assert str(_attended(host_setup).addresses[WAN]) == SECOND
    assert host_setup.attend() == ""


def test_in_the_end_all_of_it_is_undone(machine: Namespace) -> None:
    before = _rules(machine)
    host_setup = _host_setup(*HOST)
    assert _rules(machine) != before
    _address(machine, "add", SECOND)
    _address(machine, "del", FIRST)
    host_setup.attend()
    assert host_setup.undo() == ()
    assert _rules(machine) == before
    host_setup.close()


def test_another_process_undoes_what_is_recorded(machine: Namespace) -> None:
    before = _rules(machine)
    host_setup = _host_setup(*HOST)
    _address(machine, "add", SECOND)
    _address(machine, "del", FIRST)
    host_setup.attend()
    other = HostSetup(host_setup.state.options, NOTHING, AddressWatch([]))
    other.recall(host_setup.record())
    assert other.undo() == ()
    assert _rules(machine) == before
    for one in (host_setup, other):
        one.close()


@pytest.mark.parametrize("begins", [False, True])
def test_to_begin_or_end_with_routing_takes_a_restart(machine: Namespace, begins: bool) -> None:
    plain = {"external": ["203.0.113.9"], "internal": ["192.0.2.128/25"], "device": "nat0"}
    before, after = Sources(plain, None).read(), Sources({**plain, "lan": ["lan0"]}, None).read()
    if not begins:
        before, after = after, before
    host_setup = HostSetup(before.options, NOTHING, AddressWatch([]))
    host_setup.begin()
    fitted = host_setup.fit(after.options, anew=True)
    with pytest.raises(RunError, match="--lan: cannot be given or left out while the NAT runs"):
        host_setup.become(State(after.options, fitted.host_values), fitted.options)
    assert host_setup.undo() == ()
    host_setup.close()


def test_without_routing_it_only_tells(machine: Namespace) -> None:
    options = ("--external", "203.0.113.1")
    parser = Parser()
    add_groups(parser, RUN_GROUPS)
    flags = ["--external", "interface:wan0", *options]
    made = run_options(texts(parser.parse_args(flags)))
    watch = AddressWatch([WAN])
    host_setup = HostSetup(made, HostValues(*chosen(look([WAN]), {})), watch)
    _address(machine, "add", SECOND)
    _address(machine, "del", FIRST)
    assert str(_attended(host_setup).addresses[WAN]) == SECOND
    assert host_setup.undo() == ()
    with machine.netlink() as netlink:
        assert not [r for r in netlink.get_rules() if r.get_attr("FRA_PROTOCOL") == PROTOCOL]
    host_setup.close()


def _asked(host_setup: HelperHostSetup, *forwards: str) -> str:
    """Why it is refused, if it is."""
    for question in ({"forwards": forwards}, {"go": None}):
        answer = json.loads(host_setup.answer(json.dumps(question), math.inf))
        if "error" in answer:
            return str(answer["error"])
    return ""


def test_forwards_get_ports_nobody_has(machine: Namespace, host_setup: HelperHostSetup) -> None:
    own = _shared(machine)[FIRST]
    assert _asked(host_setup, "tcp:80=192.0.2.130:8080", "udp:81=192.0.2.130") == ""
    assert sorted(_shared(machine)[FIRST]) == sorted([*own, (80, 80)])
    assert (81, 81) in _shared(machine, 17)[FIRST]
    _address(machine, "add", SECOND)
    _address(machine, "del", FIRST)
    host_setup.attend()
    assert sorted(_shared(machine)[SECOND]) == sorted([*own, (80, 80)])
    assert _asked(host_setup) == ""
    assert _shared(machine)[SECOND] == own


@pytest.mark.parametrize("ports", ["22", "20-30", "40000", "65000-65535"])
def test_forwards_get_no_port_of_the_hosts(
    machine: Namespace, host_setup: HelperHostSetup, ports: str
) -> None:
    """Who took over the NAT would read what is meant for the host's programs and connections."""
    before = _rules(machine)
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 22))
        listener.listen()
        assert f"of {FIRST} are this host's" in _asked(host_setup, f"tcp:{ports}=192.0.2.130")
    assert _rules(machine) == before


def test_forwards_that_were_there_from_the_start_keep_their_ports(machine: Namespace) -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 22))
        listener.listen()
        host_setup = _host_setup(*HOST, "--forward", "tcp:22=192.0.2.130")
        assert (22, 22) in _shared(machine)[FIRST]
        assert _asked(host_setup, "tcp:22=192.0.2.130", "tcp:80=192.0.2.130") == ""
    host_setup.close()


def test_what_was_prepared_for_a_host_that_changed_is_prepared_again(
    machine: Namespace, host_setup: HelperHostSetup
) -> None:
    assert "notes" in host_setup.answer('{"forwards": ["tcp:80=192.0.2.130"]}', math.inf)
    _address(machine, "add", SECOND)
    _address(machine, "del", FIRST)
    host_setup.attend()
    assert json.loads(host_setup.answer('{"go": null}', math.inf))["again"] is True


def test_what_nobody_waits_for_any_more_is_taken_back(
    machine: Namespace, host_setup: HelperHostSetup
) -> None:
    before = _rules(machine)
    assert "notes" in host_setup.answer('{"forwards": ["tcp:80=192.0.2.130"]}', math.inf)
    assert "took too long, and is taken back" in host_setup.answer('{"go": null}', 0.0)
    assert _rules(machine) == before


def test_what_is_taken_back_gives_no_port_that_a_program_has_by_now(
    machine: Namespace, host_setup: HelperHostSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "notes" in host_setup.answer('{"forwards": ["tcp:80=192.0.2.130"]}', math.inf)
    assert "host_values" in host_setup.answer('{"go": null}', math.inf)
    (before,) = host_setup.host_values.shares.values()
    left = before.without(((7, 7),))
    shares = {key: PortSet(left) for key in host_setup.host_values.shares}
    monkeypatch.setattr(
        host_setup,
        "state",
        replace(host_setup.state, host_values=replace(host_setup.host_values, shares=shares)),
    )
    assert "host_values" in host_setup.answer('{"back": null}', math.inf)
    assert host_setup.host_values.shares == shares
    assert all(not first <= 7 <= last for first, last in _shared(machine)[FIRST])


def test_what_an_answer_has_found_is_told_afterwards(
    machine: Namespace, host_setup: HelperHostSetup
) -> None:
    assert host_setup.attend() == ""
    host_setup._follow_mtu({"wan0": 1400, "lan0": 1500})  # as a look does that is asked for
    assert _attended(host_setup).mtu == 1400
    assert host_setup.attend() == ""


_QUESTIONS = """

x
[]
{}
{"go": 1}
{"begin": 1, "go": 1}
{"reload": 1}
{"reload": 1, "go": 1}
{"forwards": 7}
{"forwards": [7]}
{"forwards": ["ssh"]}
{"forwards": ["tcp:80=203.0.113.77"]}
{"forwards": ["tcp:9.9.9.9:80=192.0.2.130"]}
"""


@pytest.mark.parametrize("question", [*_QUESTIONS.splitlines(), "[" * 200_000])
def test_whatever_it_is_asked_it_goes_on(
    machine: Namespace, host_setup: HelperHostSetup, question: str
) -> None:
    before = _rules(machine)
    assert json.loads(host_setup.answer(question, math.inf))["error"]
    assert _rules(machine) == before


class FakeHelper:
    """Has told these lines, and answers so."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.answers: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def news(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines

    def ask(self, question: str, seconds: float) -> str:
        self.asked.append(question)
        return json.dumps(self.answers.pop(0))


def _host_values(address: str, serial: int) -> HostValues:
    return HostValues({WAN: IPv4Address(address)}, serial=serial)


def test_of_the_news_the_last_counts_unless_an_answer_was_later() -> None:
    helper = FakeHelper()
    host = ClientHostSetup(_host_values(FIRST, 0), helper)  # type: ignore[arg-type]
    first, second, third = (_host_values(FIRST, 1), _host_values(SECOND, 2), _host_values(FIRST, 3))
    assert host.news() is None
    helper.lines = [first.line(), second.line()]
    assert host.news() == second == host.host_values
    helper.lines = [third.line()]
    helper.answers = [{"host_values": _host_values(SECOND, 4).line()}]
    host.change_back()
    assert host.news() is None
    assert host.host_values.serial == 4 and host.host_values == second
    helper.answers = [{"error": "no"}]
    with pytest.raises(RunError, match="^no$"):
        host.change_back()


class _Programs:
    """What takes ports on the machine, and a clock that only tests move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.bound: set[Bound] = set()
        ports = PortsInUse(lambda: self.now, lambda: frozenset(self.bound))
        monkeypatch.setattr(module, "PortsInUse", lambda: ports)

    def take(self, host_setup: HelperHostSetup, *ports: int) -> str:
        """Keep the ports: what the NAT is told, "" for nothing."""
        self.bound |= {(None, port) for port in ports}
        told = ""
        for _ in range(2):
            self.now += CHANGE_SECONDS
            told = host_setup.attend() or told
        return told


def test_a_port_that_a_program_keeps_is_the_hosts(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = _Programs(monkeypatch)
    host_setup = _host_setup(*HOST, "--ports", "8000-8009")
    assert programs.take(host_setup, 22, 9000) == ""
    host_values = read_host_values(programs.take(host_setup, 8004))
    assert [str(left) for left in host_values.shares.values()] == ["8000-8003,8005-8009"]
    assert sorted(_shared(machine)[FIRST]) == [(8000, 8003), (8005, 8009)]
    host_setup.close()


def test_a_program_that_leaves_the_nat_no_port_gets_none(
    machine: Namespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    programs = _Programs(monkeypatch)
    host_setup = _host_setup(*HOST, "--ports", "8000-8001")
    before = host_setup.host_values
    for _ in range(3):
        assert programs.take(host_setup, 8000, 8001) == ""
    assert host_setup.host_values == before
    assert _shared(machine)[FIRST] == [(8000, 8001)]
    (message,) = caplog.messages
    assert message.startswith("the ports of shared addresses stay as they are: --ports 8000-8001")
    host_setup.close()
