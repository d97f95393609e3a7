"""What `explain` says is what `translate` then does, and nothing is different for having asked.

Two NATs are shown the same random packets; one of them is asked about each before.
"""

import random
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network
from typing import Any

import pytest

from support.bench import EXTERNAL, INSIDE, R1, R2, SECOND, SEED, Bench, settings
from support.flavours import Engine, load
from support.packets import Buffer, Endpoint, seen, tcp
from support.traffic import Traffic

TIMEOUTS = {"udp": 60, "icmp": 20, "tcp_opening": 30, "tcp_closing": 20, "rest": 12}
SMALL = {"mappings": 40, "sessions": 60, "inbound_sessions": 10, "unanswered_sessions": 4}
FEW = {**SMALL, "host_mappings": 6, "host_sessions": 9, "host_rate": 2}
ROUND = 1024  # ms, in which the order of expiry says nothing (see session_table.py)
OTHER_EXTERNAL = "203.0.113.2"
HOST = (INSIDE, 4000)

PRESSED = {"unanswered": 1}  # second
HOST_TYPES = {
    "192.168.1.1": "full-cone",
    "192.168.1.2": "quasi-port-restricted-cone",
    "192.168.1.0/30": "eim/adf+parity",
}
# NAT type, ports, limits, what else.
Scene = tuple[str, str, dict[str, int], dict[str, Any]]
SCENES: dict[str, Scene] = {
    **{preset: (preset, "2000-2011,3000", SMALL, {}) for preset in load("interpreted").PRESETS},
    "few": ("full-cone", "2000-2011", FEW, {}),
    "room": ("port-restricted-cone", "1-65535", {}, {}),
    "preserve": ("eim/adf+preserve+parity", "1,80,443,5000-5003", SMALL, {}),
    "sequential": ("apdm/apdf+overload+sequential+sticky", "2000-2005", SMALL, {}),
    "distinct": ("adm/apdf+distinct+sequential", "2000-2005", SMALL, {}),
    "overload": ("apdm/adf+overload+preserve", "80,443,5000,5001", SMALL, {}),
    "forwards": (
        "quasi-restricted-cone",
        "80,443,2000-2005",
        SMALL,
        {"forward": ("tcp+udp:80=192.168.1.10:443", "udp:443=192.168.1.1:5000@198.51.100.1")},
    ),
    "one-to-one": (
        "full-cone",
        "2000-2005",
        SMALL,
        {"one_to_one": (f"{OTHER_EXTERNAL}=192.168.1.3",)},
    ),
    "shared": ("full-cone", "2000-2005", SMALL, {"shared": True}),
    "no-nat": ("full-cone", "2000-2005", SMALL, {"no_nat": (ip_network("198.51.100.2/32"),)}),
    "blocks": ("full-cone", "2000-2039", FEW, {"port_block": 4, "blocks_per_host": 2}),
    "computed": (
        "port-restricted-cone",
        "2000-2255",
        SMALL,
        {"port_block": 1, "deterministic": True},
    ),
    "room is made": ("port-restricted-cone", "2000-2005", {**SMALL, "mappings": 12}, PRESSED),
    "of sessions": ("full-cone", "2000-2099", {**SMALL, "sessions": 12}, PRESSED),
    "in blocks": (
        "full-cone",
        "2000-2007",
        SMALL,
        {"port_block": 4, "blocks_per_host": 1, **PRESSED},
    ),
    "of half-open ones": (
        "full-cone",
        "80,2000-2005",
        {**SMALL, "inbound_sessions": 2},
        {"forward": ("tcp:80=192.168.1.10:443",), **PRESSED},
    ),
    "arbitrary": ("quasi-restricted-cone", "2000-2003", SMALL, {"pooling": "arbitrary"}),
    **{
        f"hosts, {kind}": (kind, "2000-2011,3000", SMALL, {"hosts": HOST_TYPES})
        for kind in ("quasi-restricted-cone", "symmetric", "full-cone")
    },
    "hosts, few": (
        "quasi-symmetric",
        "80,2000-2005",
        FEW,
        {"hosts": HOST_TYPES, "pooling": "arbitrary", **PRESSED},
    ),
    "hosts, blocks": (
        "quasi-symmetric",
        "2000-2039",
        FEW,
        {"hosts": HOST_TYPES, "port_block": 4, "blocks_per_host": 2},
    ),
}


