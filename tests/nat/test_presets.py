"""What each preset does, seen from outside: mapping, filtering, and how it chooses ports."""

from typing import NamedTuple

import pytest

from support.bench import EXTERNAL, INSIDE, OTHER, PROTOCOLS, R1, R2, R3, Bench
from support.flavours import Engine, load
from support.layers import dccp, sctp, udplite
from support.packets import Endpoint, echo, ip

OTHERS = {"udplite": (136, udplite()), "dccp": (33, dccp()), "sctp": (132, sctp())}


class Expected(NamedTuple):
    mapping: str
    filtering: str
    sharing: str
    selection: str
    sticky: bool


# docs/architecture.md's table, spelled out.
TABLE = {
    "full-cone": Expected("EIM", "EIF", "EXCLUSIVE", "RANDOM", False),
    "restricted-cone": Expected("EIM", "ADF", "EXCLUSIVE", "RANDOM", False),
    "port-restricted-cone": Expected("EIM", "APDF", "EXCLUSIVE", "RANDOM", False),
    "quasi-restricted-cone": Expected("ADM", "ADF", "OVERLOAD", "RANDOM", True),
    "quasi-port-restricted-cone": Expected("APDM", "APDF", "OVERLOAD", "RANDOM", True),
    "quasi-symmetric": Expected("APDM", "APDF", "OVERLOAD", "RANDOM", False),
    "symmetric-address": Expected("ADM", "ADF", "DISTINCT", "SEQUENTIAL", False),
    "symmetric": Expected("APDM", "APDF", "DISTINCT", "SEQUENTIAL", False),
}
OVERLOADING = [name for name, row in TABLE.items() if row.sharing == "OVERLOAD"]
STICKY = [name for name, row in TABLE.items() if row.sticky]
STRICT = [name for name, row in TABLE.items() if row.sharing == "DISTINCT"]
EXCLUSIVE = [name for name, row in TABLE.items() if row.sharing == "EXCLUSIVE"]
EVERY = pytest.mark.parametrize("preset", TABLE)
EACH_PROTOCOL = pytest.mark.parametrize("protocol", PROTOCOLS)
HOST = (INSIDE, 4000)


def remote(protocol: str, address: str, port: int) -> Endpoint:
    """A remote endpoint; of ICMP only the address exists."""
    return address, 0 if protocol == "icmp" else port


def test_the_presets_are_the_table_in_its_order() -> None:
    presets = load("interpreted").PRESETS
    assert list(presets) == list(TABLE)
    for name, expected in TABLE.items():
        b = presets[name].behaviour
        row = (b.mapping.name, b.filtering.name, b.sharing.name, b.selection.name, b.sticky)
        assert row == expected
        assert presets[name].name == name and presets[name].summary.endswith(".")


@EVERY
@EACH_PROTOCOL
def test_mapping_depends_on_as_much_of_the_remote_as_named(
    engine: Engine, preset: str, protocol: str
) -> None:
    bench = Bench(engine, preset)
    externals = {
        (address, port): bench.open(protocol, HOST, remote(protocol, address, port))
        for address in (R1, R2)
        for port in (80, 81)
    }
    assert {external[0] for external in externals.values()} == {EXTERNAL}
    mapping = TABLE[preset].mapping
    mappings = {"EIM": 1, "ADM": 2, "APDM": 2 if protocol == "icmp" else 4}[mapping]
    assert len(bench.mappings()) == mappings
    same_address = externals[R1, 80] == externals[R1, 81]
    same = externals[R1, 80] == externals[R2, 80]
    if TABLE[preset].sticky or mapping == "EIM":
        assert same_address and same
    elif preset != "quasi-symmetric":
        assert not same
        assert same_address == (mapping == "ADM" or protocol == "icmp")


@EVERY
@EACH_PROTOCOL
def test_filtering_admits_the_remotes_named_and_counts_the_others(
    engine: Engine, preset: str, protocol: str
) -> None:
    bench = Bench(engine, preset)
    external = bench.open(protocol, HOST, remote(protocol, R1, 80))
    assert bench.reply(protocol, remote(protocol, R1, 80), external) == "translated"
    assert bench.admits(protocol, remote(protocol, R1, 80), external)
    filtering = TABLE[preset].filtering
    admitted = {
        "same address": bench.admits(protocol, remote(protocol, R1, 99), external),
        "other address": bench.admits(protocol, remote(protocol, R2, 80), external),
    }
    assert admitted == {
        "same address": filtering != "APDF" or protocol == "icmp",
        "other address": filtering == "EIF",
    }
    assert sum(bench.dropped().values()) == list(admitted.values()).count(False)
    assert set(bench.dropped()) <= {"filtered", "no-mapping"}


