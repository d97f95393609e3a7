"""The events that a NAT on a bench has noted."""

from typing import Any

from .bench import Bench
from .flavours import Engine
from .packets import Endpoint

MAPPINGS, SESSIONS, REFUSALS, LIMITS = 1, 2, 4, 8


def read(engine: Engine, raw: bytes) -> list[Any]:
    record = engine.modules["nat.events.event_record"]
    return [record.EventFields(*one) for one in record.FORMAT.iter_unpack(raw)]


def taken(bench: Bench, most: int = 1 << 20) -> list[Any]:
    raw, lost = bench.nat.take_events(most)
    assert lost == 0
    return read(bench.engine, raw)


def endpoint(bench: Bench, high: int, low: int, port: int) -> Endpoint:
    return bench.engine.modules["nat.views.table_pages"].address_text(high, low), port


def listening(engine: Engine, wanted: int, *arguments: Any, **keywords: Any) -> Bench:
    bench = Bench(engine, *arguments, **keywords)
    bench.nat.listen(wanted)
    return bench
