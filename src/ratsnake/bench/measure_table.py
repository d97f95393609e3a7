"""What is measured, as a table: trials, each a run of load through one contestant, and what each
of them measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from . import trials_tcp, trials_udp
from .contestants import Site


class Measure(NamedTuple):
    """A number: how it is called in JSON, its heading, its unit, and whether less is better.

    `compared`: a ratio of two contestants says something (not where 0 is what is hoped for).
    """

    key: str
    heading: str
    unit: str
    less: bool = False
    compared: bool = True


class Seconds(NamedTuple):
    """How long a trial holds its load, in a full run and in a quick one."""

    full: float
    quick: float


@dataclass(frozen=True)
class Trial:
    """`run(site, seconds)` gives values by the keys of `measures`; those it has none for are left
    out (the kernel has no process whose memory could be asked)."""

    name: str
    summary: str
    measures: tuple[Measure, ...]
    seconds: Seconds
    run: Callable[[Site, float], Mapping[str, float]]
    programs: tuple[str, ...] = ()


def _stream(name: str, streams: int, back: bool) -> Trial:
    way = "back" if back else "out"
    many = "one stream" if streams == 1 else f"{streams} streams"

    rate = Measure(name, f"TCP, {many} {way}", "Gb/s")
    cpu = Measure(f"{name}-cpu", f"CPU, TCP {many} {way}", "ms/Gb", less=True)
    measures = (rate, cpu) if streams == 1 else (rate,)

    def run(site: Site, seconds: float) -> Mapping[str, float]:
        told = trials_tcp.stream(site, seconds, streams, back)
        found = {rate.key: told["rate"]}
        if cpu in measures and "cpu" in told:
            found[cpu.key] = told["cpu"]
        return found

    return Trial(
        name,
        f"TCP, {many} {way}, by iperf3",
        measures,
        Seconds(2, 1),
        run,
        ("iperf3",),
    )


def _round_trip(site: Site, seconds: float) -> Mapping[str, float]:
    told = trials_udp.round_trip(site, seconds)
    return {"udp-rtt-p50": told["50"], "udp-rtt-p99": told["99"]}


def _many_flows(site: Site, seconds: float) -> Mapping[str, float]:
    return {f"flows-{key}": value for key, value in trials_udp.many_flows(site, seconds).items()}


#: In the order in which they are run: what leaves much behind in the tables comes last.
TRIALS: tuple[Trial, ...] = (
    _stream("tcp-1-out", 1, back=False),
    _stream("tcp-1-back", 1, back=True),
    _stream("tcp-4-out", 4, back=False),
    _stream("tcp-4-back", 4, back=True),
    Trial(
        "udp-rtt",
        "round trip of 64-byte UDP, by sockperf",
        (
            Measure("udp-rtt-p50", "UDP round trip, p50", "µs", less=True),
            Measure("udp-rtt-p99", "UDP round trip, p99", "µs", less=True),
        ),
        Seconds(2, 1),
        _round_trip,
        ("sockperf",),
    ),
    Trial(
        "udp-flood",
        "64-byte UDP, one flow, sent as fast as possible: how much arrives",
        (Measure("udp-flood", "UDP flood, received", "kpps"),),
        Seconds(1, 0.5),
        lambda site, seconds: {"udp-flood": trials_udp.flood(site, seconds)},
    ),
    Trial(
        "udp-rate",
        "64-byte UDP, one flow: the highest rate at which less than 1 % is lost",
        (Measure("udp-rate", "UDP at < 1 % loss", "kpps"),),
        Seconds(0.4, 0.2),
        lambda site, seconds: {"udp-rate": trials_udp.lossless(site, seconds)},
    ),
    Trial(
        "tcp-connect",
        "TCP connections opened and closed, four at a time",
        (Measure("tcp-connect", "TCP connect + close", "1/s"),),
        Seconds(1.5, 0.7),
        lambda site, seconds: {"tcp-connect": trials_tcp.connections(site, seconds)},
    ),
    Trial(
        "flows",
        "100,000 datagrams/s over 50,000 existing flows: how many are lost",
        (
            Measure("flows-loss", "lost, 50,000 flows", "%", less=True, compared=False),
            Measure("flows-cpu", "CPU, 50,000 flows", "µs/packet", less=True),
            Measure("flows-memory", "memory, 50,000 flows", "MB", less=True),
        ),
        Seconds(2, 0.5),
        _many_flows,
    ),
)

MEASURES: tuple[Measure, ...] = tuple(measure for trial in TRIALS for measure in trial.measures)
