"""What a packet filter on this host may do to the NAT's traffic: looked at, never changed.

Every packet is forwarded twice, from the LAN to the NAT's device and from there to the WAN (and so
back): a packet filter written for two interfaces does not know the third.  Only nftables is seen,
which includes iptables in its nft variant; older iptables cannot be asked without its program.
"""

from __future__ import annotations

from collections.abc import Collection

#: What nft calls a table's family, and the versions of IP whose packets its chains see.
_FAMILIES = {1: ("inet", {4, 6}), 2: ("ip", {4}), 10: ("ip6", {6})}  # NFPROTO_…
_HOOK_FORWARD = 2  # NF_INET_FORWARD
_POLICY_DROP = 0  # NF_DROP


def forward_warnings(device: str, versions: Collection[int]) -> tuple[str, ...]:
    """A warning for each chain that drops forwarded packets of these versions of IP (4, 6) unless
    a rule accepts them.

    Imports pyroute2: to be called in a child process.
    """
    from pyroute2 import NetlinkError
    from pyroute2.nftables.main import NFTables

    try:
        with NFTables(nfgen_family=0) as nftables:
            chains = list(nftables.get_chains())
    except (NetlinkError, OSError):  # a kernel without nftables
        return ()
    return tuple(
        f"nftables: table {_FAMILIES[chain['nfgen_family']][0]} "
        f"{chain.get_attr('NFTA_CHAIN_TABLE')}, "
        f"chain {chain.get_attr('NFTA_CHAIN_NAME')} drops forwarded packets by policy: "
        f"it needs rules that accept those from and to {device}"
        for chain in chains
        if chain["nfgen_family"] in _FAMILIES
        and not _FAMILIES[chain["nfgen_family"]][1].isdisjoint(versions)
        and chain.get_attr("NFTA_CHAIN_POLICY") == _POLICY_DROP
        and (hook := chain.get_attr("NFTA_CHAIN_HOOK")) is not None
        and hook.get_attr("NFTA_HOOK_HOOKNUM") == _HOOK_FORWARD
    )
