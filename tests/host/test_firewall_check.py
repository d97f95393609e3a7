"""host/packet_filter/firewall_check.py: a policy that would drop the NAT's traffic is named, others
are not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest
from pyroute2 import IPRoute

from host.machines import ADDRESSES, ADDRESSES_6, add_link, router
from ratsnake.host.packet_filter.firewall_check import firewall_warnings
from ratsnake.host.routing.routing_request import Request

_CHAIN = "type filter hook {hook} priority filter; policy {policy};"


@pytest.fixture(autouse=True)
def machine() -> Iterator[None]:
    if shutil.which("nft") is None:
        pytest.skip("nft is not installed (package nftables)")
    with router(*ADDRESSES, *ADDRESSES_6) as namespace, namespace.netlink() as netlink:
        add_link(netlink, "nat1")
        yield


def _warnings(
    versions: tuple[int, ...], device: str = "nat0", wan: str | None = "wan0"
) -> tuple[str, ...]:
    external = {4: "203.0.113.1", 6: "2001:db8:3::1"}
    internal = {4: "192.0.2.128/25", 6: "2001:db8:1::/64"}
    request = Request(
        device,
        ("lan0",),
        tuple(ip_address(external[version]) for version in versions),
        tuple(ip_network(internal[version]) for version in versions),
        wan,
    )
    with IPRoute() as netlink:
        return firewall_warnings(netlink, request)


def _chain(family: str, name: str, hook: str, policy: str) -> None:
    for command in (
        f"add table {family} t",
        f"add chain {family} t {name} {{ {_CHAIN.format(hook=hook, policy=policy)} }}",
    ):
        subprocess.run(["nft", command], check=True)


def test_no_rules_no_warning() -> None:
    assert _warnings((4, 6)) == ()


@pytest.mark.parametrize(
    ("family", "versions"), [("ip", (4,)), ("inet", (4,)), ("inet", (6,)), ("ip6", (4, 6))]
)
def test_a_dropping_policy_is_named(family: str, versions: tuple[int, ...]) -> None:
    _chain(family, "FORWARD", "forward", "drop")
    (warning,) = _warnings(versions)
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
    assert _warnings(versions) == ()


def _nft(*commands: str) -> None:
    for command in commands:
        subprocess.run(["nft", command], check=True)


def _typed(warning: str) -> list[str]:
    """The commands a warning asks for."""
    return warning.split("`")[1].split(" && ")


@pytest.mark.parametrize("family", ["ip", "inet", "ip6"])
def test_what_is_to_be_typed_silences_the_warning(family: str) -> None:
    _chain(family, "guard", "forward", "drop")
    (warning,) = _warnings((4, 6))
    for command in _typed(warning):
        program, _, rest = command.partition(" ")
        assert program == "nft"
        _nft(rest)
    assert _warnings((4, 6)) == ()
    assert _warnings((4, 6), "nat1") != ()


@pytest.mark.parametrize("rule", ['iifname "nat0" accept', 'oifname "nat0" accept'])
def test_one_way_is_not_enough(rule: str) -> None:
    _chain("inet", "guard", "forward", "drop")
    _nft(f"add rule inet t guard {rule}")
    assert _warnings((4,)) != ()


@pytest.mark.parametrize(
    "rule", ["counter reject with icmpx admin-prohibited", "drop", 'log prefix "no" counter drop']
)
def test_a_last_rule_that_refuses_is_named(rule: str) -> None:
    _chain("inet", "guard", "forward", "accept")
    _nft("add rule inet t guard ct state established accept", f"add rule inet t guard {rule}")
    (warning,) = _warnings((4,))
    assert "table inet t, chain guard drops forwarded packets by a rule: " in warning


@pytest.mark.parametrize(
    "rule",
    [
        "ip saddr 198.51.100.1 drop",
        "ip daddr 198.51.100.0/24 drop",
        "counter accept",
        'iifname "nat1" drop',
        "tcp dport 25 drop",
        "ct state invalid drop",
        "counter",
    ],
)
def test_a_last_rule_that_refuses_some_only_is_not(rule: str) -> None:
    _chain("inet", "guard", "forward", "accept")
    _nft(f"add rule inet t guard {rule}")
    assert _warnings((4,)) == ()


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
    (warning,) = _warnings((4, 6))
    assert _typed(warning) == commands


@pytest.mark.parametrize(
    "rules",
    [
        'iifname { "lan0", "nat0" } accept; oifname { "nat0", "lan0" } accept',
        'iifname vmap { "lan0": accept, "nat0": jump inner, "wan0": jump inner }',
        'iifname . oifname vmap { "lan0" . "nat0": accept, "nat0" . "wan0": accept,'
        ' "wan0" . "nat0": accept, "nat0" . "lan0": accept }',
        'iifname "nat*" accept; oifname "nat*" accept',
        'iif "nat0" accept; oif "nat0" accept',
        "ct state established accept; ct state new goto inner",
        "ip saddr 192.0.2.0/24 accept; ip daddr != 192.0.2.5 accept",
        "meta mark 0 accept",
        "meta mark and 0xff == 0x0 accept",
    ],
)
def test_what_lets_pass_in_other_words_is_understood(rules: str) -> None:
    _nft(
        "add table inet t",
        "add chain inet t inner",
        "add rule inet t inner accept",
        f"add chain inet t guard {{ {_CHAIN.format(hook='forward', policy='drop')} }}",
        *(f"add rule inet t guard {rule}" for rule in rules.split("; ")),
    )
    assert _warnings((4,)) == ()


@pytest.mark.parametrize(
    "rules",
    [
        'iifname { "lan0", "wan0" } accept; oifname "lan0" accept',
        'iifname vmap { "lan0": accept, "nat0": jump inner }',
        'iifname . oifname vmap { "lan0" . "nat0": accept }',
        "jump inner",
        "ct state established,related accept",
        "ip saddr 198.51.100.0/24 accept",
        "tcp dport 443 accept",
    ],
)
def test_what_lets_others_pass_only_is_seen_through(rules: str) -> None:
    _nft(
        "add table inet t",
        "add chain inet t inner",
        "add rule inet t inner return",
        f"add chain inet t guard {{ {_CHAIN.format(hook='forward', policy='drop')} }}",
        *(f"add rule inet t guard {rule}" for rule in rules.split("; ")),
    )
    (warning,) = _warnings((4,))
    assert "drops forwarded packets by policy" in warning


def _all_pass(warning: str, versions: tuple[int, ...] = (4, 6)) -> None:
    """Once what it asks for has been typed."""
    for command in _typed(warning):
        subprocess.run(command, shell=True, check=True)
    assert _warnings(versions) == ()


@pytest.mark.parametrize("family", ["ip", "inet", "ip6"])
@pytest.mark.parametrize(
    "rule",
    [
        "fib saddr . iif oif missing drop",
        "fib saddr . mark . iif oif missing counter drop",
        "fib saddr . iif oif 0 drop",
        "fib saddr . iif oif exists accept; counter drop",
    ],
)
def test_a_check_of_sources_before_routing_is_named(family: str, rule: str) -> None:
    """It is known that what comes out of the device from the internet does not pass."""
    _chain(family, "pre", "prerouting", "accept")
    _nft(*(f"add rule {family} t pre {one}" for one in rule.split("; ")))
    (warning,) = _warnings((4, 6))
    assert f"table {family} t, chain pre drops packets before they are routed by a rule" in warning
    _all_pass(warning)


@pytest.mark.parametrize(
    "rule",
    [
        'iifname "wan0" fib saddr . iif oif missing drop',
        'iifname != "nat0" fib saddr . iif oif missing drop',
        "fib saddr type local drop",
        "fib daddr . iif type != local counter",
    ],
)
def test_a_check_of_others_is_not(rule: str) -> None:
    _chain("inet", "pre", "prerouting", "accept")
    _nft(f"add rule inet t pre {rule}")
    assert _warnings((4, 6)) == ()


def test_at_the_device_itself() -> None:
    _nft(
        "add table netdev t",
        'add chain netdev t a { type filter hook ingress device "nat0" priority 0; policy drop; }',
        'add chain netdev t b { type filter hook ingress device "wan0" priority 0; policy drop; }',
    )
    (warning,) = _warnings((4,))
    assert "table netdev t, chain a drops packets that come in by policy" in warning
    _all_pass(warning)


def test_about_to_leave() -> None:
    _chain("inet", "post", "postrouting", "drop")
    (warning,) = _warnings((4,))
    assert "chain post drops packets that are about to leave by policy" in warning


_NAT = "add chain ip n after { type nat hook postrouting priority srcnat; }"


@pytest.mark.parametrize(
    "rule",
    [
        "masquerade",
        'oifname "wan0" masquerade',
        'oifname "wan0" counter snat to 198.51.100.254',
        'oifname "wan0" ip saddr != 192.168.0.0/16 masquerade',
        'oifname "wan0" meta l4proto tcp masquerade to :1024-2000',
        "ip saddr 192.0.2.0/24 masquerade",  # into the device too
        'oifname { "wan0", "ppp0" } masquerade',
        'oifname "wan0" jump inner',
    ],
)
def test_a_second_translation_is_told_with_what_takes_it_out(rule: str) -> None:
    _nft("add table ip n", "add chain ip n inner", "add rule ip n inner masquerade", _NAT)
    _nft(f"add rule ip n after {rule}")
    (warning,) = _warnings((4,))
    assert "gives another source to what ratsnake has translated" in warning
    _all_pass(warning, (4,))


@pytest.mark.parametrize(
    "rule",
    [
        'oifname "eth1" masquerade',
        'ip saddr 10.0.0.0/8 oifname "wan0" masquerade',
        "ip daddr 192.168.100.1 masquerade",
        "meta mark 0x4000 masquerade",
        'oifname "wan0" ip saddr 172.17.0.0/16 masquerade',
        'oifname "wan0" dnat to 192.0.2.1',
    ],
)
def test_a_translation_of_others_is_not_told(rule: str) -> None:
    if "dnat" in rule:
        _nft("add table ip n", _NAT.replace("postrouting", "prerouting").replace("srcnat", "0"))
        rule = rule.replace('oifname "wan0"', 'iifname "wan0"')
    else:
        _nft("add table ip n", _NAT)
    _nft(f"add rule ip n after {rule}")
    assert _warnings((4,)) == ()


@pytest.mark.parametrize("variant", ["nft", "legacy"])
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("-P FORWARD DROP", "chain FORWARD drops forwarded packets by policy"),
        (
            "-A FORWARD -i lan0 -o wan0 -j ACCEPT; -A FORWARD -j REJECT",
            "chain FORWARD drops forwarded packets by a rule",
        ),
        (
            "-N mine; -A FORWARD -j mine; -A mine ! -i nat1 -j DROP",
            "chain FORWARD drops forwarded packets by a rule of chain mine",
        ),
        (
            "-t raw -A PREROUTING -m rpfilter --invert -j DROP",
            "table ip raw, chain PREROUTING drops packets before they are routed by a rule",
        ),
        (
            "-t mangle -A PREROUTING -m comment --comment all -m rpfilter --invert -j DROP",
            "table ip mangle, chain PREROUTING drops packets before they are routed by a rule",
        ),
        (
            "-t nat -A POSTROUTING -o wan0 -j MASQUERADE",
            "chain POSTROUTING gives another source to what ratsnake has translated",
        ),
        (
            "-t nat -A POSTROUTING -o wan0 -p tcp -j SNAT --to-source 198.51.100.254",
            "chain POSTROUTING gives another source to what ratsnake has translated",
        ),
    ],
)
def test_iptables_of_both_kinds(variant: str, command: str, told: str) -> None:
    program = f"iptables-{variant}"
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (package iptables)")
    for one in command.split("; "):
        subprocess.run([program, *one.split()], check=True)
    (warning,) = _warnings((4,))
    assert told in warning
    if variant == "legacy":
        assert warning.startswith("iptables-legacy: ")
    for one in _typed(warning):
        subprocess.run(one.replace("iptables ", f"{program} "), shell=True, check=True)
    assert _warnings((4,)) == ()


@pytest.mark.parametrize("variant", ["nft", "legacy"])
@pytest.mark.parametrize(
    "command",
    [
        "-A FORWARD -s 198.51.100.0/24 -j DROP",
        "-A FORWARD -p tcp --dport 25 -j DROP",
        "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
        "-t raw -A PREROUTING -i wan0 -m rpfilter --invert -j DROP",
        "-t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
        "-A INPUT -j DROP",
    ],
)
def test_iptables_that_concerns_others(variant: str, command: str) -> None:
    program = f"iptables-{variant}"
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (package iptables)")
    subprocess.run([program, *command.split()], check=True)
    assert _warnings((4,)) == ()


def test_older_iptables_that_cannot_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("iptables-legacy") is None:
        pytest.skip("iptables-legacy is not installed (package iptables)")
    subprocess.run(["iptables-legacy", "-P", "FORWARD", "DROP"], check=True)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    (warning,) = _warnings((4,))
    assert warning.startswith("iptables-legacy: has rules that cannot be looked at; ")