@EVERY
@EACH_PROTOCOL
def test_an_external_endpoint_nobody_has_admits_nobody(
    engine: Engine, preset: str, protocol: str
) -> None:
    bench = Bench(engine, preset, ports="5000")
    bench.open(protocol, HOST, remote(protocol, R1, 80))
    assert bench.knock(protocol, remote(protocol, R1, 80), (EXTERNAL, 5001)) == "no-mapping"


def test_a_session_opened_from_outside_reaches_the_host_and_its_answer_returns(
    engine: Engine,
) -> None:
    bench = Bench(engine, "full-cone")
    for protocol in PROTOCOLS:
        external = bench.open(protocol, HOST, remote(protocol, R1, 80))
        caller = remote(protocol, R3, 777)
        assert bench.knock(protocol, caller, external) == "translated"
        assert bench.seen().destination == HOST
        assert bench.answer(protocol, HOST, caller) == "translated"
        assert bench.seen().source == external
    assert [row.opened for row in bench.sessions()] == ["inside", "outside"] * 3


def test_restricted_cone_admits_the_address_of_every_session(engine: Engine) -> None:
    bench = Bench(engine, "restricted-cone")
    external = bench.open("udp", HOST, (R1, 80))
    assert bench.knock("udp", (R2, 9), external) == "filtered"
    bench.open("udp", HOST, (R2, 80))
    assert bench.knock("udp", (R2, 9), external) == "translated"
    assert bench.knock("udp", (R3, 9), external) == "filtered"


@pytest.mark.parametrize("preset", STICKY)
def test_sticky_ports_make_one_external_endpoint_for_all_remotes(
    engine: Engine, preset: str
) -> None:
    bench = Bench(engine, preset)
    externals = {bench.open("udp", HOST, (f"198.51.100.{n}", 80 + n)) for n in range(1, 100)}
    assert len(externals) == 1
    assert len(bench.mappings()) == 99


@pytest.mark.parametrize("preset", STICKY)
def test_a_sticky_port_is_had_again_after_everything_expired(engine: Engine, preset: str) -> None:
    bench = Bench(engine, preset)
    external = bench.open("udp", HOST, (R1, 80))
    bench.now = 10**6
    bench.expire()
    assert bench.is_empty()
    assert bench.open("udp", HOST, (R2, 80)) == external


@pytest.mark.parametrize("preset", STICKY)
def test_two_hosts_that_share_a_sticky_port_part_at_the_same_remote(
    engine: Engine, preset: str
) -> None:
    bench = Bench(engine, preset, ports="5000-5001")
    first = bench.open("udp", (INSIDE, 4000), (R1, 80))
    assert bench.open("udp", (OTHER, 4000), (R1, 80)) != first
    shared = bench.open("udp", ("192.168.1.12", 4000), (R2, 80))
    bench.open("udp", ("192.168.1.13", 4000), (R2, 80))
    assert bench.try_open("udp", ("192.168.1.14", 4000), (R2, 80)) == "no-port"
    holder = INSIDE if shared == first else OTHER
    # The third host's last port is taken toward R1 by `holder`, and the other one by the other.
    assert bench.try_open("udp", ("192.168.1.12", 4000), (R1, 80)) == "no-port"
    assert bench.reply("udp", (R1, 80), shared) == "translated"
    assert bench.seen().destination == (holder, 4000)
    assert bench.reply("udp", (R2, 80), shared) == "translated"
    assert bench.seen().destination == ("192.168.1.12", 4000)


@pytest.mark.parametrize("preset", OVERLOADING)
def test_one_overloaded_port_serves_many_remotes_and_one_host_each(
    engine: Engine, preset: str
) -> None:
    bench = Bench(engine, preset, ports="5000")
    for n in range(1, 50):
        inside = (f"192.168.1.{n}", 4000 + n)
        assert bench.open("udp", inside, (f"198.51.100.{n}", 53)) == (EXTERNAL, 5000)
    assert bench.try_open("udp", ("192.168.1.200", 4000), ("198.51.100.7", 53)) == "no-port"
    other_port = bench.try_open("udp", ("192.168.1.200", 4000), ("198.51.100.7", 54))
    assert other_port == ("no-port" if TABLE[preset].mapping == "ADM" else "translated")
    for n in range(1, 50):
        assert bench.reply("udp", (f"198.51.100.{n}", 53), (EXTERNAL, 5000)) == "translated"
        assert bench.seen().destination == (f"192.168.1.{n}", 4000 + n)


def test_quasi_symmetric_takes_another_random_port_for_each_remote(engine: Engine) -> None:
    bench = Bench(engine, "quasi-symmetric")
    ports = [bench.open("udp", HOST, (R1, port))[1] for port in range(1, 60)]
    assert len(set(ports)) == len(ports)
    assert all(b != a + 1 for a, b in zip(ports, ports[1:], strict=False))


