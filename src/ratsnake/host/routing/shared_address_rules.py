"""The rules for an address that the host and the NAT share, as data.

The host keeps its ports, and the NAT gets the rest, by protocol and port: the kernel asks these
rules before it looks whether an address is its own, which `local_table` sees to.  Of IPv4 only:
neighbour discovery is ICMPv6, which no rule can tell from pings and errors.

Of the NAT's own ports a packet is the host's all the same if a socket of the host waits for it,
which `socket_match` sees to; of forwarded ports none is.  What the router itself sends is not for
the NAT, but to forwarded ports: it goes there as from the LAN, by the table that gives it an
address of the inside.

When the device goes, so does the way to it, and all of the address is the host's again.

ICMP has no ports.  What is sent to the address goes to the NAT, which gives back what it has no
flow for; that comes out of the device unchanged, and goes on to the next run that shares the
address.  What the last gives back is the host's.
"""

from __future__ import annotations

from collections.abc import Iterator
from socket import IPPROTO_ICMP

from ..kernel.ip_family import IPV4
from ..nftables.socket_match import MARK
from .local_table_rule import LOCAL_TABLE
from .routing_changes import Rule
from .routing_request import Request
from .running_instances import SharingKind, priority, shared_table, table


def sharing_rules(request: Request, number: int, inside: bool) -> Iterator[tuple[Rule, str]]:
    """Each with its reason, in the order in which the kernel tries them.

    `inside`: the host has an address that the NAT takes for one of the LAN.
    """
    at = {kind: priority(kind, number) for kind in SharingKind}
    local, shared, own_table = at[SharingKind.LOCAL], at[SharingKind.SHARED], shared_table(number)
    addresses = [f"{one.address}/32" for one in request.shared]
    yield (
        Rule(at[SharingKind.FROM_DEVICE], request.device, goto=at[SharingKind.NEXT], action="goto"),
        "translated already, or given back by the NAT",
    )
    for address in addresses:
        yield (
            Rule(at[SharingKind.FROM_ROUTER], "lo", f"{IPV4.router}/32", address, own_table),
            "the router's own ICMP errors about outbound packets",
        )
    for one, address in zip(request.shared, addresses, strict=True):
        for protocol, ranges in one.forwarded if inside else ():
            for ports in ranges:
                yield (
                    Rule(
                        at[SharingKind.FROM_ROUTER],
                        "lo",
                        destination=address,
                        table=table(number),
                        protocol=protocol,
                        ports=ports,
                    ),
                    "forwards are reached by the router itself too",
                )
    yield (
        Rule(at[SharingKind.HOST], "lo", goto=local, action="goto"),
        "what the router itself sends is not for the NAT",
    )
    for lan in request.lans:
        yield (
            Rule(at[SharingKind.FROM_LAN], lan, goto=shared, action="goto"),
            "the LAN's addresses are true",
        )
    for prefix in request.internal_prefixes(IPV4):
        for address in addresses:
            yield (
                Rule(at[SharingKind.INTERNAL_FORGED], None, prefix, address, action="blackhole"),
                f"forged: these come in by {request.lan_names()} only",
            )
    for one, address in zip(request.shared, addresses, strict=True):
        for unmarked, by_protocol, reason in (
            (None, one.forwarded, "of the shared address these ports are forwarded"),
            (MARK, one.ports, "these are the NAT's, where no socket of the host waits"),
        ):
            for protocol, ranges in by_protocol:
                for ports in ranges:
                    yield (
                        Rule(
                            shared,
                            destination=address,
                            table=own_table,
                            protocol=protocol,
                            ports=ports,
                            unmarked=unmarked,
                        ),
                        reason,
                    )
        yield (
            Rule(
                shared,
                destination=address,
                table=own_table,
                protocol=IPPROTO_ICMP,
                unmarked=MARK,
            ),
            "and ICMP, of which it gives back what is the host's",
        )
    yield (
        Rule(at[SharingKind.NEXT], action="nop"),
        "where what it gives back goes on, to other runs that share the address",
    )
    yield (
        Rule(local, table=LOCAL_TABLE),
        "then what is the host's, which was the first of all rules",
    )
    yield (
        Rule(at[SharingKind.LOCAL_AGAIN], table=LOCAL_TABLE),
        "and once more: whichever rule others take away, the host can be reached",
    )
