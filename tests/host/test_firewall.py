"""host/firewall.py: a policy that would drop the NAT's traffic is named, others are not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from ratsnake.host.firewall import forward_warnings
from ratsnake.lab.namespace import Namespace

_CHAIN = "type filter hook {hook} priority filter; policy {policy};"


@pytest.fixture(autouse=True)
def machine() -> Iterator[None]:
    if shutil.which("nft") is None:
        pytest.skip("nft is not installed (package nftables)")
    try:
        namespace = Namespace("machine")
    except OSError as error:
        pytest.skip(f"no network namespaces here (run as root): {error}")
    with namespace, namespace.entered():
        yield


def _chain(family: str, name: str, hook: str, policy: str) -> None:
    for command in (
        f"add table {family} t",
        f"add chain {family} t {name} {{ {_CHAIN.format(hook=hook, policy=policy)} }}",
    ):
        subprocess.run(["nft", command], check=True)


def test_no_rules_no_warning() -> None:
    assert forward_warnings("nat0", (4, 6)) == ()


@pytest.mark.parametrize(
    ("family", "versions"), [("ip", (4,)), ("inet", (4,)), ("inet", (6,)), ("ip6", (4, 6))]
)
def test_a_dropping_policy_is_named(family: str, versions: tuple[int, ...]) -> None:
    _chain(family, "FORWARD", "forward", "drop")
    (warning,) = forward_warnings("nat0", versions)
    assert warning.startswith(f"nftables: table {family} t, chain FORWARD drops forwarded packets")
    assert "nat0" in warning


@pytest.mark.parametrize(
    ("family", "hook", "policy", "versions"),
    [
        ("ip", "forward", "accept", (4, 6)),
        ("ip", "input", "drop", (4, 6)),
        ("ip6", "forward", "drop", (4,)),
        ("ip", "forward", "drop", (6,)),
    ],
)
def test_what_does_not_concern_forwarded_packets_of_the_nat(
    family: str, hook: str, policy: str, versions: tuple[int, ...]
) -> None:
    _chain(family, "c", hook, policy)
    subprocess.run(["nft", f"add chain {family} t plain"], check=True)
    assert forward_warnings("nat0", versions) == ()


def _nft(*commands: str) -> None:
    for command in commands:
        subprocess.run(["nft", command], check=True)


def _typed(warning: str) -> list[str]:
    """The commands a warning asks for."""
    return warning.split("`")[1].split(" && ")


@pytest.mark.parametrize("family", ["ip", "inet", "ip6"])
def test_what_is_to_be_typed_silences_the_warning(family: str) -> None:
    _chain(family, "guard", "forward", "drop")
    (warning,) = forward_warnings("nat0", (4, 6))
    for command in _typed(warning):
        program, _, rest = command.partition(" ")
        assert program == "nft"
        _nft(rest)
    assert forward_warnings("nat0", (4, 6)) == ()
    assert forward_warnings("nat1", (4, 6)) != ()


@pytest.mark.parametrize("rule", ['iifname "nat0" accept', 'oifname "nat0" accept'])
def test_one_way_is_not_enough(rule: str) -> None:
    _chain("inet", "guard", "forward", "drop")
    _nft(f"add rule inet t guard {rule}")
    assert forward_warnings("nat0", (4,)) != ()


@pytest.mark.parametrize(
    "rule", ["counter reject with icmpx admin-prohibited", "drop", 'log prefix "no" counter drop']
)
def test_a_last_rule_that_refuses_is_named(rule: str) -> None:
    _chain("inet", "guard", "forward", "accept")
    _nft("add rule inet t guard ct state established accept", f"add rule inet t guard {rule}")
    (warning,) = forward_warnings("nat0", (4,))
    assert "table inet t, chain guard refuses forwarded packets by its last rule" in warning


@pytest.mark.parametrize(
    "rule", ["ip saddr 192.0.2.1 drop", "counter accept", 'iifname "nat0" drop', "counter"]
)
def test_a_last_rule_that_refuses_some_only_is_not(rule: str) -> None:
    _chain("inet", "guard", "forward", "accept")
    _nft(f"add rule inet t guard {rule}")
    assert forward_warnings("nat0", (4,)) == ()


@pytest.mark.parametrize(
    ("family", "table", "chains", "commands"),
    [
        (
            "ip",
            "filter",
            [],
            ["iptables -I FORWARD -i nat0 -j ACCEPT", "iptables -I FORWARD -o nat0 -j ACCEPT"],
        ),
        (
            "ip6",
            "filter",
            [],
            ["ip6tables -I FORWARD -i nat0 -j ACCEPT", "ip6tables -I FORWARD -o nat0 -j ACCEPT"],
        ),
        (
            "ip",
            "filter",
            ["DOCKER-USER"],
            [
                "iptables -I DOCKER-USER -i nat0 -j ACCEPT",
                "iptables -I DOCKER-USER -o nat0 -j ACCEPT",
            ],
        ),
        (
            "ip",
            "filter",
            ["ufw-before-forward", "DOCKER-USER"],
            ["ufw route allow in on nat0", "ufw route allow out on nat0"],
        ),
        (
            "inet",
            "firewalld",
            ["filter_FWD_public"],
            [
                "firewall-cmd --permanent --zone=trusted --add-interface=nat0",
                "firewall-cmd --permanent --new-policy=ratsnake",
                "firewall-cmd --permanent --policy=ratsnake --add-ingress-zone=ANY",
                "firewall-cmd --permanent --policy=ratsnake --add-egress-zone=trusted",
                "firewall-cmd --permanent --policy=ratsnake --set-target=ACCEPT",
                "firewall-cmd --reload",
            ],
        ),
    ],
)
def test_the_commands_are_those_of_the_firewall_that_is_there(
    family: str, table: str, chains: list[str], commands: list[str]
) -> None:
    _nft(
        f"add table {family} {table}",
        f"add chain {family} {table} FORWARD {{ {_CHAIN.format(hook='forward', policy='drop')} }}",
        *(f"add chain {family} {table} {name}" for name in chains),
    )
    (warning,) = forward_warnings("nat0", (4, 6))
    assert _typed(warning) == commands
