"""Results of benchmarks that were never run."""

from ratsnake.bench.engine_bench import EngineResult
from ratsnake.bench.engine_costs import PacketCost, SessionCost
from ratsnake.bench.engine_gaps import Gaps
from ratsnake.bench.engine_memory import Memory
from ratsnake.bench.engine_ports import LastPort
from ratsnake.bench.result import Failure, Result, Round

ENGINE = EngineResult(
    True,
    [
        PacketCost("tcp", "random", 1_000, 40.0, 1.0),
        PacketCost("tcp", "random", 100_000, 120.0, 3.0),
    ],
    [SessionCost(1_000, 400.0, 4.5, 100.0, 1234.0)],
    Memory(100_000, 18_000, 400, 16_000, 159.6),
    [LastPort("eim/eif+exclusive+random", "many inside", 4_096, 250.0, 500.0, 2.0)],
    [Gaps("nothing else", 200_000, 70, 1_000, 2_000, 28_000, 1_500, 2_100)],
)


def result(
    *rounds: dict[str, dict[str, float]],
    peer: bool = False,
    busy: float = 0.01,
    failures: tuple[Failure, ...] = (),
    engine: EngineResult | None = None,
) -> Result:
    """One with these values, by contestant and measure, in its rounds."""
    commands: dict[str, str | None] = {"ratsnake": None, "null": None, "masquerade": None}
    if peer:
        commands["other"] = "exec other --tun"
    return Result(
        date="2026-01-02T03:04:05+00:00",
        quick=False,
        machine={"processor": "Imagined 9000", "cores": 2, "kernel": "6.12.0"},
        versions={"ratsnake": "0.1.0", "engine": "compiled", "iperf3": "3.12"},
        commands=commands,
        rounds=[Round(list(commands), values, 1.5, busy, 0.002, 0.013) for values in rounds],
        failures=list(failures),
        seconds=432.1,
        engine=engine,
    )
