"""One soak, from the first flow to the last look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from ratsnake.daemon.control.control_client import ask
from ratsnake.daemon.user_errors import RunError
from ratsnake.lab import Topology
from soak.disturbances import DISTURBANCES, Disturbance, Router
from soak.floods import Floods
from soak.leaks import LeakWatch
from soak.live_flows import Record, TcpFlow, UdpFlow
from soak.memory import Memory
from soak.service import STATE_SECONDS, End, Service

RELOAD_SECONDS = 10.0
SAMPLE_SECONDS = 10.0
QUIET = (2.0, 6.0)  # seconds between two disturbances, from and to
RECOVERY_SECONDS = 90.0  # until both flows must answer again
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Plan:
    """For how long, and how many packets a second each flood sends at most.

    `once`: every disturbance once, in their order, and as long as that takes.
    """

    seconds: float
    seed: int
    rate: int
    once: bool = False


@dataclass
class Event:
    """One disturbance: how long the slower of the flows was silent after it (None: for good), and
    how many packets leaked."""

    at: float
    name: str
    silent: float | None
    leaked: int


@dataclass
class Seen:
    """What a soak has seen."""

    plan: Plan
    seconds: float = 0.0
    events: list[Event] = field(default_factory=list)
    flows: dict[str, Record] = field(default_factory=dict)
    ends: list[End] = field(default_factory=list)
    sent: tuple[int, ...] = ()
    reloads: int = 0
    leaked: int = 0
    memory: Memory = field(default_factory=Memory)
    counters: dict[str, Any] = field(default_factory=dict)
    status: int | None = None

    def row(self) -> dict[str, Any]:
        return asdict(self)


def soak(
    topology: Topology, plan: Plan, folder: Path, draw: Random, show: Callable[[str], None]
) -> Seen:
    """Returns what was seen; `show` gets a line of progress now and then."""
    started = time.monotonic()

    def clock() -> float:
        return time.monotonic() - started

    seen = Seen(plan)
    service = Service(topology, folder, clock)
    _until_ready(service)
    with (
        closing(LeakWatch(topology)) as leaks,
        closing(TcpFlow(topology, clock)) as tcp,
        closing(UdpFlow(topology, clock)) as udp,
    ):
        flows = (tcp, udp)
        _until(lambda: all(flow.record.answered for flow in flows), "both flows work")
        with closing(Floods(topology, plan.seed, plan.rate)) as floods:
            reload_at = sample_at = 0.0
            happens_at = clock() + QUIET[0]
            coming = iter(DISTURBANCES) if plan.once else _drawn(draw, clock)
            while clock() < plan.seconds:
                now = clock()
                service.keep_running()
                if now >= reload_at:
                    service.reload()
                    reload_at = now + RELOAD_SECONDS
                if now >= sample_at:
                    seen.memory.look(now, service.process(), service.helper())
                    sample_at = now + SAMPLE_SECONDS
                if now >= happens_at:
                    disturbance = next(coming, None)
                    if disturbance is None:
                        break
                    show(_progress(now, plan, disturbance, flows, leaks))
                    seen.events.append(_happen(disturbance, service, draw, flows, leaks, clock))
                    happens_at = clock() + draw.uniform(*QUIET)
                time.sleep(0.05)
            seen.sent = floods.sent()
        at, end = clock(), clock() + RECOVERY_SECONDS
        while not (answers := all(flow.silence() < 1.0 for flow in flows)) and clock() < end:
            service.keep_running()
            time.sleep(0.05)
        seen.events.append(Event(at, "the end", clock() - at if answers else None, 0))
        seen.counters = _counters(service)
        seen.flows = {flow.name: flow.record for flow in flows}
        seen.leaked = leaks.look()
    seen.seconds = clock()
    seen.ends, seen.reloads = service.ends, service.reloads
    seen.status = service.close()
    return seen


def _drawn(draw: Random, clock: Callable[[], float]) -> Iterator[Disturbance]:
    """Nobody is killed before the flows are in the state file."""
    while True:
        young = clock() < 2 * STATE_SECONDS
        possible = [one for one in DISTURBANCES if not (one.kills and young)]
        yield draw.choices(possible, [one.weight for one in possible])[0]


def _happen(
    disturbance: Disturbance,
    service: Service,
    draw: Random,
    flows: tuple[TcpFlow, UdpFlow],
    leaks: LeakWatch,
    clock: Callable[[], float],
) -> Event:
    """Let it happen, and wait until both flows answer again."""
    at, leaked = clock(), leaks.look()
    answered = [flow.record.answered for flow in flows]
    process = service.process()
    disturbance.happen(Router(service.topology, process, service.helper(), draw))
    over = clock()
    silent: float | None = None
    while clock() - over < RECOVERY_SECONDS:
        service.keep_running(expected=disturbance.kills and service.process() == process)
        if all(
            flow.record.answered > before and flow.record.last > over
            for flow, before in zip(flows, answered, strict=True)
        ):
            silent = clock() - over
            break
        time.sleep(0.02)
    return Event(at, disturbance.name, silent, leaks.look() - leaked)


def _progress(
    now: float,
    plan: Plan,
    disturbance: Disturbance,
    flows: tuple[TcpFlow, UdpFlow],
    leaks: LeakWatch,
) -> str:
    ended = sum(len(flow.record.ended) for flow in flows)
    return (
        f"{now:.0f} of {plan.seconds:.0f} s: {disturbance.name}; flows broken {ended},"
        f" packets leaked {leaks.look()}"
    )


def _counters(service: Service) -> dict[str, Any]:
    try:
        (answer,) = ask(str(service.control), "status")
    except RunError as error:
        return {"error": str(error)}
    return {"counters": answer["counters"], "usage": answer.get("usage")}


def _until_ready(service: Service) -> None:
    _until(service.is_ready, "the NAT is ready", _START_SECONDS)


def _until(condition: Callable[[], bool], what: str, seconds: float = RECOVERY_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not in {seconds:.0f} s: {what}")
        time.sleep(0.05)
