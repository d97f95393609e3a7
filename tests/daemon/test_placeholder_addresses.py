"""Outside addresses by the name of an interface: checked before they are known, applied once they
are, and told from one process to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from ratsnake.cli import check
from ratsnake.cli.argument_table import add_groups, texts
from ratsnake.cli.main import Parser, main
from ratsnake.daemon.configuration.flag_table import RUN_GROUPS
from ratsnake.daemon.configuration.option_parsing import RunOptions, run_options
from ratsnake.daemon.configuration.placeholder_addresses import known_settings, sources
from ratsnake.daemon.host_integration.host_values import (
    NOTHING,
    HostValues,
    fitted_options,
    read_host_values,
)
from ratsnake.daemon.user_errors import RunError, UsageError
from ratsnake.host.kernel.interface_address import Found, InterfaceAddress
from ratsnake.portset import PortSet

PPP, ETH_6 = InterfaceAddress("ppp0"), InterfaceAddress("eth0", 6)
A, B = IPv4Address("198.51.100.7"), IPv4Address("203.0.113.9")


def options(*arguments: str) -> RunOptions:
    parser = Parser()
    add_groups(parser, RUN_GROUPS)
    return run_options(texts(parser.parse_args(arguments)))


def externals(options: RunOptions) -> list[str]:
    made = options.nat.settings.externals
    return [f"{one.address}={one.ports}{' shared' * one.shared}" for one in made]


def test_an_interface_stands_for_its_address() -> None:
    made = options("--external", "interface:ppp0", "--external", "203.0.113.9=7000")
    assert sources(made.nat.settings) == (PPP,)
    assert externals(made) == ["interface:ppp0=1024-65535", "203.0.113.9=7000"]
    known = fitted_options(made, HostValues({PPP: A}))
    assert sources(known.nat.settings) == ()
    assert externals(known) == [f"{A}=1024-65535", "203.0.113.9=7000"]


def test_each_family_is_an_address_of_its_own() -> None:
    flags = ("--external", "interface:eth0", "--external", "interface:eth0/ipv6=7000")
    made = options(*flags, "--internal", "192.168.1.0/24", "--internal", "fd00::/64")
    assert sources(made.nat.settings) == (InterfaceAddress("eth0"), ETH_6)
    six = IPv6Address("2001:db8::7")
    known = fitted_options(made, HostValues({InterfaceAddress("eth0"): A, ETH_6: six}))
    assert externals(known) == [f"{A}=1024-65535", f"{six}=7000"]


def test_what_stands_for_it_is_nobody_elses() -> None:
    """Whatever else the user has given."""
    flags = ["--external", "interface:ppp0", "--external", "192.0.0.16", "--no-nat", "192.0.0.17"]
    flags += ["--internal", "192.0.0.128/25", "--one-to-one", "192.0.0.18=192.0.0.130"]
    address = options(*flags).nat.settings.addresses[0]
    assert int(address) == int(IPv4Address("192.0.0.19"))


def test_a_forward_without_address_follows() -> None:
    made = options("--external", "interface:ppp0", "--forward", "tcp:80=192.168.1.10:80")
    known = fitted_options(made, HostValues({PPP: A})).nat.settings
    assert known.forwards[0].external is None and known.addresses == (A,)


def test_what_is_not_known_yet_is_left_out_with_its_forwards() -> None:
    flags = ["--external", "interface:ppp0", "--external", "203.0.113.9"]
    flags += ["--forward", "tcp:80=192.168.1.10:80", "--forward", f"tcp:{B}:81=192.168.1.10"]
    made = options(*flags)
    known = fitted_options(made, NOTHING).nat.settings
    assert known.addresses == (B,)
    assert [str(forward) for forward in known.forwards] == [f"tcp:{B}:81=192.168.1.10"]
    assert len(fitted_options(made, HostValues({PPP: A})).nat.settings.forwards) == 2


def test_where_nothing_is_known_there_is_no_nat() -> None:
    made = options("--external", "interface:ppp0")
    assert known_settings(made.nat.settings, {}) is None
    lost = HostValues(lost={PPP: "there is no interface ppp0 (there are lo)"})
    with pytest.raises(RunError, match="^--external interface:ppp0: there is no interface ppp0"):
        fitted_options(made, lost)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (
            {PPP: IPv4Address("100.64.0.7")},
            "^interface:ppp0 is 100.64.0.7: --external: 100.64.0.7 lies inside the internal prefix"
            " 100.64.0.0/10.* Give --internal the prefix of the LAN only",
        ),
        ({PPP: B}, "^interface:ppp0 is 203.0.113.9: --external: 203.0.113.9 stands twice"),
    ],
)
def test_an_address_the_nat_cannot_have(
    known: Mapping[InterfaceAddress, IPv4Address], message: str
) -> None:
    made = options("--external", "interface:ppp0", "--external", str(B))
    with pytest.raises(RunError, match=message):
        fitted_options(made, HostValues(known))


def test_host_values_are_told_as_a_line() -> None:
    host_values = HostValues(
        {PPP: A, ETH_6: IPv6Address("2001:db8::7")},
        {ETH_6: "eth0 has no IPv6 address to use, only fe80::1 (link scope)"},
        {(A, PortSet.parse("1024-65535")): PortSet.parse("1024-32767,61000-65534")},
        1492,
    )
    assert "\n" not in host_values.line()
    assert read_host_values(host_values.line()) == host_values
    assert read_host_values(NOTHING.line()) == NOTHING


LAN = ("--lan", "br0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--external", "interface:ppp0", *LAN],
            "^--external interface:ppp0: is an address of this host too; share it by "
            "--share-address",
        ),
        (
            ["--external", "interface:eth0/ipv6", "--internal", "fd00::/64", *LAN]
            + ["--share-address"],
            "interface:eth0/ipv6: an IPv6 address of the host cannot be shared",
        ),
    ],
)
def test_what_the_host_cannot_do(arguments: Sequence[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options(*arguments)


@pytest.mark.parametrize(
    "command",
    [
        ["replay", "in.pcap", "out.pcap", "--external", "interface:ppp0"],
        ["who", "192.168.1.1", "--external", "interface:ppp0", "--internal", "192.168.1.0/24"],
    ],
)
def test_where_there_is_no_interface_an_address_is_needed(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 2
    assert "--external interface:ppp0: " in (error := capsys.readouterr().err)
    assert "right is an address" in error


def test_check_tells_what_they_are_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    eth = InterfaceAddress("eth0")
    there = {PPP: Found(None, (), "there is no interface ppp0"), eth: Found(7, (A,))}
    monkeypatch.setattr(check, "look", lambda wanted: {one: there[one] for one in wanted})
    path = tmp_path / "home.toml"
    path.write_text('[nat]\nexternal = ["interface:ppp0", "interface:eth0", "203.0.113.9"]\n')
    assert main(["check", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == [
        "# interface:ppp0 is now without address: there is no interface ppp0",
        f"# interface:eth0 is now {A}",
        'external = ["interface:ppp0", "interface:eth0", "203.0.113.9"]',
    ]
