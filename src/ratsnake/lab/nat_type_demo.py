"""`ratsnake demo`: every NAT type at work between a LAN and an internet, observed from outside.

For each type the NAT is started twice: as a user would run it, to be observed and to carry traffic,
and with a few ports only, to see the mapping under competition (`expected` tells why).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from . import ping_and_traceroute, traffic_generator
from .contested_mapping_probe import CONTESTED_PORTS, observe_contested
from .demo_table import Row, table, verdict
from .expected_behaviour import EXPECTED
from .namespace_privilege import PrivilegeError, enter_privileged
from .nat_probe import observe
from .probe_transport import ProbeError
from .router_nat import GatewayError, masquerade, nat, nft_program
from .topology import ROUTER_NAT, Topology

_OCTETS = 64 << 20
_SECONDS = 1.5
_HOP_TTL = 2  # the first to answer behind the NAT: the router itself, by the NAT's device
_FASTEST = "full-cone"

#: What can go wrong with one type and leaves the others worth trying.
_FAILURES = (
    GatewayError,
    ProbeError,
    ping_and_traceroute.PathError,
    traffic_generator.TrafficError,
    OSError,
)

Step = tuple[str, Callable[[Topology, Row], None]]


def main() -> int:
    """Run the demo on standard output; the exit status is 1 when anything was unexpected."""
    start = time.monotonic()
    try:
        how = enter_privileged()
    except PrivilegeError as error:
        print(f"ratsnake: error: the demo cannot run here: {error}", file=sys.stderr)
        return 1
    _say(f"ratsnake demo as {how}: {len(EXPECTED)} NAT types between a LAN and an internet\n\n")
    rows = [_row(nat_type) for nat_type in EXPECTED]
    _say(f"\n{table(rows, coloured=sys.stdout.isatty())}\n")
    for row in rows:
        for failure in row.failures:
            _say(f"{row.nat_type}: {failure}\n")
    measured = _throughput()
    good = sum(row.ok for row in rows)
    _say(f"{good} of {len(rows)} types as expected, in {time.monotonic() - start:.0f} s\n")
    return 0 if measured and good == len(rows) else 1


def _row(nat_type: str) -> Row:
    row = Row(nat_type)
    _say(f"{nat_type:26}")
    _steps(row, _AS_RUN, None)
    _steps(row, _CONTESTED, CONTESTED_PORTS)
    said = "ok" if row.ok else "NOT AS EXPECTED"
    _say(f" {verdict(row.ok, said, sys.stdout.isatty())}\n")
    return row


def _steps(row: Row, steps: Sequence[Step], ports: str | None) -> None:
    """Take the steps with a NAT of their own; one that fails is noted and the next is tried."""
    try:
        with Topology(hosts=2) as topology, nat(topology, row.nat_type, ports=ports):
            for name, step in steps:
                _say(f" {name}")
                try:
                    step(topology, row)
                except _FAILURES as error:
                    row.failures.append(f"{name}: {error}")
    except _FAILURES as error:
        row.failures.append(str(error))


def _observe(topology: Topology, row: Row) -> None:
    row.observation = observe(topology)


def _ping(topology: Topology, row: Row) -> None:
    ping_and_traceroute.ping(
        topology.hosts[0], topology.remotes[0]
    )  # finds neighbours and makes the mapping
    row.ping = ping_and_traceroute.ping(topology.hosts[0], topology.remotes[0])


def _download(topology: Topology, row: Row) -> None:
    row.download = traffic_generator.download(topology, _OCTETS)


def _exchange(topology: Topology, row: Row) -> None:
    row.exchanges = traffic_generator.exchange(topology)


def _hop(topology: Topology, row: Row) -> None:
    row.hop = ping_and_traceroute.probe_hop(topology.hosts[0], topology.remotes[0], _HOP_TTL)
    if row.hop != ping_and_traceroute.Hop(ROUTER_NAT, arrived=False):
        raise ping_and_traceroute.PathError(
            f"{row.hop or 'nobody'} answered, not the router at {ROUTER_NAT}"
        )


def _contest(topology: Topology, row: Row) -> None:
    if row.observation is not None:
        # Random ports need no competitor to differ: what was seen alone is never unseen again.
        row.contested = max(row.observation.alone, observe_contested(topology))


_AS_RUN: tuple[Step, ...] = (
    ("mapping+filtering", _observe),
    ("ping", _ping),
    ("TCP", _download),
    ("UDP", _exchange),
    ("hop", _hop),
)
_CONTESTED: tuple[Step, ...] = (("contested", _contest),)


def _throughput() -> bool:
    """One line; kernel NAT is measured where nft is, ratsnake always."""
    _say("Throughput of one TCP stream: ")
    try:
        ours = _measure(lambda topology: nat(topology, _FASTEST))
        _say(f"ratsnake {_FASTEST} {ours:.1f} Gb/s")
        if nft_program() is None:
            _say(" (kernel masquerade: nft is not installed)\n")
            return True
        kernel = _measure(masquerade)
        _say(f", kernel masquerade {kernel:.1f} Gb/s ({ours / kernel:.2f} of it)\n")
    except _FAILURES as error:
        _say(f"not measured: {error}\n")
        return False
    return True


def _measure(gateway: Callable[[Topology], AbstractContextManager[object]]) -> float:
    with Topology() as topology, gateway(topology):
        return traffic_generator.throughput(topology, _SECONDS).gigabits


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
