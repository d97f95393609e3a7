"""daemon/host_integration/settings_for_host.py: settings that depend on what the host has."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from ratsnake.cli.argument_table import add_groups, texts
from ratsnake.cli.main import Parser
from ratsnake.daemon.configuration.flag_table import RUN_GROUPS
from ratsnake.daemon.configuration.option_parsing import RunOptions, run_options
from ratsnake.daemon.host_integration import settings_for_host
from ratsnake.daemon.host_integration.host_values import HostValues, fitted_options
from ratsnake.daemon.host_integration.settings_for_host import Fitted, fit, request_of
from ratsnake.daemon.user_errors import RunError, UsageError
from ratsnake.host.kernel.interface_address import InterfaceAddress
from ratsnake.host.sockets.host_addresses_and_ports import Survey, survey
from ratsnake.lab.namespace import Namespace

ADDRESS = "198.51.100.254"
HOST = Survey(
    assigned=frozenset((IPv4Address(ADDRESS), IPv4Address("192.168.1.1"))),
    ephemeral=(32768, 60999),
    reserved=((40000, 40009),),
    bound=frozenset(
        ((None, 22), (None, 8080), (IPv4Address(ADDRESS), 5000), (IPv4Address("192.168.1.1"), 53))
    ),
    mtus={"br0": 1500, "ppp0": 1454, "wan0": 1500, "tiny": 300},
)
SHARE = ("--share-address", "--lan", "br0")


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_for_host, "survey", lambda: HOST)


def options(*arguments: str, external: str = ADDRESS) -> RunOptions:
    parser = Parser()
    add_groups(parser, RUN_GROUPS)
    return run_options(texts(parser.parse_args(["--external", external, *arguments])))


def fitted(*arguments: str, external: str = ADDRESS) -> Fitted:
    return fit(options(*arguments, external=external))


def ports(fitted: Fitted) -> str:
    return str(fitted.options.nat.settings.externals[0].ports)


def test_the_host_keeps_the_ports_it_uses() -> None:
    result = fitted(*SHARE)
    (external,) = result.options.nat.settings.externals
    assert external.shared
    nat = "1024-4999,5001-8079,8081-32767,40000-40009,61000-65534"
    assert str(external.ports) == nat
    assert result.notes == (
        f"{ADDRESS} is shared: the NAT has ports {nat}, this host "
        "1-1023,5000,8080,32768-39999,40010-60999,65535",
    )
    assert result.warnings == ()


def test_what_is_not_assigned_is_not_shared() -> None:
    result = fitted(*SHARE, external="203.0.113.1")
    assert not result.options.nat.settings.externals[0].shared
    assert ports(result) == "1024-65535"
    (warning,) = result.warnings
    assert "no external IPv4 address is assigned" in warning


def test_unasked_nothing_is_shared() -> None:
    assert fitted("--lan", "br0") == Fitted(options("--lan", "br0"))


def test_the_kernels_rules_are_asked_by_protocol_and_port() -> None:
    result = fitted(*SHARE, "--forward", "tcp:80=192.168.1.9:80")
    (shared,) = request_of(result.options).shared
    assert shared.address == IPv4Address(ADDRESS)
    own = result.options.nat.settings.externals[0].ports
    assert own is not None
    assert dict(shared.ports) == dict.fromkeys((6, 17, 136, 33, 132), own.ranges)
    assert shared.forwarded == ((6, ((80, 80),)),)


def test_a_forward_that_takes_a_port_in_use_is_a_warning() -> None:
    result = fitted(*SHARE, "--forward", "tcp:22=192.168.1.9:22")
    (warning,) = result.warnings
    assert "takes port 22 of 198.51.100.254 from a program of this host" in warning


def test_published_ports_are_left_out_and_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    published = replace(HOST, published=((2000, 2009), (81, 81)))
    monkeypatch.setattr(settings_for_host, "survey", lambda: published)
    result = fitted(*SHARE, "--forward", "tcp:81=192.168.1.9:81")
    assert ports(result).startswith("1024-1999,2010-4999,")
    (warning,) = result.warnings
    assert warning.endswith("destination NAT of this host (nftables) has port 81, and comes first")


def test_programs_that_keep_ports_are_all_that_counts_once_they_are_known() -> None:
    taken = frozenset([(IPv4Address(ADDRESS), 2000)])
    result = fit(options(*SHARE), taken=taken)
    assert ports(result) == "1024-1999,2001-32767,40000-40009,61000-65534"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ports", "50000-50999"], "--ports 50000-50999: all of them are this host's own.*"),
        (["--forward", "tcp:65535=192.168.1.9:22"], "port 65535 of .* cannot be shared"),
        (
            ["--ports", "30000-33000", "--port-block", "3000"],
            "--share-address leaves too few ports: port-block: 3000 is more than the 2768 ports",
        ),
    ],
)
def test_what_leaves_nothing(arguments: Sequence[str], message: str) -> None:
    with pytest.raises(RunError, match=message):
        fitted(*SHARE, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--share-address"], "--share-address: is part of what --lan sets up"),
        (["--wan", "wan0"], "--wan: is part of what --lan sets up"),
        (
            [*SHARE, "--deterministic", "--internal", "192.168.1.0/24"],
            "--share-address: the ports left depend on the host's",
        ),
    ],
)
def test_what_must_not_be_said_together(arguments: Sequence[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options(*arguments)


@pytest.mark.parametrize(
    ("arguments", "mtu"),
    [
        (["--lan", "br0", "--wan", "ppp0"], 1454),
        (["--lan", "br0", "--wan", "ppp0", "--mtu", "1400"], 1400),
        (["--lan", "br0", "--wan", "ppp0", "--mtu", "0"], 0),
        (["--lan", "br0", "--wan", "wan0"], 0),
        (["--lan", "br0", "--wan", "tiny"], 0),
        (["--lan", "br0", "--wan", "gone"], 0),
        (["--lan", "br0"], 0),
        (["--lan", "tiny", "--lan", "br0", "--wan", "ppp0"], 1454),
        (["--lan", "tiny", "--wan", "ppp0"], 0),
        (["--lan", "gone", "--lan", "tiny", "--wan", "ppp0"], 1454),
    ],
)
def test_the_mtu_is_that_of_the_wan_if_the_lans_is_larger(
    arguments: Sequence[str], mtu: int
) -> None:
    assert fitted(*arguments).options.nat.settings.mtu == mtu


@pytest.fixture
def machine() -> Iterator[Namespace]:
    try:
        namespace = Namespace("machine")
    except OSError as error:
        pytest.skip(f"no network namespaces here: {error}")
    with namespace, namespace.entered():
        with namespace.netlink() as netlink:
            netlink.link("set", index=1, state="up")
            netlink.addr("add", index=1, address=ADDRESS, prefixlen=32)
        yield namespace


def test_a_survey_of_a_host(machine: Namespace) -> None:
    machine.sysctl("net.ipv4.ip_local_port_range", "20000 29999")
    machine.sysctl("net.ipv4.ip_local_reserved_ports", "21000,22000-22005")
    with (
        machine.socket(kind=socket.SOCK_STREAM) as listener,
        machine.socket() as here,
        machine.socket(socket.AF_INET6) as mapped,
        machine.socket(socket.AF_INET6) as six,
    ):
        listener.bind(("0.0.0.0", 8022))
        listener.listen()
        here.bind((ADDRESS, 8023))
        mapped.bind((f"::ffff:{ADDRESS}", 8024))
        six.bind(("::1", 8025))
        seen = survey()
    assert seen.ephemeral == (20000, 29999)
    assert seen.reserved == ((21000, 21000), (22000, 22005))
    assert IPv4Address(ADDRESS) in seen.assigned
    assert seen.mtus == {"lo": 65536}
    assert seen.bound == {
        (None, 8022),
        (IPv4Address(ADDRESS), 8023),
        (IPv4Address(ADDRESS), 8024),
        (IPv6Address("::1"), 8025),
    }
    assert seen.bound_at(IPv4Address(ADDRESS)) == ((8022, 8022), (8023, 8023), (8024, 8024))


FOLLOWED = InterfaceAddress("ppp0")
FOUND = HostValues({FOLLOWED: IPv4Address("198.51.100.9")})


def test_an_interfaces_address_is_shared_also_if_it_has_just_gone() -> None:
    """The host is looked at after its interface."""
    made = options(*SHARE, external="interface:ppp0")
    result = fit(made, FOUND)
    assert ports(result) == "1024-8079,8081-32767,40000-40009,61000-65534"
    (external,) = result.options.nat.settings.externals
    assert external.shared and external.address == IPv4Address("198.51.100.9")
    assert result.warnings == ()
    assert fitted_options(made, result.host_values) == result.options


def test_what_was_shared_before_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for an address that is new, whatever programs there are meanwhile."""
    made = options(*SHARE, "--external", "interface:ppp0")
    before = fit(made, FOUND)
    monkeypatch.setattr(settings_for_host, "survey", lambda: replace(HOST, bound={(None, 2000)}))
    moved = replace(before.host_values, addresses={FOLLOWED: IPv4Address("203.0.113.9")})
    after = fit(made, moved)
    fixed, followed = after.options.nat.settings.externals
    assert fixed == before.options.nat.settings.externals[0]
    assert str(followed.ports) == "1024-1999,2001-32767,40000-40009,61000-65534"
    assert [address for address, _ in after.host_values.shares] == [fixed.address, followed.address]


def test_an_address_that_is_missing_is_no_reason_to_fail_where_there_is_another() -> None:
    made = options(*SHARE, "--external", "interface:ppp0")
    (external,) = fit(made).options.nat.settings.externals
    assert external.address == IPv4Address(ADDRESS) and external.shared
