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
