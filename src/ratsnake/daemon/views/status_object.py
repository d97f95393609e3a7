"""What the running NAT tells about itself: the status object and its one-line form.

The status object, as `ratsnake status --json` prints it:

    version      str     ratsnake's version
    device       str     the TUN device
    pid          int
    uptime       int     seconds since ready
    since        str     when it was ready, in UTC, as in "2026-01-31T12:00:00Z"
    compiled     bool    whether the engine runs compiled
    offload      [str]   the offload features in use
    external     [{address, ports, follows, lost: str or null}]
                         the external addresses; their ports as --ports takes them, null for none;
                         the interface whose address it is, null for none, and why that has no
                         address now.  The last one stays until there is another; it is null where
                         there has been none yet
    types        {protocol: str}                             NAT type of each protocol
    host_types   [{prefix: str, types: {protocol: str}}]     NAT types of their own that hosts have
    host         {problems: [{what, command: str}], restored, guard_dropped, own_sockets: int}
                         what is wrong on this host now, and the command that helps, "" for none;
                         how many changes others had undone, and were made again; packets with an
                         inside source that were about to leave by the WAN and were dropped;
                         packets to a shared address that went to sockets of the host
    counters     {outbound, inbound: {packets, bytes: int}, icmp_errors_sent, fragments_held,
                  mappings_made, sessions_opened, gave_way: int, dropped: {reason: int}}
    rates        {outbound, inbound: {packets, bytes: float}, mappings_made, sessions_opened,
                  dropped: float}         a second, in the last five; null in the first second
    usage        {mappings, sessions, inbound_sessions, hosts: int,
                  limits: {mappings, sessions, inbound_sessions: int,
                           host_mappings: {protocol: int}, host_sessions, host_rate: int},
                  ports: {protocol: {used, total: int}}}
    memory       int     resident memory in kB
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Protocol


class Totals(Protocol):
    """What a NAT's totals were at one moment."""

    def counters(self) -> dict[str, Any]: ...
    def usage(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Outside:
    """An external address; the names are the status object's."""

    address: str | None
    ports: str | None
    follows: str | None = None
    lost: str | None = None


@dataclass(frozen=True)
class HostNatTypes:
    """What the hosts in a prefix have of their own; the names are the status object's."""

    prefix: str
    types: dict[str, str]


class Problem(Protocol):
    """What is wrong on the host, and the command that helps, "" for none."""

    @property
    def what(self) -> str: ...
    @property
    def command(self) -> str: ...


@dataclass(frozen=True)
class Facts:
    """What changes with the settings only; the names are the status object's."""

    version: str
    device: str
    compiled: bool
    offload: tuple[str, ...]
    external: tuple[Outside, ...]
    types: dict[str, str]
    host_types: tuple[HostNatTypes, ...] = ()
    problems: tuple[Problem, ...] = ()
    restored: int = 0
    guard_dropped: int = 0
    own_sockets: int = 0


@cache
def _statm() -> int:
    """Stays open: a status takes no descriptor, for there may be none left."""
    return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


def resident_memory() -> int:
    """Resident memory of this process in kB (proc(5): the second number of statm, in pages)."""
    pages = int(os.pread(_statm(), 200, 0).split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def status(
    facts: Facts,
    totals: Totals,
    uptime: float,
    rates: Mapping[str, Any] | None,
    clock: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """The status object; `uptime` in seconds, `clock` tells the time of day."""
    return {
        "version": facts.version,
        "device": facts.device,
        "pid": os.getpid(),
        "uptime": int(uptime),
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock() - uptime)),
        "compiled": facts.compiled,
        "offload": list(facts.offload),
        "external": [asdict(one) for one in facts.external],
        "types": facts.types,
        "host_types": [asdict(one) for one in facts.host_types],
        "host": {
            "problems": [{"what": one.what, "command": one.command} for one in facts.problems],
            "restored": facts.restored,
            "guard_dropped": facts.guard_dropped,
            "own_sockets": facts.own_sockets,
        },
        "counters": totals.counters(),
        "rates": rates,
        "usage": totals.usage(),
        "memory": resident_memory(),
    }


def summary(status: dict[str, Any]) -> str:
    """The status in one line, for the log."""
    counters, usage = status["counters"], status["usage"]
    ports = ", ".join(
        f"{protocol} {use['used']}/{use['total']}"
        for protocol, use in usage["ports"].items()
        if use["used"]
    )
    return (
        f"status: up {status['uptime']} s; {usage['mappings']} mappings,"
        f" {usage['sessions']} sessions; ports {ports or 'none'};"
        f" out {counters['outbound']['packets']} packets,"
        f" in {counters['inbound']['packets']} packets,"
        f" dropped {sum(counters['dropped'].values())}; memory {status['memory']} kB"
    )