@pytest.mark.parametrize("preset", STRICT)
def test_strict_ports_go_up_by_one_and_are_never_had_twice(engine: Engine, preset: str) -> None:
    bench = Bench(engine, preset, ports="5000-5019")
    ports = [bench.open("udp", HOST, (f"198.51.100.{n}", 80))[1] for n in range(1, 21)]
    assert sorted(ports) == list(range(5000, 5020))
    assert [(port - ports[0]) % 20 for port in ports] == list(range(20))
    assert bench.try_open("udp", HOST, ("198.51.100.21", 80)) == "no-port"
    # Another host may share them, as its remotes differ.
    assert bench.try_open("udp", (OTHER, 4000), ("198.51.100.21", 80)) == "translated"
    assert bench.try_open("udp", (OTHER, 4000), ("198.51.100.22", 80)) == "translated"


@pytest.mark.parametrize("preset", STRICT)
def test_two_hosts_on_strict_ports_never_meet_at_one_remote(engine: Engine, preset: str) -> None:
    bench = Bench(engine, preset, ports="5000-5003")
    ports = [bench.open("udp", (f"192.168.1.{n}", 4000), (R1, 80))[1] for n in range(1, 5)]
    assert sorted(ports) == [5000, 5001, 5002, 5003]
    assert bench.try_open("udp", ("192.168.1.5", 4000), (R1, 80)) == "no-port"


@pytest.mark.parametrize("preset", EXCLUSIVE)
def test_exclusive_ports_belong_to_one_internal_endpoint(engine: Engine, preset: str) -> None:
    bench = Bench(engine, preset, ports="5000-5001")
    first, second = (bench.open("udp", (host, 4000), (R1, 80)) for host in (INSIDE, OTHER))
    assert {first, second} == {(EXTERNAL, 5000), (EXTERNAL, 5001)}
    assert bench.open("udp", (INSIDE, 4000), (R2, 81)) == first
    assert bench.try_open("udp", (INSIDE, 4001), (R2, 80)) == "no-port"


@EVERY
def test_protocols_do_not_share_ports(engine: Engine, preset: str) -> None:
    bench = Bench(engine, preset, ports="5000")
    assert {bench.open(p, HOST, remote(p, R1, 80)) for p in PROTOCOLS} == {(EXTERNAL, 5000)}
    for number, payload in OTHERS.values():
        bench.passes(ip(INSIDE, R1, number, payload))
        assert bench.seen().source == (EXTERNAL, 5000)
    names = (*PROTOCOLS, *OTHERS)
    assert bench.nat.usage()["ports"] == {p: {"used": 1, "total": 1} for p in names}


@EVERY
def test_an_answer_reaches_only_who_asked(engine: Engine, preset: str) -> None:
    bench = Bench(engine, preset)
    for n in range(1, 40):
        inside, far = (f"192.168.1.{n}", 4000), (R1, 80)
        external = bench.open("udp", inside, far)
        assert bench.reply("udp", far, external) == "translated"
        assert bench.seen().destination == inside
        assert bench.seen().source == far


@EVERY
@EACH_PROTOCOL
def test_a_port_keeps_its_class_as_long_as_there_are_any(
    engine: Engine, preset: str, protocol: str
) -> None:
    """RFC 4787 REQ-3a: a port below 1024 says that a privileged program speaks."""
    bench = Bench(engine, preset, ports="1020-1027")
    far = remote(protocol, R1, 80)
    low = [bench.open(protocol, (f"192.168.1.{n}", 500), far)[1] for n in range(1, 4)]
    high = [bench.open(protocol, (f"192.168.1.{n}", 4000), far)[1] for n in range(1, 5)]
    assert max(low) < 1024 <= min(high)
    assert (
        bench.open(protocol, ("192.168.1.5", 4000), far)[1] == ({*range(1020, 1024)} - {*low}).pop()
    )
    assert bench.try_open(protocol, ("192.168.1.6", 500), far) == "no-port"


def test_each_protocol_has_a_preset_of_its_own(engine: Engine) -> None:
    bench = Bench(engine, tcp="symmetric", udp="full-cone", icmp="quasi-symmetric")
    ports = {p: {bench.open(p, HOST, remote(p, r, 80)) for r in (R1, R2)} for p in PROTOCOLS}
    assert {p: len(ends) for p, ends in ports.items()} == {"tcp": 2, "udp": 1, "icmp": 2}
    assert bench.send(echo(R3, EXTERNAL, next(iter(ports["icmp"]))[1])) == "no-mapping"
    assert bench.knock("udp", (R3, 9), next(iter(ports["udp"]))) == "translated"
