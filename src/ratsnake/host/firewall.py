"""What a packet filter on this host may do to the NAT's traffic: looked at, never changed.

Every packet is forwarded twice, from the LAN to the NAT's device and from there to the WAN (and so
back): a packet filter written for two interfaces does not know the third.  Only nftables is seen,
which includes iptables in its nft variant, and what ufw, firewalld and Docker make of them; older
iptables cannot be asked without its program.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

#: What nft calls a table's family, and the versions of IP whose packets its chains see.
_FAMILIES = {1: ("inet", {4, 6}), 2: ("ip", {4}), 10: ("ip6", {6})}  # NFPROTO_…
_HOOK_FORWARD = 2  # NF_INET_FORWARD
_POLICY_DROP = 0  # NF_DROP
_ASIDE = {"counter", "log", "limit"}  # parts of a rule that do not select
_PASSING = {"NF_ACCEPT", "NFT_GOTO", "NFT_JUMP"}
_SIDES = ("NFT_META_IIFNAME", "NFT_META_OIFNAME")


@dataclass(frozen=True)
class _Chain:
    """A chain that refuses what is forwarded, with the chains of its table, and why it does."""

    family: str
    table: str
    name: str
    others: frozenset[str]
    why: str


#: Whose firewall it is and what to type for a device, the first that fits.
_REMEDIES: tuple[tuple[Callable[[_Chain], bool], Callable[[_Chain, str], tuple[str, ...]]], ...] = (
    (
        lambda chain: chain.table == "firewalld",
        lambda chain, device: (
            f"firewall-cmd --permanent --zone=trusted --add-interface={device}",
            "firewall-cmd --permanent --new-policy=ratsnake",
            "firewall-cmd --permanent --policy=ratsnake --add-ingress-zone=ANY",
            "firewall-cmd --permanent --policy=ratsnake --add-egress-zone=trusted",
            "firewall-cmd --permanent --policy=ratsnake --set-target=ACCEPT",
            "firewall-cmd --reload",
        ),
    ),
    (
        lambda chain: any(name.startswith(("ufw-", "ufw6-")) for name in chain.others),
        lambda chain, device: (
            f"ufw route allow in on {device}",
            f"ufw route allow out on {device}",
        ),
    ),
    (
        lambda chain: "DOCKER-USER" in chain.others and chain.family != "inet",
        lambda chain, device: _iptables(chain, "DOCKER-USER", device),
    ),
    (
        lambda chain: (chain.table, chain.name) == ("filter", "FORWARD") and chain.family != "inet",
        lambda chain, device: _iptables(chain, "FORWARD", device),
    ),
    (
        lambda chain: True,
        lambda chain, device: tuple(
            f'nft insert rule {chain.family} {chain.table} {chain.name} {side} "{device}" accept'
            for side in ("iifname", "oifname")
        ),
    ),
)


def forward_warnings(device: str, versions: Collection[int]) -> tuple[str, ...]:
    """A warning for each chain that refuses forwarded packets of these versions of IP (4, 6)
    unless a rule accepts them, where its table has none for the device; with what to type.

    Imports pyroute2: to be called in a child process.
    """
    from pyroute2 import NetlinkError
    from pyroute2.nftables.main import NFTables

    try:
        with NFTables(nfgen_family=0) as nftables:
            chains, rules = list(nftables.get_chains()), list(nftables.get_rules())
    except (NetlinkError, OSError) as error:
        if getattr(error, "code", getattr(error, "errno", None)) == errno.EPERM:
            return ("nftables cannot be looked at without root",)
        return ()  # a kernel without nftables
    return tuple(
        f"nftables: table {chain.family} {chain.table}, chain {chain.name} {chain.why}: for those "
        f"from and to {device} type `{' && '.join(_remedy(chain, device))}`"
        for chain in _refusing(chains, rules, device, set(versions))
    )


def _refusing(
    chains: list[Any], rules: list[Any], device: str, versions: set[int]
) -> Iterator[_Chain]:
    for chain in chains:
        hook = chain.get_attr("NFTA_CHAIN_HOOK")
        family, seen = _FAMILIES.get(chain["nfgen_family"], ("", set()))
        if hook is None or hook.get_attr("NFTA_HOOK_HOOKNUM") != _HOOK_FORWARD:
            continue
        table, name = chain.get_attr("NFTA_CHAIN_TABLE"), chain.get_attr("NFTA_CHAIN_NAME")
        beside = [rule for rule in rules if _place(rule) == (chain["nfgen_family"], table)]
        why = _why(chain, [r for r in beside if r.get_attr("NFTA_RULE_CHAIN") == name])
        if why and seen & versions and not _passes(beside, device):
            others = frozenset(
                other.get_attr("NFTA_CHAIN_NAME")
                for other in chains
                if other["nfgen_family"] == chain["nfgen_family"]
                and other.get_attr("NFTA_CHAIN_TABLE") == table
            )
            yield _Chain(family, table, name, others, why)


def _place(rule: Any) -> tuple[int, str]:
    return rule["nfgen_family"], rule.get_attr("NFTA_RULE_TABLE")


def _why(chain: Any, rules: list[Any]) -> str | None:
    """Why the chain refuses what none of its rules accepts, or None."""
    if chain.get_attr("NFTA_CHAIN_POLICY") == _POLICY_DROP:
        return "drops forwarded packets by policy"
    parts = [part for part in _parts(rules[-1]) if part[0] not in _ASIDE] if rules else []
    if len(parts) == 1 and (parts[0][0] == "reject" or _verdict(parts[0]) == "NF_DROP"):
        return "refuses forwarded packets by its last rule"
    return None


def _passes(rules: list[Any], device: str) -> bool:
    """Whether among the rules are some that let pass what comes from the device, and what goes to
    it; what else they ask for is not looked at."""
    return all(any(_names(rule, side, device) for rule in rules) for side in _SIDES)


def _names(rule: Any, side: str, device: str) -> bool:
    parts = list(_parts(rule))
    if not parts or _verdict(parts[-1]) not in _PASSING:
        return False
    for (kind, asked), (test, compared) in zip(parts, parts[1:], strict=False):
        if kind == "meta" and test == "cmp" and asked.get_attr("NFTA_META_KEY") == side:
            value = compared.get_attr("NFTA_CMP_DATA").get_attr("NFTA_DATA_VALUE")
            if compared.get_attr("NFTA_CMP_OP") == "NFT_CMP_EQ" and (
                value.rstrip(b"\0") == device.encode()
            ):
                return True
    return False


def _parts(rule: Any) -> Iterator[tuple[str, Any]]:
    for part in rule.get_attr("NFTA_RULE_EXPRESSIONS") or ():
        yield part.get_attr("NFTA_EXPR_NAME"), part.get_attr("NFTA_EXPR_DATA")


def _verdict(part: tuple[str, Any]) -> str | None:
    if part[0] != "immediate":
        return None
    verdict = part[1].get_attr("NFTA_IMMEDIATE_DATA").get_attr("NFTA_DATA_VERDICT")
    return str(verdict.get_attr("NFTA_VERDICT_CODE")) if verdict is not None else None


def _remedy(chain: _Chain, device: str) -> tuple[str, ...]:
    return next(make(chain, device) for fits, make in _REMEDIES if fits(chain))


def _iptables(chain: _Chain, name: str, device: str) -> tuple[str, ...]:
    program = "iptables" if chain.family == "ip" else "ip6tables"
    return tuple(f"{program} -I {name} {side} {device} -j ACCEPT" for side in ("-i", "-o"))
