"""The engine by itself, without a device: every measurement, one after another."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ratsnake.nat.compiled_flag import COMPILED
from ratsnake.wire.packet_fields import TCP, UDP

from . import engine_gaps, engine_memory, engine_ports
from .engine_costs import PacketCost, SessionCost, opened, packet_costs, session_costs
from .engine_gaps import Gaps
from .engine_memory import Memory
from .engine_ports import LastPort

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured: table sizes, ascending; packets a measurement; the highest port."""

    sessions: tuple[int, ...]
    packets: int
    highest_port: int


FULL = Plan((1_000, 10_000, 100_000, 1_000_000), 1_000_000, 65_535)
QUICK = Plan((1_000, 10_000, 100_000), 200_000, 1023 + 4096)


@dataclass(frozen=True)
class EngineResult:
    """What was found out; the parts say what their numbers are."""

    compiled: bool
    packets: list[PacketCost]
    sessions: list[SessionCost]
    memory: Memory
    ports: list[LastPort]
    gaps: list[Gaps]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def run(quick: bool, progress: Progress) -> EngineResult:
    """Measure everything, telling `progress` in a line what comes next.

    Full: up to 1,000,000 sessions, about two minutes; `quick`: up to 100,000, some seconds.
    Raises RefusedError where the NAT drops a packet that it must not drop.
    """
    return measure(QUICK if quick else FULL, progress)


def measure(plan: Plan, progress: Progress) -> EngineResult:
    packets: list[PacketCost] = []
    most = plan.sessions[-1]
    progress("engine: memory")
    memory = engine_memory.measure(most)
    progress("engine: TCP packets")
    loads = {sessions: opened(TCP, sessions)[0] for sessions in plan.sessions}
    packets += packet_costs(TCP, loads, plan.packets)
    progress("engine: UDP packets")
    grown = {sessions: opened(UDP, sessions) for sessions in plan.sessions}
    loads = {sessions: load for sessions, (load, _) in grown.items()}
    packets += packet_costs(UDP, loads, plan.packets)
    progress("engine: new sessions")
    growing = {sessions: spent for sessions, (_, spent) in grown.items()}
    sessions = session_costs(loads, growing, packets)
    grown.clear()
    loads.clear()
    ports = []
    for case in engine_ports.CASES:
        progress(f"engine: the last free port, {case.policy}, {case.situation}")
        ports.append(engine_ports.measure(case, plan.highest_port))
    gaps = []
    progress("engine: gaps between packets")
    for seen in engine_gaps.measure(most, plan.packets):
        gaps.append(seen)
        progress(f"engine: gaps between packets, after: {seen.situation}")
    return EngineResult(COMPILED, packets, sessions, memory, ports, gaps)
