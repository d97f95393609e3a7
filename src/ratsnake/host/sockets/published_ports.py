"""Ports that this host's own destination NAT sends elsewhere: those that containers publish.

What comes to one is no longer for the host when it is routed, so it passes the rules for a shared
address.  But a flow of the NAT's on such a port would not hear of strangers.  Of nftables, which
includes iptables in its nft variant, and of rules that name a port or a range of ports; those that
look it up in a set or a map are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: A rule for more ports than that is about all that is left over, such as one for an exposed host.
MOST = 1000

_PORT_LENGTH = 2
_DESTINATION_PORT = 2  # where TCP, UDP and the like have it
_TARGETS = ("DNAT", "REDIRECT")  # of iptables


def published_ports() -> tuple[tuple[int, int], ...]:
    """Ranges of ports; imports pyroute2, so to be called in a child."""
    from pyroute2 import NetlinkError
    from pyroute2.nftables.main import NFTables

    try:
        with NFTables(nfgen_family=0) as nftables:
            rules = list(nftables.get_rules())
    except (NetlinkError, OSError):
        return ()  # a kernel without nftables, or nobody who may look
    return tuple(sorted({ports for rule in rules for ports in _published(rule)}))


def _published(rule: Any) -> Iterator[tuple[int, int]]:
    parts = [
        (part.get_attr("NFTA_EXPR_NAME"), part.get_attr("NFTA_EXPR_DATA"))
        for part in rule.get_attr("NFTA_RULE_EXPRESSIONS") or ()
    ]
    if not any(_redirects(*part) for part in parts):
        return
    first, last, compared = 0, 65535, False
    for name, data in parts:
        if name == "payload":
            compared = (
                data.get_attr("NFTA_PAYLOAD_BASE") == "NFT_PAYLOAD_TRANSPORT_HEADER"
                and data.get_attr("NFTA_PAYLOAD_OFFSET") == _DESTINATION_PORT
                and data.get_attr("NFTA_PAYLOAD_LEN") == _PORT_LENGTH
            )
        elif name == "cmp" and compared:
            port = _number(data.get_attr("NFTA_CMP_DATA"))
            test = data.get_attr("NFTA_CMP_OP")
            first = max(first, port) if test in ("NFT_CMP_EQ", "NFT_CMP_GTE") else first
            last = min(last, port) if test in ("NFT_CMP_EQ", "NFT_CMP_LTE") else last
        elif name == "range" and compared and data.get_attr("NFTA_RANGE_OP") == "NFT_RANGE_EQ":
            first = max(first, _number(data.get_attr("NFTA_RANGE_FROM_DATA")))
            last = min(last, _number(data.get_attr("NFTA_RANGE_TO_DATA")))
        else:
            compared = False
    if 0 < first <= last < first + MOST:
        yield first, last


def _redirects(name: str, data: Any) -> bool:
    return (
        name == "redir"
        or (name == "nat" and data.get_attr("NFTA_NAT_TYPE") == "NFT_NAT_DNAT")
        or (name == "target" and data.get_attr("NFTA_TARGET_NAME") in _TARGETS)
    )


def _number(data: Any) -> int:
    return int.from_bytes(data.get_attr("NFTA_DATA_VALUE"), "big")
