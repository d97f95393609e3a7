"""What `ratsnake bench` prints of the engine by itself."""

from collections.abc import Iterator, Sequence

from ..bench.engine_bench import EngineResult
from ..bench.engine_costs import PacketCost, SessionCost
from ..bench.engine_gaps import Gaps
from ..bench.engine_memory import Memory
from ..bench.engine_ports import LastPort
from .text_format import Column, columns, number

_THOUSAND = 1000.0


def engine_lines(engine: EngineResult) -> Iterator[str]:
    """A table for each kind of measurement, an empty line behind each."""
    yield f"The engine alone ({'compiled' if engine.compiled else 'interpreted'})"
    yield ""
    for part in (
        _packets(engine.packets),
        _sessions(engine.sessions),
        _memory(engine.memory),
        _gaps(engine.gaps),
        _ports(engine.ports),
    ):
        yield from part
        yield ""


def _packets(costs: Sequence[PacketCost]) -> Iterator[str]:
    sizes = sorted({cost.sessions for cost in costs})
    found = {(cost.protocol, cost.order, cost.sessions): cost for cost in costs}
    kinds = list(dict.fromkeys((cost.protocol, cost.order) for cost in costs))
    headings = [Column("ns a packet, of so many sessions")]
    headings += [Column(f"{size:,}", number=True) for size in sizes]
    rows = []
    for protocol, order in kinds:
        line = [found.get((protocol, order, size)) for size in sizes]
        cells = [number(cost.nanoseconds if cost else None) for cost in line]
        last = line[-1]
        ratio = number(last.ratio if last else None)
        rows.append([f"{protocol.upper()}, {order}", *cells, ratio])
    yield from columns([*headings, Column("last/first", number=True)], rows)


def _sessions(costs: Sequence[SessionCost]) -> Iterator[str]:
    yield from columns(
        [
            Column("ns a UDP session, beside so many"),
            Column("opened", number=True),
            Column("to a packet", number=True),
            Column("while growing", number=True),
            Column("expired", number=True),
        ],
        [
            [
                f"{cost.sessions:,}",
                number(cost.opening),
                number(cost.ratio),
                number(cost.growing),
                number(cost.expiring),
            ]
            for cost in costs
        ],
    )


def _memory(memory: Memory) -> Iterator[str]:
    yield (
        f"{memory.bytes_a_session:.0f} bytes a UDP mapping with its session, at"
        f" {memory.sessions:,}; {memory.empty_kb:,} kB without any"
    )


def _ports(costs: Sequence[LastPort]) -> Iterator[str]:
    yield from columns(
        [
            Column("ns for a free port"),
            Column(""),
            Column("first", number=True),
            Column("last", number=True),
            Column("last/first", number=True),
        ],
        [
            [
                cost.policy,
                cost.situation,
                number(cost.first),
                number(cost.last),
                number(cost.ratio),
            ]
            for cost in costs
        ],
    )


def _gaps(gaps: Sequence[Gaps]) -> Iterator[str]:
    # The NAT's own: without the time for which the system took the processor away.
    headings = ("p50", "p99", "p99.99", "largest", "own p99.99", "own largest")
    yield from columns(
        [Column("µs between packets, during"), *(Column(name, number=True) for name in headings)],
        [
            [gap.situation]
            + [
                number(nanoseconds / _THOUSAND)
                for nanoseconds in (
                    *(gap.p50, gap.p99, gap.p99_99, gap.largest),
                    *(gap.own_p99_99, gap.own_largest),
                )
            ]
            for gap in gaps
        ],
    )
