"""What happens to a router, as a table: each a function of the router and how often it comes.

A disturbance undoes itself what nobody else would put back (a link comes up again); what ratsnake
has installed is for ratsnake to put back.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ratsnake.lab import Topology
from ratsnake.lab.topology import LAN_INTERFACE, WAN_INTERFACE

DEVICE = "ratsnake"
_RULES_OF_THE_KERNEL = (("32766", "main"), ("32767", "default"))


@dataclass(frozen=True)
class Router:
    """The router and the processes of the NAT on it: the one that moves packets, and its helper
    with the privileges (0 while there is none)."""

    topology: Topology
    nat: int
    helper: int
    draw: Random

    def ip(self, *words: str) -> str:
        """What `ip` with these words printed; that it fails is no fault."""
        return self.command("ip", *words)

    def command(self, *words: str, text: str | None = None) -> str:
        process = self.topology.router.popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return str(process.communicate(text)[0])

    def kill(self, process: int, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if process:
                os.kill(process, number)


@dataclass(frozen=True)
class Disturbance:
    """`weight`: how often it comes, beside the others.  `kills`: the NAT ends with it."""

    name: str
    happen: Callable[[Router], None]
    weight: int = 4
    kills: bool = False


def _flush_rules(router: Router) -> None:
    """As programs do that own all rules: the kernel's own come back at once, others' do not."""
    router.ip("rule", "flush")
    for priority, table in _RULES_OF_THE_KERNEL:
        router.ip("rule", "add", "priority", priority, "lookup", table)


def _delete_a_rule(router: Router) -> None:
    rules = [line for line in router.ip("rule", "show").splitlines() if "proto 82" in line]
    if rules:
        priority, _, selector = router.draw.choice(rules).partition(":")
        router.ip("rule", "del", "priority", priority, *selector.split("proto")[0].split())


def _flush_routes(router: Router) -> None:
    router.ip("route", "flush", "proto", "82", "table", "all")


def _flush_neighbours(router: Router) -> None:
    router.ip("neigh", "flush", "all")
    for line in router.ip("neigh", "show", "proxy").splitlines():
        router.ip("neigh", "del", "proxy", line.split()[0], "dev", WAN_INTERFACE)


def _down_and_up(interface: str) -> Callable[[Router], None]:
    def happen(router: Router) -> None:
        router.ip("link", "set", interface, "down")
        time.sleep(router.draw.uniform(0.1, 1.0))
        router.ip("link", "set", interface, "up")

    return happen


def _rename(interface: str) -> Callable[[Router], None]:
    def happen(router: Router) -> None:
        for old, new in ((interface, "renamed0"), ("renamed0", interface)):
            router.ip("link", "set", old, "down")
            router.ip("link", "set", old, "name", new)
            router.ip("link", "set", new, "up")
            time.sleep(0.5)

    return happen


def _stop_forwarding(router: Router) -> None:
    router.topology.router.sysctl("net.ipv4.ip_forward", 0)


def _strict_paths(router: Router) -> None:
    before = router.topology.router.sysctl("net.ipv4.conf.all.rp_filter", 1)
    time.sleep(0.5)
    router.topology.router.sysctl("net.ipv4.conf.all.rp_filter", before)


def _drop_forwarded(router: Router) -> None:
    """As Docker does when it starts, until somebody mends it."""
    chain = "type filter hook forward priority 0; policy drop;"
    router.command("nft", "-f", "-", text=f"table ip docker {{ chain FORWARD {{ {chain} }} }}")
    time.sleep(router.draw.uniform(0.2, 1.0))
    router.command("nft", "delete", "table", "ip", "docker")


def _flush_nftables(router: Router) -> None:
    router.command("nft", "flush", "ruleset")


def _remove_classifiers(router: Router) -> None:
    router.command("tc", "qdisc", "del", "dev", WAN_INTERFACE, "clsact")


def _replace_queue(router: Router) -> None:
    router.command("tc", "qdisc", "replace", "dev", WAN_INTERFACE, "root", "pfifo")
    router.command("tc", "qdisc", "del", "dev", WAN_INTERFACE, "root")


def _narrow_wan(router: Router) -> None:
    for mtu in ("1400", "1500"):
        router.ip("link", "set", WAN_INTERFACE, "mtu", mtu)
        time.sleep(0.5)


def _hold_the_helper(router: Router) -> None:
    router.kill(router.helper, signal.SIGSTOP)
    time.sleep(2.0)
    router.kill(router.helper, signal.SIGCONT)


DISTURBANCES: tuple[Disturbance, ...] = (
    Disturbance("ip rule flush", _flush_rules),
    Disturbance("one rule deleted", _delete_a_rule, 8),
    Disturbance("routes flushed", _flush_routes),
    Disturbance("neighbours flushed", _flush_neighbours),
    Disturbance("device down and up", _down_and_up(DEVICE)),
    Disturbance("WAN down and up", _down_and_up(WAN_INTERFACE)),
    Disturbance("LAN down and up", _down_and_up(LAN_INTERFACE)),
    Disturbance("WAN renamed and back", _rename(WAN_INTERFACE), 2),
    Disturbance("LAN renamed and back", _rename(LAN_INTERFACE), 2),
    Disturbance("ip_forward=0", _stop_forwarding),
    Disturbance("strict rp_filter for a moment", _strict_paths),
    Disturbance("forwarding dropped for a moment", _drop_forwarded),
    Disturbance("nft flush ruleset", _flush_nftables),
    Disturbance("clsact deleted", _remove_classifiers),
    Disturbance("root queue replaced", _replace_queue),
    Disturbance("WAN's MTU changed", _narrow_wan),
    Disturbance("helper stopped for 2 s", _hold_the_helper, 2),
    Disturbance(
        "kill -9 of the helper", lambda router: router.kill(router.helper, signal.SIGKILL), 1
    ),
    Disturbance(
        "kill -9 of the NAT", lambda router: router.kill(router.nat, signal.SIGKILL), 1, kills=True
    ),
)


def helper_of(process: int) -> int:
    """The process that holds the NAT's privileges, its child; 0 if there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            if name.startswith("ratsnake-") and int(rest.split()[1]) == process:
                return int(folder.name)
    return 0
