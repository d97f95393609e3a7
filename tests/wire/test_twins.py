"""A header-only module exists twice, as .py and as .pxd: the two must say the same."""

import dataclasses
from types import ModuleType

import pytest

from support import flavours, twin

CONSTANTS = (
    "wire.types",
    "wire.faults",
    "wire.packet",
    "wire.crc32c",
    "wire.dccp",
    "wire.extensions",
    "wire.icmp",
    "wire.icmpv6",
    "wire.ip",
    "wire.ipv4",
    "wire.ipv6",
    "wire.protocols",
    "wire.quotation",
    "wire.sctp",
    "wire.tcp",
    "wire.tcp_options",
    "wire.udp",
    "wire.udplite",
    "nat.translation.admission",
    "nat.allocation.allocator",
    "nat.answers.bucket",
    "nat.rules.connection",
    "nat.packets.coverage",
    "nat.events.event_record",
    "nat.events.event_ring",
    "nat.events.events",
    "nat.explain.onlooker",
    "nat.succession.flow_form",
    "nat.translation.flows",
    "nat.translation.forecast",
    "nat.translation.pressure",
    "nat.packets.fragments",
    "nat.tables.generator",
    "nat.packets.identifications",
    "nat.packets.parcels",
    "nat.tables.index",
    "nat.tables.mappings",
    "nat.settings.nptv6",
    "nat.rules.policies",
    "nat.allocation.ports",
    "nat.rules.reasons",
    "nat.tables.records",
    "nat.answers.replies",
    "nat.views.flush",
    "nat.views.row_filter",
    "nat.packets.rewrite",
    "nat.settings.scope",
    "nat.allocation.selection",
    "nat.tables.sessions",
    "nat.succession.restoration",
    "nat.succession.succession",
    "nat.allocation.taken",
    "nat.allocation.tally",
    "nat.rules.timers",
    "nat.answers.unsolicited",
    "nat.views.views",
    "nat.translation.window",
    "device.offload",
    "device.vnet_header",
    "daemon.loop.batch",
    "daemon.loop.capture",
    "daemon.loop.worker",
    "bench.engine_load",
    "bench.gap_loop",
    "bench.histogram",
    "bench.null_forwarder",
    "bench.small_packets",
    "bench.sockets",
    "bench.tcp_load",
    "bench.udp_load",
)
RECORDS = ("wire.packet", "nat.views.copies", "nat.tables.records", "nat.events.event_record")


def interpreted(name: str) -> ModuleType:
    """The module from its source, whether or not an extension lies beside it."""
    return flavours.load("interpreted").modules[name]


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_the_same_numbers(name: str) -> None:
    module = interpreted(name)
    numbers = twin.numbers(name)
    assert numbers
    assert {key: getattr(module, key) for key in numbers} == numbers


def test_every_header_with_constants_is_compared() -> None:
    headers = [
        path.relative_to(twin.PACKAGE).with_suffix("").as_posix().replace("/", ".")
        for path in twin.PACKAGE.rglob("*.pxd")
    ]
    assert {name for name in headers if twin.numbers(name)} == set(CONSTANTS)


@pytest.mark.parametrize("name", RECORDS)
def test_records_have_the_same_fields_in_the_same_order(name: str) -> None:
    module = interpreted(name)
    structs = twin.structs(name)
    assert structs
    for struct, members in structs.items():
        fields = dataclasses.fields(getattr(module, struct))
        assert [field.name for field in fields] == list(members)


@pytest.mark.parametrize("name", RECORDS)
def test_records_have_fields_of_the_same_types(name: str) -> None:
    """Type names are read from the source: for Python all of them are int."""
    text = twin.PACKAGE.joinpath(*name.split(".")).with_suffix(".py").read_text()
    for struct, members in twin.structs(name).items():
        body = text.split(f"class {struct}:")[1]
        for member, kind in members.items():
            assert f"    {member}: {kind} = 0\n" in body.split("\n@dataclass")[0]


def test_every_drop_reason_has_a_name_and_a_meaning_of_its_own() -> None:
    reasons = flavours.load("interpreted").REASONS
    assert reasons[0].name == "translated"
    assert len({reason.name for reason in reasons}) == len(reasons)
    assert all(reason.name and reason.meaning for reason in reasons)