def make_settings(engine: Engine, scene: Scene) -> Any:
    kind, ports, limits, more = scene
    parse = engine.modules["nat.rules.behaviour"].parse_behaviour
    forward = engine.modules["nat.settings.static_forward_text"]
    keywords = dict(more)
    shared = keywords.pop("shared", False)
    unanswered = keywords.pop("unanswered", 0)
    rules = tuple(map(forward.parse_forward, keywords.pop("forward", ())))
    pairs = tuple(map(forward.parse_one_to_one, keywords.pop("one_to_one", ())))
    if "hosts" in keywords:
        keywords["hosts"] = tuple(
            engine.modules["nat.settings.host_types"].HostTypes(
                ip_network(prefix), **dict.fromkeys(("tcp", "udp", "icmp"), parse(name))
            )
            for prefix, name in keywords["hosts"].items()
        )
    if "pooling" in keywords:
        keywords["pooling"] = engine.modules["nat.settings.setting_types"].Pooling(
            keywords["pooling"]
        )
    addresses = [(EXTERNAL, engine.PortSet.parse(ports))]
    if pairs or "pooling" in keywords:
        addresses.append((OTHER_EXTERNAL, None if pairs else addresses[0][1]))
    return settings(
        engine,
        "full-cone",
        timeouts={**TIMEOUTS, "unanswered": unanswered},
        limits=limits,
        externals=tuple(engine.External(IPv4Address(one), its, shared) for one, its in addresses),
        **dict.fromkeys(("tcp", "udp", "icmp"), parse(kind)),
        forwards=rules + pairs,
        **keywords,
    )


def asked(engine: Engine, nat: Any, packet: Buffer, now: int) -> Any:
    """The explanation of a packet; None where it has no 5-tuple to ask about."""
    fault, fields = engine.modules["wire.parsed_values"].inspect(bytearray(packet))
    if fault or fields["is_error"] or fields["fragment"]:
        return None
    text = engine.modules["nat.views.table_pages"].address_text
    names = engine.modules["nat.views.row_tuples"].PROTOCOL_NAMES
    ends = [
        (ip_address(text(fields[f"{end}_high"], fields[f"{end}_low"])), fields[f"{end}_port"])
        for end in ("source", "destination")
    ]
    return nat.explain(names[fields["protocol"]], *ends, now, fields["kind"])


def agrees(told: tuple[str | None, int | None], is_so: Endpoint) -> bool:
    return told[0] in (None, is_so[0]) and told[1] in (None, is_so[1])


def compare(engine: Engine, scene: Scene, seed: int, count: int, swept: bool) -> set[str]:
    """Shows both NATs so many packets; every verdict there was."""
    made = make_settings(engine, scene)
    nat, untold = (engine.Nat(made, SEED) for _ in range(2))
    traffic, chance, now = Traffic(seed), random.Random(seed), 0
    verdicts = set()
    for _ in range(count):
        if swept:
            now += chance.choice((0, 0, 0, 0, 0, ROUND, 30 * ROUND))
            while nat.expire(now):
                pass
            while untold.expire(now):
                pass
        else:
            now += chance.choice((0, 0, 1, 40, 999, 3 * SECOND, 20 * SECOND))
        packet = traffic.packet()
        explained = asked(engine, nat, packet, now)
        first, second = bytearray(packet), bytearray(packet)
        verdict = engine.REASONS[nat.translate(first, now)].name
        assert engine.REASONS[untold.translate(second, now)].name == verdict
        assert first == second
        if verdict == "translated" and explained is not None:
            traffic.learn(first)
        if explained is None:
            continue
        verdicts.add(verdict)
        if explained.direction == "hairpin" and not swept:
            # Who calls an endpoint that has expired may notice that.
            continue
        if not explained.certain:
            is_pressed = any("ends for it" in step for step in explained.steps)
            assert explained.direction == "hairpin" or is_pressed
            verdicts.add(f"{explained.verdict}?")
            continue
        assert explained.verdict == verdict, explained
        if verdict == "translated":
            became = seen(first + bytes(8))
            source, destination = explained.becomes
            if packet[9] not in (6, 17):
                # Of others only the addresses are where both sides look for them.
                source, destination = (source[0], None), (destination[0], None)
            assert agrees(source, became.source), explained
            assert agrees(destination, became.destination), explained
    assert nat.counters() == untold.counters()
    assert nat.usage() == untold.usage()
    return verdicts


@pytest.mark.parametrize("scene", SCENES)
def test_it_is_what_happens(scene: str) -> None:
    verdicts = compare(load("compiled"), SCENES[scene], sorted(SCENES).index(scene), 6000, True)
    assert {"translated", "no-mapping", "not-syn"} <= verdicts


@pytest.mark.parametrize("scene", ["few", "forwards", "blocks", "distinct"])
def test_the_source_says_the_same(scene: str) -> None:
    compare(load("interpreted"), SCENES[scene], 5, 800, True)


@pytest.mark.parametrize("scene", ["room", "forwards", "no-nat"])
def test_what_has_expired_is_not_there_although_nothing_swept(scene: str) -> None:
    roomy = {**SCENES[scene][2], "mappings": 4000, "sessions": 4000, "unanswered_sessions": 1024}
    kind, _, _, more = SCENES[scene]
    compare(load("compiled"), (kind, "80,443,1024-65535", roomy, more), 3, 6000, False)


