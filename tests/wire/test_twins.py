"""A header-only module exists twice, as .py and as .pxd: the two must say the same."""

import dataclasses
from types import ModuleType

import pytest

from support import flavours, twin

CONSTANTS = (
    "wire.integer_types",
    "wire.header_faults",
    "wire.packet_fields",
    "wire.crc32c",
    "wire.dccp",
    "wire.ipv6_extension_headers",
    "wire.icmp",
    "wire.icmpv6",
    "wire.ip",
    "wire.ipv4",
    "wire.ipv6",
    "wire.protocols",
    "wire.quoted_packet",
    "wire.sctp",
    "wire.tcp",
    "wire.tcp_options",
    "wire.udp",
    "wire.udplite",
    "nat.translation.session_admission",
    "nat.allocation.endpoint_allocator",
    "nat.error_responses.token_bucket",
    "nat.rules.connection_states",
    "nat.packets.fragment_coverage",
    "nat.events.event_record",
    "nat.events.event_ring",
    "nat.events.event_recorder",
    "nat.explain.read_only_lookup",
    "nat.handover.flow_record",
    "nat.translation.flow_lifecycle",
    "nat.translation.prefetch",
    "nat.translation.flow_eviction",
    "nat.packets.fragment_tracking",
    "nat.tables.random_generator",
    "nat.packets.ipv4_identification",
    "nat.packets.packet_pool",
    "nat.tables.hash_index",
    "nat.tables.mapping_table",
    "nat.settings.nptv6",
    "nat.rules.behaviour_codes",
    "nat.allocation.port_pools",
    "nat.rules.drop_reasons",
    "nat.tables.row_layouts",
    "nat.error_responses.icmp_errors",
    "nat.views.flow_flush",
    "nat.views.row_filter",
    "nat.packets.header_rewrite",
    "nat.settings.address_realm",
    "nat.allocation.port_selection",
    "nat.tables.session_table",
    "nat.handover.flow_restoration",
    "nat.handover.nat_replacement",
    "nat.allocation.port_overloading",
    "nat.allocation.counter_table",
    "nat.rules.timeout_classes",
    "nat.error_responses.unsolicited_syns",
    "nat.views.table_pages",
    "nat.translation.tcp_reset_window",
    "device.vnet_header_validation",
    "device.vnet_header",
    "daemon.loop.frame_batch",
    "daemon.loop.packet_capture",
    "daemon.loop.packet_loop",
    "bench.engine_load",
    "bench.gap_loop",
    "bench.histogram",
    "bench.null_forwarder",
    "bench.small_packets",
    "bench.load_sockets",
    "bench.tcp_load",
    "bench.udp_load",
)
RECORDS = (
    "wire.packet_fields",
    "nat.views.row_copies",
    "nat.tables.row_layouts",
    "nat.events.event_record",
)


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
