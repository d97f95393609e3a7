"""The engine and the naive model are shown the same packets and say the same, bytes and tables.

Limits are small, so that they are reached.  All nine combinations of mapping and filtering are
tried, each with several ways to choose ports.

Sweeping is exact when the clock counts whole rounds of the timers' rings: then everything is
compared.  Otherwise nothing is swept, and what has expired may still be in the way of a new port or
of a limit, but must not show itself in any other way.
"""

from ipaddress import ip_address, ip_network
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.pair import EXTERNALS, PROTOCOLS, Pair
from ratsnake.nat.rules.behaviour import parse_behaviour
from support.flavours import Engine, load
from support.properties import examples

INTERNAL = ("192.168.1.0/24", "2001:db8:1::/64")
PORTS = "1022-1026"
TIMEOUTS = {
    **{"tcp_established": 100, "tcp_opening": 10, "tcp_closing": 20},
    **{"udp": 30, "icmp": 15, "rest": 12},
}
ROOM = {
    "mappings": 60,
    "sessions": 80,
    "inbound_sessions": 30,
    "unanswered_sessions": 30,
    "host_share": 100,  # what a host may have, and what makes room, have tests of their own
}
LIMITS: dict[str, dict[str, int]] = {
    "room": {},
    "mappings": {"mappings": 5},
    "sessions": {"sessions": 7},
    "outsiders": {"inbound_sessions": 3},
    "unanswered": {"unanswered_sessions": 2},
    "hosts": {"host_mappings": 3, "host_sessions": 4},
}
COMBINATIONS = [f"{m}/{f}" for m in ("eim", "adm", "apdm") for f in ("eif", "adf", "apdf")]
WAYS = (
    *("", "+parity", "+sequential", "+sticky", "+preserve+parity", "+preserve+sticky"),
    *("+overload", "+overload+sticky", "+overload+preserve", "+overload+sequential+sticky"),
    *("+distinct+sequential", "+distinct+sequential+parity", "+distinct+preserve"),
)
STEPS = (
    *("open", "open", "open", "reply", "reply", "reply", "again", "answer", "answer", "call"),
    *("knock", "knock", "error", "error", "wait", "odd", "talk", "talk"),
)
# Many short lists make longer examples than one list does, and shrink as well.
STEP = st.tuples(st.sampled_from(STEPS), st.integers(0, 1 << 40))


def make_settings(engine: Engine, kind: str, limits: str, pooling: str) -> Any:
    modules = engine.modules
    behaviour = modules["nat.rules.behaviour"].parse_behaviour(kind)
    addresses = [ip_address(address) for address in EXTERNALS[4] + EXTERNALS[6]]
    return engine.Settings(
        externals=tuple(engine.External(x, engine.PortSet.parse(PORTS)) for x in addresses),
        internal=tuple(ip_network(prefix) for prefix in INTERNAL),
        **dict.fromkeys(PROTOCOLS, behaviour),
        pooling=modules["nat.settings.setting_types"].Pooling(pooling),
        timeouts=engine.Timeouts(**TIMEOUTS, unanswered=0),
        limits=engine.Limits(**{**ROOM, **LIMITS[limits]}, fragments=4, icmp_errors=0),
    )


def works(kind: str) -> bool:
    try:
        parse_behaviour(kind)
    except ValueError:
        return False
    return True


EACH_COMBINATION = pytest.mark.parametrize("combination", COMBINATIONS)
DRAWN = given(
    way=st.sampled_from(WAYS),
    limits=st.sampled_from(sorted(LIMITS)),
    pooling=st.sampled_from(("paired", "arbitrary")),
    protocols=st.sampled_from((PROTOCOLS, *[(protocol,) for protocol in PROTOCOLS])),
    versions=st.sampled_from(((4, 6), (4,), (6,))),
    sweeps=st.sampled_from((True, True, False)),
    stretches=st.lists(st.lists(STEP, max_size=30), min_size=8),
)


@EACH_COMBINATION
@examples(100, sanitized=25)
@DRAWN
def test_the_compiled_engine_and_the_model_agree(combination: str, **drawn: Any) -> None:
    agree(load("compiled"), combination, **drawn)


@EACH_COMBINATION
@examples(10)
@DRAWN
def test_the_interpreted_engine_and_the_model_agree(combination: str, **drawn: Any) -> None:
    agree(load("interpreted"), combination, **drawn)


def agree(
    engine: Engine,
    combination: str,
    way: str,
    limits: str,
    pooling: str,
    protocols: tuple[str, ...],
    versions: tuple[int, ...],
    sweeps: bool,
    stretches: list[list[tuple[str, int]]],
    kind_of_pair: type[Pair] = Pair,
) -> None:
    kind = combination + way if works(combination + way) else combination
    limits = limits if sweeps else "room"
    pair = kind_of_pair(
        engine, make_settings(engine, kind, limits, pooling), protocols, versions, sweeps
    )
    for name, number in chain(*stretches):
        pair.step(name, number)
    pair.end()
    if limits not in ("mappings", "sessions"):
        pair.fill()
