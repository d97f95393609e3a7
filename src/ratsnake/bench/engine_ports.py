"""What the last free port costs against the first, for every way to choose ports."""

from dataclasses import dataclass
from statistics import median

from ratsnake.nat.rules.behaviour import parse_behaviour
from ratsnake.portset import PortSet
from ratsnake.wire.packet_fields import UDP

from .engine_load import Load, RefusedError
from .engine_nat import BLOCKS, make_nat

UDP_IDLE = 300_000  # milliseconds: the default timeout
TIMES = 33  # the median is given
WELL_KNOWN = 1023


@dataclass(frozen=True)
class LastPort:
    """Nanoseconds for a new mapping while all of its `ports` are free, and while only one is."""

    policy: str
    situation: str
    ports: int
    first: float
    last: float
    ratio: float


@dataclass(frozen=True)
class Case:
    """Whose flows use the ports up, as arguments of `Load`.

    `used`: all ports serve others already, toward other remotes.  The ports begin at `lowest`,
    unless they are a set given as `line`.  `port_block`: the flows are of one host that gets blocks
    of so many ports.
    """

    policy: str
    situation: str
    flows: dict[str, int]
    used: bool = False
    lowest: int = WELL_KNOWN + 1
    line: str = ""
    port_block: int = 0

    def port_set(self, last: int) -> PortSet:
        """The external address's ports, of those up to `last` where no line says which."""
        return PortSet.parse(self.line) if self.line else PortSet.of([(self.lowest, last)])

    def ports(self, last: int) -> int:
        """How many of the ports up to `last` the flows may use."""
        if self.port_block:
            return self.port_block * BLOCKS
        wanted = self.flows["internal_port"]
        fitting = [
            port
            for port in self.port_set(last)
            if (port <= WELL_KNOWN) == (wanted <= WELL_KNOWN)
            and ("parity" not in self.policy or port % 2 == wanted % 2)
        ]
        return len(fitting)


# Many internal endpoints with the same port, toward one remote; or one of them toward many.
ONE_REMOTE = {"flows_per_host": 1, "internal_port": 4000, "remotes": 1}
ONE_INSIDE = {"flows_per_host": 0, "internal_port": 4000}
LOW_PORT = {**ONE_REMOTE, "internal_port": 500}
ONE_HOST = {"flows_per_host": 1000, "internal_port": 4000, "remotes": 1}
# 240 ports of a line with PSID 52 of 8 bits at offset 4.
MAP_E = ",".join(f"{first}-{first + 15}" for first in range(0x1340, 0x10000, 0x1000))

_SHARINGS = (
    ("eim/eif+exclusive", "many inside, one remote", ONE_REMOTE, (False,)),
    ("apdm/apdf+exclusive", "one inside, many remotes", ONE_INSIDE, (False,)),
    ("apdm/apdf+overload", "many inside, one remote", ONE_REMOTE, (False, True)),
    ("apdm/apdf+distinct", "one inside, many remotes", ONE_INSIDE, (False, True)),
)
CASES = (
    *(
        Case(f"{sharing}+{selection}", situation + ", all ports shared" * used, flows, used)
        for sharing, situation, flows, uses in _SHARINGS
        for selection in ("preserve", "random", "sequential")
        for used in uses
    ),
    Case("eim/eif+parity", "ports of one parity", ONE_REMOTE),
    Case("apdm/apdf+overload+parity", "ports of one parity, all ports shared", ONE_REMOTE, True),
    Case("apdm/apdf+distinct+parity", "ports of one parity, all ports shared", ONE_INSIDE, True),
    *(
        Case(
            f"apdm/apdf+{sharing}",
            "240 ports of a MAP-E line",
            flows,
            sharing != "exclusive",
            line=MAP_E,
        )
        for sharing, flows in (
            ("exclusive", ONE_REMOTE),
            ("overload", ONE_REMOTE),
            ("distinct+sequential", ONE_INSIDE),
        )
    ),
    Case("eim/apdf", "blocks of 64 ports", ONE_HOST, port_block=64),
    Case("apdm/apdf+overload", "blocks of 64 ports", ONE_HOST, port_block=64),
    Case("eim/eif", "ports from 1024 of all", ONE_REMOTE, lowest=1),
    Case("eim/eif", "ports below 1024 of all", LOW_PORT, lowest=1),
)


def measure(case: Case, last: int) -> LastPort:
    """With one address, whose ports end at `last`, at least 1100, unless the case has a line."""
    count = case.ports(last)
    nat = make_nat(
        parse_behaviour(case.policy),
        rows=2 * count,
        addresses=1,
        ports=case.port_set(last),
        rest=0,
        port_block=case.port_block,
    )
    loads = [Load(nat, UDP, count, **case.flows)]
    load = loads[0]
    load.open(0, count)  # so that no later one pays for pages that are touched for the first time
    load.wait(UDP_IDLE)
    load.sweep()
    if case.used:
        others = {**case.flows, "internal_port": 5000, "first_remote": count}
        loads.append(Load(nat, UDP, count, **others))
        loads[1].wait(load.now - loads[1].now)
        loads[1].open(0, count)
    first = median(_open_cold(load, k) for k in range(TIMES))
    load.open(TIMES, count - TIMES)
    took = median(_reopen_last(loads, count) for _ in range(TIMES))
    for each in loads:
        each.check()
    return LastPort(case.policy, case.situation, count, first, took, took / first)


def _reopen_last(loads: list[Load], count: int) -> int:
    """Let the last of the first load's flows end, and open it again."""
    load = loads[0]
    for _ in range(2):
        for each in loads:
            each.wait(UDP_IDLE // 3)
        for each, refreshed in zip(loads, (count - 1, count), strict=False):
            each.open(0, refreshed)
    for each in loads:
        each.wait(UDP_IDLE // 3)
    load.sweep()
    left = load.nat.usage()["sessions"]
    if left != len(loads) * count - 1:
        raise RefusedError(f"{left} sessions are left; right are {len(loads) * count - 1}")
    return _open_cold(load, count - 1)


def _open_cold(load: Load, flow: int) -> int:
    """With cold caches, for the first port as for the last, before which all others were used."""
    load.cool()
    return load.open(flow, 1)