def explain(bench: Bench, protocol: str, source: Endpoint, to: Endpoint) -> Any:
    ends = [(ip_address(address), port) for address, port in (source, to)]
    return bench.nat.explain(protocol, *ends, bench.now, None)


def test_a_new_flow(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    said = explain(bench, "tcp", HOST, (R1, 80))
    assert (said.verdict, said.direction, said.mapping) == ("translated", "outbound", "new")
    assert said.external == (EXTERNAL, None)
    assert said.becomes == ((EXTERNAL, None), (R1, 80))
    assert said.steps == [
        f"{R1}:80 is none of the external addresses: outbound",
        "no session has these endpoints",
        f"a mapping would be made: {INSIDE}:4000 = {EXTERNAL}:?,"
        " the port by chance among those unused",
        "a session would be opened from inside",
        f"sent as {EXTERNAL}:? -> {R1}:80",
    ]
    assert bench.is_empty()


def test_a_known_flow_and_a_stranger(engine: Engine) -> None:
    bench = Bench(engine, "port-restricted-cone")
    external = bench.connect(HOST, (R1, 80))
    said = explain(bench, "tcp", (R1, 80), external)
    assert (said.verdict, said.session, said.mapping) == ("translated", "established", "existing")
    assert said.becomes == ((R1, 80), HOST)
    said = explain(bench, "tcp", (R2, 80), external)
    assert (said.verdict, said.session, said.mapping) == ("filtered", None, "existing")
    assert said.becomes is None
    assert said.steps[-2:] == [
        "address- and port-dependent filter: only endpoints it has sent to may open a session: no",
        "dropped (filtered): inbound from a remote the filter refuses",
    ]


def test_a_port_that_is_preferred_is_named(engine: Engine) -> None:
    parse = engine.modules["nat.rules.behaviour"].parse_behaviour
    bench = Bench(engine, ports="1024-65535", udp=parse("eim/apdf+preserve"))
    said = explain(bench, "udp", HOST, (R1, 80))
    assert said.external == (EXTERNAL, 4000)
    assert "the port its own (preserve)" in said.steps[2]
    assert bench.open("udp", HOST, (R1, 80)) == (EXTERNAL, 4000)


def test_rules_are_named(engine: Engine) -> None:
    forward = engine.modules["nat.settings.static_forward_text"].parse_forward(
        "tcp:8080=192.168.1.10:80"
    )
    bench = Bench(
        engine,
        ports="8080,10000-19999",
        forwards=(forward,),
        no_nat=(ip_network("198.51.100.2/32"),),
        nptv6=(IPv6Network("fd01:203:405::/48"), IPv6Network("2001:db8:1::/48")),
    )
    said = explain(bench, "tcp", (R1, 9), (EXTERNAL, 8080))
    assert said.rule == "forward tcp:8080=192.168.1.10:80"
    assert (said.verdict, said.mapping) == ("translated", "new")
    assert said.becomes == ((R1, 9), (INSIDE, 80))
    said = explain(bench, "tcp", HOST, (R2, 9))
    assert (said.verdict, said.rule, said.becomes) == ("translated", "no-nat", (HOST, (R2, 9)))
    said = explain(bench, "udp", ("fd01:203:405:1::1234", 5), ("2001:db8:ff::1", 6))
    assert (said.verdict, said.rule) == ("translated", "nptv6")
    # The example of RFC 6296 section 3.4 has this address.
    assert said.becomes == (("2001:db8:1:d550::1234", 5), ("2001:db8:ff::1", 6))


def test_a_hairpin(engine: Engine) -> None:
    bench = Bench(engine, "full-cone")
    server = bench.open("udp", (INSIDE, 53), (R1, 9))
    said = explain(bench, "udp", ("192.168.1.11", 4000), server)
    assert (said.verdict, said.direction) == ("translated", "hairpin")
    assert said.becomes == ((EXTERNAL, None), (INSIDE, 53))


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (("gre", HOST, (R1, 9)), "protocol gre: must be one of tcp, udp"),
        (("tcp", HOST, ("2001:db8::1", 9)), "not of one IP version"),
        (("tcp", HOST, (R1, 65536)), "port 65536: must be from 0 to 65535"),
    ],
)
def test_what_cannot_be_asked(engine: Engine, question: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explain(Bench(engine), *question)


def test_a_kind_that_no_packet_may_have(engine: Engine) -> None:
    bench = Bench(engine)
    assert bench.send(tcp(HOST, (R1, 9), "SF")) == "tcp-flags"
    ends = (ip_address(INSIDE), 4000), (ip_address(R1), 9)
    assert bench.nat.explain("tcp", *ends, 0, 3).verdict == "tcp-flags"
